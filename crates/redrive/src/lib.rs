#![doc = include_str!("../README.md")]

mod aside;
mod failed;
mod judge;
mod ledger;
mod lines;
mod pace;
mod report;
mod selection;
mod session;
mod source;
mod stop;
mod target;

use std::path::{Path, PathBuf};
use std::{env, io};

use jiff::Timestamp;
use tokio::sync::watch;

pub use self::aside::{Aside, SetAside};
pub use self::ledger::OnDamage;
use self::ledger::{Identity, Ledger, LedgerError};
use self::lines::Chunk;
pub use self::report::{Age, Objects, Records, Report};
pub use self::selection::{Selection, When};
use self::session::{Caller, Session};
pub use self::session::{OnProgress, Progress};
pub use self::source::{Source, SourceError, archive};
use self::stop::Stop;
pub use self::target::StreamRef;
use self::target::{Checked, Target, TargetError};
use firehose_model::batch::MAX_RECORD_BYTES;
use firehose_model::excerpt::excerpt;
use object_storage::{Bucket, BucketError, Object};

/// The longest message that is reported: a name of S3's has up to 1,024 bytes.
const MESSAGE_CHARS: usize = 2_000;

/// What is put back, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the error objects are.
    pub source: Source,
    /// Into which stream.
    pub stream: StreamRef,
    /// A Firehose or Kinesis that is not AWS.
    pub endpoint: Option<String>,
    /// Which records.
    pub selection: Selection,
    /// The most records.
    pub limit: Option<u64>,
    /// The most records a second.
    pub rate: u32,
    /// What is held back else.
    pub again: Again,
    /// The ledger's file; without one, by the stream's name.
    pub ledger: Option<PathBuf>,
    /// What is done with a ledger that is damaged or gone.
    pub on_damage: Option<OnDamage>,
    /// Where objects go that are done.
    pub archive: Option<String>,
    /// Whether nothing is to be put or written.
    pub dry_run: bool,
}

/// What is put although it was put before, perhaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Again {
    /// What failed again.
    pub failed: bool,
    /// What got no answer.
    pub uncertain: bool,
}

/// A redrive that got as far as looking at objects.
#[derive(Debug)]
pub struct Redriven {
    /// What came of it.
    pub report: Report,
    /// Why it did not get further, where it didn't; an interrupt is not an error.
    pub error: Option<RedriveError>,
}

/// Why a redrive ended early.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// The stream takes no records.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The objects can't be had.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// What was put can't be written down.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There is no place for the ledger.
    #[error("found neither XDG_STATE_HOME nor HOME: say where the ledger is with `--ledger FILE`")]
    NoHome,
    /// The objects that are done would lie where they are.
    #[error("--archive {}: found the source itself, or its parent folder; accepted is another prefix", .0.trim_end_matches('/'))]
    Archive(String),
    /// Corrupt lines can't be copied.
    #[error("could not write {}, where corrupt lines are copied to", path.display())]
    Aside {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The service said no, too often.
    #[error("the stream takes no records: {0}")]
    Refused(String),
    /// The service said no for good.
    #[error("the stream does not take records: {0}")]
    Failed(String),
    /// One call after the other gets no answer.
    #[error("{service} does not answer: {why}")]
    Lost {
        /// In AWS' words.
        service: &'static str,
        /// In one line.
        why: String,
    },
}

impl RedriveError {
    /// Whether the caller asked for something that can't be done.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Target(error) => error.is_usage(),
            Self::Bucket(BucketError::NoCredentials(_))
            | Self::Ledger(LedgerError::Other { .. } | LedgerError::Form { .. })
            | Self::NoHome
            | Self::Archive(_) => true,
            _ => false,
        }
    }
}

/// Puts records back until there are none, or an interrupt. It lets the current call end; a second interrupt does not.
///
/// # Errors
/// [`RedriveError`] where it does not get as far as the first object.
pub async fn run(
    options: Options,
    interrupts: watch::Receiver<u32>,
    on_progress: OnProgress,
) -> Result<Redriven, RedriveError> {
    let mut stop = Stop::new(interrupts);
    if let Some(archive) = options.archive.as_ref().filter(|archive| options.source.is_within(archive)) {
        return Err(RedriveError::Archive(archive.clone()));
    }
    let target = Target::new(&options.stream, options.endpoint.as_deref()).await?;
    let report = Report { target: target.name(), dry_run: options.dry_run, interrupted: true, ..Report::default() };
    let preparing = prepare(options, target, Caller { stop: stop.clone(), on_progress });
    let session = tokio::select! {
        biased;
        () = stop.asked(1) => return Ok(Redriven { report, error: None }),
        session = preparing => session?,
    };
    Ok(session.run().await)
}

