//! A progress bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

use super::report;

/// How far a batch is.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for so many items; hidden where stderr is no terminal, or when the report is JSON.
    pub fn new(total: u64, json: bool) -> Progress {
        let bar = match json {
            true => ProgressBar::hidden(),
            false => ProgressBar::new(total),
        };
        let template = "{bar:30} {pos}/{len}  {per_sec}  {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// One item is done; so many were refused or failed so far.
    pub fn step(&self, trouble: u64) {
        self.0.inc(1);
        if trouble > 0 && self.0.position().is_multiple_of(64) {
            self.0.set_message(format!("{trouble} refused or failed"));
        }
    }

    /// Prints a line without disturbing the bar.
    pub fn line(&self, text: &str) {
        self.0.suspend(|| report::tell(text));
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.0.finish_and_clear();
    }
}
