//! Log lines that strangers cause: a few each second, the rest is counted.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Says what strangers do, but not more than so often.
pub(super) struct Quiet(Mutex<Window>);

struct Window {
    begun: Instant,
    said: u32,
    unsaid: u64,
}

impl Quiet {
    pub(super) fn new() -> Quiet {
        Quiet(Mutex::new(Window {
            begun: Instant::now(),
            said: 0,
            unsaid: 0,
        }))
    }

    /// Writes a line to the log, unless there were enough in this window.
    pub(super) fn say(&self, what: &str) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.begun.elapsed() >= WINDOW {
            if window.unsaid > 0 {
                tracing::warn!(
                    count = window.unsaid,
                    "more refusals of unauthenticated requests"
                );
            }
            *window = Window {
                begun: Instant::now(),
                said: 0,
                unsaid: 0,
            };
        }
        if window.said == LINES {
            window.unsaid += 1;
            return;
        }
        window.said += 1;
        drop(window);
        tracing::warn!("{}", plain(what));
    }
}

/// A text without control characters: it cannot look like another line.
fn plain(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// So many lines in each window.
const LINES: u32 = 10;

const WINDOW: Duration = Duration::from_secs(10);