/// Asks for all that the first call needs.
async fn prepare(options: Options, target: Target, caller: Caller) -> Result<Session, RedriveError> {
    let (identity, max_record_bytes) = if options.dry_run {
        (None, target.max_record_bytes())
    } else {
        let Checked { identity, max_record_bytes } = target.check().await?;
        (Some(identity), max_record_bytes)
    };
    let bucket = Bucket::open_existing(&options.source.store)?;
    let path = match &options.ledger {
        Some(path) => path.clone(),
        None => default_ledger(&target)?,
    };
    let (mut objects, unreadable) = find(&bucket, &options.source).await?;
    if let Some(archive) = &options.archive {
        objects.retain(|object| !object.key().starts_with(archive));
    }
    if objects.is_empty() {
        tracing::warn!("found no object below {}: a prefix ends where a name between two slashes does", options.source);
    }
    let ledger = Ledger::open(&path, options.dry_run, options.on_damage)?;
    if let Some(identity) = identity {
        ledger.is_of(&identity)?;
        if ledger.is_new() {
            tracing::info!("begins a new ledger, as if nothing had been put yet: {}", path.display());
        }
    }
    let objects = session::Candidate::all(&bucket, objects, &ledger)?;
    let aside = Aside::new(path.with_extension("corrupt.jsonl"));
    Ok(Session::new(options, (target, max_record_bytes), bucket, ledger, aside, (objects, unreadable), caller))
}

/// The ledger of a stream, in a folder of this program.
fn default_ledger(target: &Target) -> Result<PathBuf, RedriveError> {
    let folder = state_folder(|name| env::var_os(name).map(PathBuf::from)).ok_or(RedriveError::NoHome)?;
    if state_file::is_open_to_others(&folder) {
        let folder = folder.display();
        tracing::warn!(
            "{folder}: other users may look into it; accepted is a folder of one user (`chmod 700 {folder}`)"
        );
    }
    Ok(folder.join(format!("{}.ledger", target.name())))
}

/// The objects of a source, and how many folders and files could not be read.
async fn find(bucket: &Bucket, source: &Source) -> Result<(Vec<Object>, u64), RedriveError> {
    let found = bucket.find(&source.prefix, source.object.as_deref()).await?;
    for (path, why) in found.skipped {
        report_line(&format!("{}: skipped, as {why}", path.display()));
    }
    for (path, why) in &found.unreadable {
        report_line(&format!("{}: could not read it: {why}", path.display()));
    }
    Ok((found.objects, found.unreadable.len() as u64))
}

/// What is in an object, without a ledger, a storage and a stream.
#[derive(Debug, Default)]
pub struct Read {
    /// The records' original bytes, in order, each with the key of its value.
    pub records: Vec<(u128, Vec<u8>)>,
    /// How many pieces hold none.
    pub bad: usize,
    /// Whether it was read to its end.
    pub is_whole: bool,
}

/// Reads an object as it is stored.
#[must_use]
pub fn read(place: &str, object: &[u8]) -> Read {
    let (mut identity, mut read) = (Identity::of(place), Read::default());
    lines::each(object, |chunk| {
        match chunk {
            Chunk::Pieces(pieces) => {
                let (good, bad) = judge::judged(pieces, &mut identity, |data| {
                    target::check_size("Firehose", data.len(), MAX_RECORD_BYTES)
                });
                read.records.extend(good.into_iter().map(|(key, failed)| (key, failed.data)));
                read.bad += bad.len();
            }
            Chunk::End => read.is_whole = true,
            Chunk::Unreadable(_) => {}
        }
        true
    });
    read
}

/// The folder of what a program keeps for its user (XDG Base Directory Specification): one ledger for each stream, whatever
/// copy of an object is looked at.
fn state_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let home = || Some(variable("HOME").filter(|path| path.is_absolute())?.join(".local/state"));
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute()).or_else(home)?;
    Some(state.join(Path::new("clicks/redrive")))
}

/// Reports a message, whatever is in the names in it.
fn report_line(line: &str) {
    tracing::warn!("{}", excerpt(line, MESSAGE_CHARS));
}

/// Now, in milliseconds since 1970.
fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_lies_where_programs_keep_their_state() {
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
