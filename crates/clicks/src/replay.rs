//! `clicks replay`: files through the function, as Firehose would put them.

mod feed;
mod session;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use mysfits_service::{LocalError, LocalService};
use runtime_api::{InvokeError, StartError};

use self::feed::feed;
use self::session::Session;
use crate::batch::Limits;
use crate::input::{self, Contents, InputError, Source};
use crate::output::{self, Output, OutputError};
use crate::progress::Progress;
use crate::report::Report;

/// What is replayed, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files, folders, and `-` for standard input.
    pub inputs: Vec<PathBuf>,
    /// The function's executable.
    pub function: PathBuf,
    /// The mysfits service's base URL; without one, a local service is started.
    pub service: Option<String>,
    /// What the local service waits before each answer.
    pub service_latency: Duration,
    /// The function's environment, besides the service's URL. The last of several values counts.
    pub env: Vec<(String, String)>,
    /// Where the objects go; without it, to a folder named after the time.
    pub out: Option<PathBuf>,
    /// When a batch is full.
    pub limits: Limits,
    /// How often a failed invocation is tried again.
    pub retries: u32,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// Whether the function's log is shown, too.
    pub verbose: bool,
}

/// A replay that got as far as putting something through.
#[derive(Debug)]
pub struct Replayed {
    /// What came of it.
    pub report: Report,
    /// Why it did not get further, where it didn't; an interrupt is not an error.
    pub error: Option<ReplayError>,
}

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Something to replay is not what it should be.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The objects can't be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The local service did not start.
    #[error("could not start the local mysfits service; name another one with `--service URL`")]
    Service(#[from] LocalError),
    /// The function's process could not be run.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The function never asked for an event.
    #[error("the function {how} before it asked for an event; its last lines:\n{lines}")]
    NotStarted {
        /// What it did instead.
        how: String,
        /// What it wrote.
        lines: String,
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
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Input(_) | Self::Output(OutputError::NotEmpty(_)))
    }
}

/// Replays until the input ends, or `interrupt` does. The event in hand is then given up: its records are in no number and no
/// object, as if they had not been read.
pub async fn run(options: Options, interrupt: impl Future<Output = ()>) -> Result<Replayed, ReplayError> {
    let mut interrupt = pin!(interrupt);
    let sources = input::find(&options.inputs)?;
    check(&sources)?;
    let folder = options.out.clone().unwrap_or_else(|| output::default_folder(Timestamp::now()));
    let output = Output::create(folder)?;
    let progress = Progress::new(sources.iter().map(Source::bytes).sum());
    progress.line(&format!("writing to {}", output.folder().display()));

    let local = if options.service.is_none() {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Some(LocalService::start_with_latency(any_port, options.service_latency).await?)
    } else {
        None
    };
    let service = options.service.clone().or(local.as_ref().map(LocalService::base_url)).unwrap_or_default();
    let mut events = feed(sources, options.limits, progress.clone());
    let mut session = Session::start(options, service, output, progress.clone()).await?;

    let mut interrupted = false;
    let mut error = None;
    while error.is_none() {
        let next = async {
            match events.recv().await {
                Some(event) => session.put_through(&event?).await.map(|()| true),
                None => Ok(false),
            }
        };
        tokio::select! {
            biased;
            () = &mut interrupt => {
                interrupted = true;
                break;
            }
            went_on = next => match went_on {
                Ok(true) => {}
                Ok(false) => break,
                Err(reason) => error = Some(reason),
            },
        }
    }
    progress.finish();
    let report = session.stop(interrupted).await;
    if let Some(local) = local {
        local.stop().await;
    }
    match (report, error) {
        (Ok(report), Some(error)) if report.batches == 0 => Err(error),
        (Ok(report), error) => Ok(Replayed { report, error }),
        (Err(unwritten), error) => Err(error.unwrap_or(unwritten)),
    }
}

/// Finds unknown files before anything is put through, by what comes first in each. Standard input can be read only once.
fn check(sources: &[Source]) -> Result<(), InputError> {
    for source in sources.iter().filter(|source| **source != Source::Stdin) {
        Contents::open(source, |_| ())?.next().transpose()?;
    }
    Ok(())
}
