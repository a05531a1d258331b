//! `clicks redrive`: what Firehose put into its error output goes back into the stream, each record once.
//!
//! ```text
//! objects ─▶ lines ─▶ failed ─▶ selection ─▶ ledger ─▶ session ─▶ target
//! (bucket)   (a       (record   (options)    (on disk)  (500 records (PutRecordBatch,
//!            thread)   or why                           or 4 MiB)   PutRecords)
//!                      not) ─▶ aside
//! ```
//!
//! A record is never sent without having been written down before as being sent, and an answer that is lost is not taken for
//! either: so no record is put twice unless the user asks for it (`--again`), and none is forgotten.

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

pub(crate) use self::aside::{Aside, SetAside};
pub(crate) use self::ledger::OnDamage;
use self::ledger::{Identity, Ledger, LedgerError};
use self::lines::Chunk;
pub(crate) use self::report::Report;
pub(crate) use self::selection::{Selection, When};
use self::session::Session;
pub(crate) use self::source::{Source, SourceError, archive};
use self::stop::Stop;
pub(crate) use self::target::StreamRef;
use self::target::{Checked, Target, TargetError};
use crate::bucket::{Bucket, BucketError, Object};
use crate::excerpt::excerpt;
use crate::firehose::batch::MAX_RECORD_BYTES;
use crate::interrupts::Interrupts;
use crate::{database, progress};

/// The longest line that is printed: a name of S3's has up to 1,024 bytes.
const MESSAGE_CHARS: usize = 2_000;

/// What is put back, and how.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where the error objects are.
    pub(crate) source: Source,
    /// Into which stream.
    pub(crate) stream: StreamRef,
    /// A Firehose or Kinesis that is not AWS.
    pub(crate) endpoint: Option<String>,
    /// Which records.
    pub(crate) selection: Selection,
    /// The most records.
    pub(crate) limit: Option<u64>,
    /// The most records a second.
    pub(crate) rate: u32,
    /// What is held back else.
    pub(crate) again: Again,
    /// The ledger's file; without one, by the stream's name.
    pub(crate) ledger: Option<PathBuf>,
    /// What is done with a ledger that is damaged or gone.
    pub(crate) on_damage: Option<OnDamage>,
    /// Where objects go that are done.
    pub(crate) archive: Option<String>,
    /// Whether nothing is to be put or written.
    pub(crate) dry_run: bool,
}

/// What is put although it was put before, perhaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Again {
    /// What failed again.
    pub(crate) failed: bool,
    /// What got no answer.
    pub(crate) uncertain: bool,
}

/// A redrive that got as far as looking at objects.
#[derive(Debug)]
pub(crate) struct Redriven {
    /// What came of it.
    pub(crate) report: Report,
    /// Why it did not get further, where it didn't; an interrupt is not an error.
    pub(crate) error: Option<RedriveError>,
}

/// Why a redrive ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedriveError {
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
    pub(crate) fn is_usage(&self) -> bool {
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
pub(crate) async fn run(options: Options, interrupts: Interrupts) -> Result<Redriven, RedriveError> {
    let mut stop = Stop::listen(interrupts);
    if let Some(archive) = options.archive.as_ref().filter(|archive| options.source.is_within(archive)) {
        return Err(RedriveError::Archive(archive.clone()));
    }
    let target = Target::new(&options.stream, options.endpoint.as_deref()).await?;
    let report = Report { target: target.name(), dry_run: options.dry_run, interrupted: true, ..Report::default() };
    let preparing = prepare(options, target, stop.clone());
    let session = tokio::select! {
        biased;
        () = stop.asked(1) => return Ok(Redriven { report, error: None }),
        session = preparing => session?,
    };
    Ok(session.run().await)
}

/// Asks for all that the first call needs.
async fn prepare(options: Options, target: Target, stop: Stop) -> Result<Session, RedriveError> {
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
        progress::print(&format!(
            "found no object below {}: a prefix ends where a name between two slashes does",
            options.source
        ));
    }
    let ledger = Ledger::open(&path, options.dry_run, options.on_damage)?;
    if let Some(identity) = identity {
        ledger.is_of(&identity)?;
        if ledger.is_new() {
            progress::print(&format!("begins a new ledger, as if nothing had been put yet: {}", path.display()));
        }
    }
    let objects = session::Candidate::all(&bucket, objects, &ledger)?;
    let aside = Aside::new(path.with_extension("corrupt.jsonl"));
    Ok(Session::new(options, (target, max_record_bytes), bucket, ledger, aside, stop, (objects, unreadable)))
}

/// The ledger of a stream, in a folder of this program.
fn default_ledger(target: &Target) -> Result<PathBuf, RedriveError> {
    let folder = state_folder(|name| env::var_os(name).map(PathBuf::from)).ok_or(RedriveError::NoHome)?;
    if database::is_open_to_others(&folder) {
        let folder = folder.display();
        progress::print(&format!(
            "{folder}: other users may look into it; accepted is a folder of one user (`chmod 700 {folder}`)"
        ));
    }
    Ok(folder.join(format!("{}.ledger", target.name())))
}

/// The objects of a source, and how many folders and files could not be read.
async fn find(bucket: &Bucket, source: &Source) -> Result<(Vec<Object>, u64), RedriveError> {
    let found = bucket.find(&source.prefix, source.object.as_deref()).await?;
    for (path, why) in found.skipped {
        progress::print(&excerpt(&format!("{}: skipped, as {why}", path.display()), MESSAGE_CHARS));
    }
    for (path, why) in &found.unreadable {
        progress::print(&excerpt(&format!("{}: could not read it: {why}", path.display()), MESSAGE_CHARS));
    }
    Ok((found.objects, found.unreadable.len() as u64))
}

/// What is in an object, without a ledger, a storage and a stream.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The records' original bytes, in order, each with the key of its value.
    pub(crate) records: Vec<(u128, Vec<u8>)>,
    /// How many pieces hold none.
    pub(crate) bad: usize,
    /// Whether it was read to its end.
    pub(crate) is_whole: bool,
}

/// Reads an object as it is stored.
pub(crate) fn read(place: &str, object: &[u8]) -> Read {
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
