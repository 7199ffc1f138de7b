//! A bounded pool: callers wait for a seat, and seats remember what was opened for them.
//!
//! Nothing is opened before somebody needs it. A caller that drops its seat without giving the item back frees the seat,
//! so a broken session is never handed on.

use std::sync::{Condvar, Mutex, PoisonError};

use super::lock;

/// Up to `limit` items, opened by whoever needs one first.
#[derive(Debug)]
pub(super) struct Pool<T> {
    state: Mutex<State<T>>,
    freed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    idle: Vec<T>,
    taken: usize,
    limit: usize,
}

/// The right to use one item of the pool.
#[derive(Debug)]
pub(super) struct Seat<'a, T> {
    pool: &'a Pool<T>,
    item: Option<T>,
}

impl<T> Pool<T> {
    /// A pool of at most `limit` items (at least one), of which `first` is open already.
    pub(super) fn new(limit: usize, first: T) -> Pool<T> {
        Pool {
            state: Mutex::new(State {
                idle: vec![first],
                taken: 0,
                limit: limit.max(1),
            }),
            freed: Condvar::new(),
        }
    }

    /// Waits until fewer than `limit` seats are taken.
    pub(super) fn seat(&self) -> Seat<'_, T> {
        let mut state = self
            .freed
            .wait_while(lock(&self.state), |state| state.taken >= state.limit)
            .unwrap_or_else(PoisonError::into_inner);
        state.taken += 1;
        // The item used last is the one most likely to be alive.
        let item = state.idle.pop();
        Seat { pool: self, item }
    }

    /// How many items may be in use at the same time.
    pub(super) fn limit(&self) -> usize {
        lock(&self.state).limit
    }

    /// Takes out everything that is idle.
    pub(super) fn drain(&self) -> Vec<T> {
        std::mem::take(&mut lock(&self.state).idle)
    }
}

impl<T> Seat<'_, T> {
    /// The item that waited for this seat, if one did.
    pub(super) fn take(&mut self) -> Option<T> {
        self.item.take()
    }

    /// Gives a working item back for the next caller.
    pub(super) fn keep(mut self, item: T) {
        self.item = Some(item);
    }

    /// Gives the seat up for good, because the token opens no more sessions.
    ///
    /// False when it is the only one in use: then there is nothing left to wait for.
    pub(super) fn shrink(&self) -> bool {
        let mut state = lock(&self.pool.state);
        let others = state.taken - 1 + state.idle.len();
        state.limit = state.limit.min(others.max(1));
        others > 0
    }
}

impl<T> Drop for Seat<'_, T> {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.state);
        state.taken -= 1;
        state.idle.extend(self.item.take());
        drop(state);
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn no_more_items_are_in_use_than_the_limit_allows() {
        let pool = Pool::new(2, ());
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mut seat = pool.seat();
                        seat.take();
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                        seat.keep(());
                    }
                });
            }
        });
        assert!(most.into_inner() <= 2);
        assert!(pool.drain().len() <= 2);
    }

    #[test]
    fn a_dropped_seat_frees_its_place_without_an_item() {
        let pool = Pool::new(1, "session");
        let mut seat = pool.seat();
        assert_eq!(seat.take(), Some("session"));
        drop(seat);
        let mut seat = pool.seat();
        assert_eq!(seat.take(), None);
        seat.keep("new session");
        assert_eq!(pool.seat().take(), Some("new session"));
    }

    #[test]
    fn a_pool_shrinks_to_what_the_token_opens() {
        let pool = Pool::new(8, 1);
        let first = pool.seat();
        let second = pool.seat();
        assert!(second.shrink());
        assert_eq!(pool.limit(), 1);
        drop(second);
        assert!(!first.shrink());
        assert_eq!(pool.limit(), 1);
    }
}
