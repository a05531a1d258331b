//! `clicks replay`: files through the function, as Firehose would put them.

mod feed;
mod report;
mod session;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::Duration;

use jiff::Timestamp;
use mysfits_service::{LocalError, LocalService};
use runtime_api::{InvokeError, StartError};
use tokio::sync::mpsc;

use self::feed::{Fed, feed};
use self::report::{End, Report, Tally};
use self::session::Session;
use crate::input::{self, Contents, InputError, Source};
use crate::output::{self, Output, OutputError};
use crate::packages::{self, BuildError, PROCESSOR};
use crate::progress::{self, Bar};
use firehose_model::batch::{Limits, SourceType};

/// What is replayed, and how.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Files, folders, and `-` for standard input.
    pub(crate) inputs: Vec<PathBuf>,
    /// The function's executable; without one, the processor is built.
    pub(crate) function: Option<PathBuf>,
    /// The mysfits service's base URL; without one, a local service is started.
    pub(crate) service: Option<String>,
    /// What the local service waits before each answer.
    pub(crate) service_latency: Duration,
    /// The function's environment, besides the service's URL. The last of several values counts.
    pub(crate) env: Vec<(String, String)>,
    /// Where the objects go; without it, to a folder named after the time.
    pub(crate) out: Option<PathBuf>,
    /// Where records come from that are in no event.
    pub(crate) source_type: SourceType,
    /// When a batch is full.
    pub(crate) limits: Limits,
    /// How often a failed invocation is tried again.
    pub(crate) retries: u32,
    /// How long an invocation may take.
    pub(crate) timeout: Duration,
    /// Whether the function's log is shown, too.
    pub(crate) verbose: bool,
}

/// A replay that got as far as putting something through, or was interrupted.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// What came of it.
    pub(crate) report: Report,
    /// Why it did not get further, where it didn't; an interrupt is not an error.
    pub(crate) error: Option<ReplayError>,
}

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// Something to replay is not what it should be.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The objects can't be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// There is no executable.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The local service did not start.
    #[error("could not start the local mysfits service; name another one with `--service URL`")]
    Service(#[from] LocalError),
    /// The function's process could not be run.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The function never asked for an event.
    #[error("the function {how} before it asked for an event, {wrote}")]
    NotStarted {
        /// What it did instead.
        how: String,
        /// What it wrote.
        wrote: String,
    },
    /// An event never reached the function.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// An event could not be written as JSON.
    #[error("could not write an event as JSON")]
    Event(#[from] serde_json::Error),
}

impl ReplayError {
    /// Whether the caller asked for something that can't be done.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::Input(_) | Self::Build(BuildError::NotExecutable(_)) => true,
            Self::Output(error) => !matches!(error, OutputError::Write { .. }),
            _ => false,
        }
    }
}

/// Replays until the input ends, or `interrupt` does. The batch in hand is then given up: its records are in no number and no
/// object, as if they had not been read.
pub(crate) async fn run(options: Options, interrupt: impl Future<Output = ()>) -> Result<Replayed, ReplayError> {
    let mut interrupt = pin!(interrupt);
    // All that can be wrong with what was asked, before a build of minutes.
    let sources = input::find(&options.inputs)?;
    check(&sources, options.source_type)?;
    let named = options.function.as_deref().map(packages::executable_at).transpose()?;
    let output = Output::create(options.out.clone().unwrap_or_else(|| output::default_folder(Timestamp::now())))?;

    let function = if let Some(function) = named {
        function
    } else {
        tokio::select! {
            biased;
            () = &mut interrupt => {
                let end = End { interrupted: true, out: output.folder().to_owned(), ..End::default() };
                return Ok(Replayed { report: Tally::default().report(end), error: None });
            }
            built = packages::build(PROCESSOR) => built?,
        }
    };
    let local = if options.service.is_none() {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Some(LocalService::start_with_latency(any_port, options.service_latency).await?)
    } else {
        None
    };
    let service = options.service.clone().or(local.as_ref().map(LocalService::base_url)).unwrap_or_default();

    let progress = Bar::new(sources.iter().map(Source::bytes).sum());
    progress::print(&format!("running {}", function.display()));
    progress::print(&format!("writing to {}", output.folder().display()));
    let mut batches = feed(sources, options.source_type, options.limits);
    let mut session = Session::start(options, function, &service, output, progress).await?;
    let ended = put_through(&mut batches, &mut session, interrupt).await;
    let answered = local.as_ref().map(LocalService::requests);
    let report = session.stop(matches!(ended, Ok(Ended::Interrupted)), answered).await;
    if let Some(local) = local {
        local.stop().await;
    }
    match (report, ended.err()) {
        (Ok(report), Some(error)) if report.batches == 0 && report.skipped == 0 => Err(error),
        (Ok(report), error) => Ok(Replayed { report, error }),
        (Err(unwritten), error) => Err(error.unwrap_or(unwritten)),
    }
}

/// Finds unknown files before anything is put through, by what comes first in each. What can be read only once is left alone.
fn check(sources: &[Source], source_type: SourceType) -> Result<(), InputError> {
    for source in sources.iter().filter(|source| source.bytes().is_some()) {
        Contents::open(source, source_type, |_| ())?.next().transpose()?;
    }
    Ok(())
}

/// What ended a replay without an error.
enum Ended {
    Input,
    Interrupted,
}

async fn put_through(
    fed: &mut mpsc::Receiver<Result<Fed, InputError>>,
    session: &mut Session,
    mut interrupt: Pin<&mut impl Future<Output = ()>>,
) -> Result<Ended, ReplayError> {
    loop {
        let next = tokio::select! {
            biased;
            () = &mut interrupt => return Ok(Ended::Interrupted),
            next = fed.recv() => next,
        };
        let batch = match next.transpose()? {
            Some(Fed::Batch(batch)) => batch,
            Some(Fed::Skipped(skipped)) => {
                session.skip(&skipped)?;
                continue;
            }
            None => return Ok(Ended::Input),
        };
        tokio::select! {
            biased;
            () = &mut interrupt => {
                Session::give_up(&batch);
                return Ok(Ended::Interrupted);
            }
            done = session.put_through(&batch) => done?,
        }
    }
}
