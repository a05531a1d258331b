//! How far something long has come: a bar on a terminal, and nothing anywhere else.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the bar moves, so that nobody takes a slow batch for a dead one.
const TICK: Duration = Duration::from_millis(100);

/// A bar of the bytes that are behind.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of so many bytes; without a number, as of standard input, it only moves. It is drawn on standard error, and
    /// only where that is a terminal.
    pub(crate) fn new(bytes: Option<u64>) -> Self {
        let (bar, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{wide_bar} {bytes}/{total_bytes}, {msg}, {elapsed}"),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}, {msg}, {elapsed}"),
        };
        // The templates are constants, so the default style is never seen.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style).with_message("starting");
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// So many more bytes are behind; `so_far` says what came of all of them.
    pub(crate) fn advance(&self, bytes: u64, so_far: String) {
        self.0.inc(bytes);
        self.0.set_message(so_far);
    }

    /// Prints a line on standard error without breaking the bar.
    pub(crate) fn line(&self, line: &str) {
        self.0.suspend(|| print(line));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Prints a line on standard error, where somebody may have stopped reading.
pub(crate) fn print(line: &str) {
    let _nobody_reads = writeln!(io::stderr(), "{line}");
}
