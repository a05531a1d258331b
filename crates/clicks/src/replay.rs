//! `clicks replay`: processes the records of files with the function, as Firehose would.

mod feed;
mod report;
mod session;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::Duration;

use jiff::Timestamp;
use runtime_api::{InvokeError, StartError};
use tokio::sync::mpsc;

use self::feed::{Fed, feed};
use self::report::{End, Report, Tally};
use self::session::Session;
use crate::input::{self, Contents, InputError, Source};
use crate::output::{self, Output, OutputError};
use crate::packages::{self, BuildError, PROCESSOR};
use crate::progress::{self, Bar};
use crate::service::LocalService;
use firehose_model::batch::Limits;
use firehose_model::source::SourceType;

/// The options of a replay.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Files, folders, or `-` for standard input.
    pub(crate) inputs: Vec<PathBuf>,
    /// The function's executable [default: the processor, which is built].
    pub(crate) function: Option<PathBuf>,
    /// The mysfits service's base URL [default: a local service].
    pub(crate) service: Option<String>,
    /// The local service's latency.
    pub(crate) service_latency: Duration,
    /// The function's environment, besides the service's URL. The last value of a variable wins.
    pub(crate) env: Vec<(String, String)>,
    /// The folder of the objects [default: named after the time].
    pub(crate) out: Option<PathBuf>,
    /// The source of records that are not in an event.
    pub(crate) source_type: SourceType,
    /// When a batch is full.
    pub(crate) limits: Limits,
    /// The number of retries of a failed invocation.
    pub(crate) retries: u32,
    /// The time-out of an invocation.
    pub(crate) timeout: Duration,
    /// Whether to print the function's log.
    pub(crate) verbose: bool,
}

/// A replay that processed records, or was interrupted.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// The result.
    pub(crate) report: Report,
    /// Why it stopped early; none after an interrupt.
    pub(crate) error: Option<ReplayError>,
}

/// Why a replay stopped early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// An input is unreadable or of an unknown kind.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The objects can't be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The function's executable is missing.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The local service did not start.
    #[error("could not start the local mysfits service; to use another one, name it (`--service URL`)")]
    Service(#[source] io::Error),
    /// The function's process did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The function never requested an event.
    #[error("the function {how} before it requested an event, {wrote}")]
    NotStarted {
        /// How it failed.
        how: String,
        /// The end of its log.
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
    /// Whether the options are wrong.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::Input(_) | Self::Build(BuildError::NotExecutable(_)) => true,
            Self::Output(error) => !matches!(error, OutputError::Write { .. }),
            _ => false,
        }
    }
}

/// Replays until the end of the input, or until `interrupt` completes. An interrupt discards the batch in flight: no number and no
/// object has its records.
pub(crate) async fn run(options: Options, interrupt: impl Future<Output = ()>) -> Result<Replayed, ReplayError> {
    let mut interrupt = pin!(interrupt);
    // Check all options before a build, which can take minutes.
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
        Some(LocalService::of_mysfits(any_port, options.service_latency).await.map_err(ReplayError::Service)?)
    } else {
        None
    };
    let service = options.service.clone().or(local.as_ref().map(|local| local.server.url())).unwrap_or_default();

    let progress = Bar::new(sources.iter().map(Source::bytes).sum());
    progress::print(&format!("running {}", function.display()));
    progress::print(&format!("writing to {}", output.folder().display()));
    let mut batches = feed(sources, options.source_type, options.limits);
    let mut session = Session::start(options, function, &service, output, progress).await?;
    let stopped = process(&mut batches, &mut session, interrupt).await;
    let served = local.as_ref().map(LocalService::requests);
    let report = session.stop(matches!(stopped, Ok(Stopped::Interrupted)), served).await;
    if let Some(local) = local {
        local.server.stop().await;
    }
    match (report, stopped.err()) {
        (Ok(report), Some(error)) if report.batches == 0 && report.skipped == 0 => Err(error),
        (Ok(report), error) => Ok(Replayed { report, error }),
        (Err(unwritten), error) => Err(error.unwrap_or(unwritten)),
    }
}

/// Checks the start of each file before any is replayed, except of what can be read only once.
fn check(sources: &[Source], source_type: SourceType) -> Result<(), InputError> {
    for source in sources.iter().filter(|source| source.bytes().is_some()) {
        Contents::open(source, source_type, |_| ())?.next().transpose()?;
    }
    Ok(())
}

/// Why a replay stopped without an error.
enum Stopped {
    EndOfInput,
    Interrupted,
}

async fn process(
    fed: &mut mpsc::Receiver<Result<Fed, InputError>>,
    session: &mut Session,
    mut interrupt: Pin<&mut impl Future<Output = ()>>,
) -> Result<Stopped, ReplayError> {
    loop {
        let next = tokio::select! {
            biased;
            () = &mut interrupt => return Ok(Stopped::Interrupted),
            next = fed.recv() => next,
        };
        let batch = match next.transpose()? {
            Some(Fed::Batch(batch)) => batch,
            Some(Fed::Skipped(skipped)) => {
                session.skip(&skipped)?;
                continue;
            }
            None => return Ok(Stopped::EndOfInput),
        };
        tokio::select! {
            biased;
            () = &mut interrupt => {
                Session::discard(&batch);
                return Ok(Stopped::Interrupted);
            }
            done = session.process(&batch) => done?,
        }
    }
}
