#![doc = include_str!("../README.md")]

mod error;
mod journal;
mod lines;
mod record;
mod report;
mod selection;
mod session;
mod source;
mod target;

use std::env;
use std::path::{Path, PathBuf};

use firehose_model::excerpt::excerpt;
use firehose_model::source::MAX_RECORD_BYTES;
use jiff::Timestamp;
use tokio::sync::watch;

pub use self::error::RedriveError;
use self::journal::Identity;
pub use self::journal::OnDamage;
use self::lines::{Chunk, End};
pub use self::report::{Age, ObjectCounts, RecordCounts, Report};
pub use self::selection::{Selection, parse_time_ms};
use self::session::{Interrupts, Session};
pub use self::session::{OnProgress, Progress};
pub use self::source::{ObjectSource, parse_archive_prefix};
pub use self::target::StreamRef;
use self::target::Target;

/// The longest message. A key of S3 has up to 1,024 bytes.
const MESSAGE_CHARS: usize = 2_000;

/// What is put, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The error objects.
    pub source: ObjectSource,
    /// The stream that the records are put into.
    pub stream: StreamRef,
    /// The address of a Firehose or Kinesis that is not AWS.
    pub endpoint: Option<String>,
    /// Which records.
    pub selection: Selection,
    /// The most records of the run.
    pub limit: Option<u64>,
    /// The most records per second.
    pub rate: u32,
    /// Whether to put records that failed again.
    pub failed_again: bool,
    /// Whether to put records that were sent without a response.
    pub uncertain: bool,
    /// The journal's file [default: named after the stream].
    pub journal: Option<PathBuf>,
    /// What to do with a journal that is damaged or missing.
    pub on_damage: Option<OnDamage>,
    /// The prefix that finished objects are moved to.
    pub archive: Option<String>,
    /// Whether to report only, and put and write nothing.
    pub dry_run: bool,
}

/// A finished redrive.
#[derive(Debug)]
pub struct Redriven {
    /// The result.
    pub report: Report,
    /// Why it stopped early; none after an interrupt.
    pub error: Option<RedriveError>,
}

/// Puts the selected records. The first interrupt finishes the current call, the second aborts it.
pub async fn run(
    options: Options,
    interrupts: watch::Receiver<u32>,
    on_progress: OnProgress,
) -> Result<Redriven, RedriveError> {
    let mut interrupts = Interrupts(interrupts);
    if let Some(archive) = options.archive.as_ref().filter(|archive| options.source.is_within(archive)) {
        return Err(RedriveError::Usage(format!(
            "invalid --archive: {}: the source itself or its parent folder; accepted is another prefix",
            archive.trim_end_matches('/')
        )));
    }
    let target = Target::new(&options.stream, options.endpoint.as_deref()).await?;
    let report = Report { target: target.name(), dry_run: options.dry_run, interrupted: true, ..Report::default() };
    let preparing = Session::prepare(options, target, interrupts.clone(), on_progress);
    let session = tokio::select! {
        biased;
        () = interrupts.requested(1) => return Ok(Redriven { report, error: None }),
        session = preparing => session?,
    };
    Ok(session.run().await)
}

fn default_journal(target: &Target) -> Result<PathBuf, RedriveError> {
    let Some(folder) = state_folder(|name| env::var_os(name).map(PathBuf::from)) else {
        let problem = "neither XDG_STATE_HOME nor HOME is set; name the journal (`--journal FILE`)";
        return Err(RedriveError::Usage(problem.to_owned()));
    };
    if state_file::is_open_to_others(&folder) {
        let folder = folder.display();
        tracing::warn!("{folder}: other users can read this folder; accepted is a private one (`chmod 700 {folder}`)");
    }
    Ok(folder.join(format!("{}.journal", target.name())))
}

/// The content of an error object.
#[derive(Debug, Default)]
pub struct ErrorObjectContent {
    /// The records' original bytes in order, each with the key of its line.
    pub records: Vec<(u128, Vec<u8>)>,
    /// The number of pieces without a record.
    pub corrupt: usize,
    /// Whether it was read to its end.
    pub is_complete: bool,
}

/// Reads an object as it is stored. Of one that is no error object, nothing is read.
#[must_use]
pub fn read_error_object(place: &str, object: &[u8]) -> ErrorObjectContent {
    let (mut identity, mut content) = (Identity::of(place), ErrorObjectContent::default());
    lines::each(object, |chunk| {
        match chunk {
            Chunk::Pieces(pieces) => {
                let (records, corrupt) = lines::classify(pieces, &mut identity, |data| {
                    target::check_size("Firehose", data.len(), MAX_RECORD_BYTES)
                });
                content.records.extend(records.into_iter().map(|(key, record)| (key, record.data)));
                content.corrupt += corrupt.len();
            }
            Chunk::End(End::Complete) => content.is_complete = true,
            Chunk::End(End::Foreign | End::Unreadable(_)) => {}
        }
        true
    });
    content
}

/// XDG Base Directory Specification. A stream has one journal, whichever copy of its objects is read.
fn state_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let home = || Some(variable("HOME").filter(|path| path.is_absolute())?.join(".local/state"));
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute()).or_else(home)?;
    Some(state.join(Path::new("clicks/redrive")))
}

/// The names in a message may have any characters.
fn warn(line: &str) {
    tracing::warn!("{}", excerpt(line, MESSAGE_CHARS));
}

fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_are_in_the_users_state_folder() {
        for (xdg, home, expected) in [
            (Some("/state"), Some("/home/me"), Some("/state/clicks/redrive")),
            (Some("state"), Some("/home/me"), Some("/home/me/.local/state/clicks/redrive")),
            (None, Some("/home/me"), Some("/home/me/.local/state/clicks/redrive")),
            (None, Some(""), None),
            (None, None, None),
        ] {
            let folder = state_folder(|name| match name {
                "XDG_STATE_HOME" => xdg.map(PathBuf::from),
                _ => home.map(PathBuf::from),
            });
            assert_eq!(folder, expected.map(PathBuf::from), "{xdg:?} {home:?}");
        }
    }
}
