//! How far a long replay has come: a bar on a terminal, and nothing anywhere else.

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::Records;

/// A bar of the bytes that have been read, with the records that have been put through.
#[derive(Debug, Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar of so many bytes; without a number, as of standard input, it only moves. It is drawn on standard error, and
    /// only where that is a terminal.
    #[must_use]
    pub fn new(bytes: Option<u64>) -> Self {
        let (bar, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{bar:30} {bytes}/{total_bytes} read, {msg}, {elapsed}"),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes} read, {msg}, {elapsed}"),
        };
        // The templates are constants, so the default style is never seen.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style).with_message("starting"))
    }

    /// So many more bytes have been read.
    pub fn read(&self, bytes: usize) {
        self.0.inc(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// So many records have been put through.
    pub fn records(&self, records: &Records) {
        self.0.set_message(format!("{} records, {} failed", records.total, records.failed));
    }

    /// Prints a line on standard error without breaking the bar.
    pub fn line(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
