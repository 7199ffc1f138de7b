//! A bounded pool: callers wait for a seat, and seats remember what was opened for them.
//!
//! Nothing is opened before somebody needs it. A caller that drops its seat without giving the item back frees the seat,
//! so a broken session is never handed on.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lock;

/// Up to `limit` items, opened by whoever needs one first.
#[derive(Debug)]
pub(super) struct Pool<T> {
    state: Mutex<State<T>>,
    freed: Condvar,
    patience: Duration,
}

#[derive(Debug)]
struct State<T> {
    idle: Vec<T>,
    taken: usize,
    limit: usize,
    /// Callers that wait: without them nobody is woken, which would cost a system call for each signature.
    waiting: usize,
    /// When a seat was last taken or freed.
    moved: Instant,
}

/// All seats are taken, and none was given back for long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) taken: usize,
    pub(super) since: Duration,
}

/// The right to use one item of the pool.
#[derive(Debug)]
pub(super) struct Seat<'a, T> {
    pool: &'a Pool<T>,
    item: Option<T>,
}

impl<T> Pool<T> {
    /// A pool of at most `limit` items (at least one), of which `first` is open already.
    ///
    /// A caller waits as long as others come and go, but gives up when nothing has moved for `patience`.
    pub(super) fn new(limit: usize, patience: Duration, first: T) -> Pool<T> {
        Pool {
            state: Mutex::new(State {
                idle: vec![first],
                taken: 0,
                limit: limit.max(1),
                waiting: 0,
                moved: Instant::now(),
            }),
            freed: Condvar::new(),
            patience,
        }
    }

    /// Waits until fewer than `limit` seats are taken.
    pub(super) fn seat(&self) -> Result<Seat<'_, T>, Stuck> {
        let mut state = lock(&self.state);
        while state.taken >= state.limit {
            let left = state.patience(self.patience)?;
            state.waiting += 1;
            let woken = self.freed.wait_timeout(state, left);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.taken += 1;
        state.moved = Instant::now();
        // The item used last is the one most likely to be alive.
        let item = state.idle.pop();
        Ok(Seat { pool: self, item })
    }

    /// Whether a caller would get a seat, sooner or later.
    pub(super) fn moving(&self) -> Result<(), Stuck> {
        let state = lock(&self.state);
        match state.taken >= state.limit {
            true => state.patience(self.patience).map(|_| ()),
            false => Ok(()),
        }
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

impl<T> State<T> {
    /// What is left of it since something moved.
    fn patience(&self, patience: Duration) -> Result<Duration, Stuck> {
        let since = self.moved.elapsed();
        patience.checked_sub(since).ok_or(Stuck {
            taken: self.taken,
            since,
        })
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
        state.moved = Instant::now();
        state.idle.extend(self.item.take());
        let wanted = state.waiting > 0;
        drop(state);
        if wanted {
            self.pool.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn no_more_items_are_in_use_than_the_limit_allows() {
        let pool = Pool::new(2, LONG, ());
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mut seat = pool.seat().unwrap();
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
        let pool = Pool::new(1, LONG, "session");
        let mut seat = pool.seat().unwrap();
        assert_eq!(seat.take(), Some("session"));
        drop(seat);
        let mut seat = pool.seat().unwrap();
        assert_eq!(seat.take(), None);
        seat.keep("new session");
        assert_eq!(pool.seat().unwrap().take(), Some("new session"));
    }

    #[test]
    fn a_pool_shrinks_to_what_the_token_opens() {
        let pool = Pool::new(8, LONG, 1);
        let first = pool.seat().unwrap();
        let second = pool.seat().unwrap();
        assert!(second.shrink());
        assert_eq!(pool.limit(), 1);
        drop(second);
        assert!(!first.shrink());
        assert_eq!(pool.limit(), 1);
    }

    #[test]
    fn nobody_waits_for_seats_that_do_not_come_back() {
        let pool = Pool::new(1, Duration::from_millis(20), ());
        let seat = pool.seat().unwrap();
        assert_eq!(pool.moving(), Ok(()));
        let stuck = pool.seat().unwrap_err();
        assert_eq!(stuck.taken, 1);
        assert!(stuck.since >= Duration::from_millis(20), "{stuck:?}");
        assert!(pool.moving().is_err());
        drop(seat);
        assert_eq!(pool.moving(), Ok(()));
        assert!(pool.seat().is_ok());
    }
}
