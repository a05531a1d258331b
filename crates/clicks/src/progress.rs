//! Standard error: a progress bar or the status on a terminal, and a line for each event of this crate and of the libraries.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{Style, Styles};
use indicatif::{ProgressBar, ProgressStyle};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

const TARGETS: [&str; 4] = ["clicks", "local_firehose", "redrive", "state_file"];

static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

const TICK: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Bar(pub(crate) ProgressBar);

impl Bar {
    /// Without a number, for standard input, a spinner. Drawn only if standard error is a terminal.
    pub(crate) fn new(bytes: Option<u64>) -> Self {
        let (bar, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{wide_bar} {bytes}/{total_bytes}, {msg}, {elapsed}"),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}, {msg}, {elapsed}"),
        };
        // The templates are valid constants.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style).with_message("starting");
        bar.enable_steady_tick(TICK);
        Self::show(bar)
    }

    /// A line that is drawn with each of its messages.
    pub(crate) fn status() -> Self {
        let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self::show(ProgressBar::new_spinner().with_style(style))
    }

    fn show(bar: ProgressBar) -> Self {
        *shown() = Some(bar.clone());
        Self(bar)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        *shown() = None;
        self.0.finish_and_clear();
    }
}

fn shown() -> std::sync::MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn print_events() {
    let has_colours = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Labelled { has_colours })
        .with_ansi(false)
        .with_writer(|| StandardError);
    let targets = Targets::new().with_targets(TARGETS.map(|target| (target, Level::INFO)));
    // Fails if a subscriber is already set.
    let _set = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
}

/// Errors and warnings with a label, as clap and cargo have them.
struct Labelled {
    has_colours: bool,
}

impl Labelled {
    fn label(&self, level: Level) -> Option<String> {
        const STYLES: Styles = Styles::styled();
        let (label, style) = match level {
            Level::ERROR => ("error:", *STYLES.get_error()),
            Level::WARN => ("warning:", STYLES.get_invalid().bold()),
            _ => return None,
        };
        let style = if self.has_colours { style } else { Style::new() };
        Some(format!("{style}{label}{style:#} "))
    }
}

impl<S, N> FormatEvent<S, N> for Labelled
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if let Some(label) = self.label(*event.metadata().level()) {
            writer.write_str(&label)?;
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let write = || io::stderr().write(bytes);
        shown().as_ref().map_or_else(write, |bar| bar.suspend(write))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A sentence, and the numbers.
#[derive(Debug)]
pub(crate) struct Table {
    summary: String,
    rows: Vec<(String, String)>,
}

impl Table {
    pub(crate) fn new(summary: String) -> Self {
        Self { summary, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, name: &str, value: impl Display) {
        self.rows.push((name.to_owned(), value.to_string()));
    }

    pub(crate) fn non_zero(&mut self, numbers: &[(&str, u64)]) {
        for (name, number) in numbers.iter().filter(|(_, number)| *number > 0) {
            self.row(name, number);
        }
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n", self.summary)?;
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        self.rows.iter().try_for_each(|(name, value)| {
            let row = format!("{name:width$}  {value}");
            writeln!(formatter, "{}", row.trim_end())
        })
    }
}
