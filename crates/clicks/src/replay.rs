//! `clicks replay`: processes the records of files with the function, as Firehose would.

mod feed;
mod options;
mod report;
mod session;

use std::env;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;
use jiff::Timestamp;
use runtime_api::FunctionSettings;
use tokio::sync::mpsc;

use self::feed::{Fed, feed};
use self::report::Report;
use self::session::Session;
use crate::error::UsageError;
use crate::function_command;
use crate::input::{self, Contents, Input};
use crate::output::{self, Output};
use crate::packages::{self, PROCESSOR};
use crate::progress::Bar;
use crate::service::{self, MysfitsFileServer, Responses};
use crate::up::options::{ServiceUrl, SourceKind};
use firehose_model::batch::Limits;
use firehose_model::source::SourceType;
use service_kit::count::records;

pub(crate) use self::options::Replay;

pub(crate) struct Replayed {
    pub(crate) report: Report,
    /// Why it stopped early; none after an interrupt.
    pub(crate) error: Option<anyhow::Error>,
}

/// An interrupt discards the batch in flight: no number and no object has its records.
pub(crate) async fn run(options: Replay, interrupt: impl Future<Output = ()>) -> anyhow::Result<Replayed> {
    let mut interrupt = pin!(interrupt);
    let source_type = match options.source {
        SourceKind::DirectPut => SourceType::DirectPut,
        SourceKind::Kinesis => SourceType::Kinesis,
    };
    // Check all options before a build, which can take minutes.
    let inputs = input::find(&options.inputs)?;
    check(&inputs, source_type)?;
    let named = options.function.as_deref().map(named_function).transpose()?;
    let responses = service::responses(options.service_files.as_deref())?;
    let output = Output::create(options.out.clone().unwrap_or_else(|| output::default_folder(Timestamp::now())))?;

    let Some(function) = function_or_interrupt(named, interrupt.as_mut()).await? else {
        let report = Report { interrupted: true, out: output.folder, ..Report::default() };
        return Ok(Replayed { report, error: None });
    };
    let (local, service) = start_service(&options, responses).await?;

    let progress = Bar::new(inputs.iter().map(Input::bytes).sum());
    tracing::info!("running {}", function.command.display());
    tracing::info!("writing to {}", output.folder.display());
    let limits = Limits::new(options.buffer_mb, options.buffer_records as usize);
    let mut batches = feed(inputs, source_type, limits, progress.0.clone());
    let mut session = Session::start(options, function, &service, output, progress).await?;
    let interrupted = process(&mut batches, &mut session, interrupt).await;
    let served = local.as_ref().map(MysfitsFileServer::requests);
    let report = session.stop(matches!(interrupted, Ok(true)), served).await;
    if let Some(local) = local {
        local.server.stop().await;
    }
    match (report, interrupted.err()) {
        (Ok(report), Some(error)) if report.batches == 0 && report.skipped == 0 => Err(error),
        (Ok(report), error) => Ok(Replayed { report, error }),
        (Err(unwritten), error) => Err(error.unwrap_or(unwritten)),
    }
}

fn named_function(command: &str) -> Result<FunctionSettings, UsageError> {
    let path = env::var_os("PATH").unwrap_or_default();
    function_command::parse("`--function`", command, &|word| function_command::executable(word, &path))
}

/// Without a named function, that of this project, unless an interrupt stops its build.
async fn function_or_interrupt(
    named: Option<FunctionSettings>,
    interrupt: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Option<FunctionSettings>> {
    if named.is_some() {
        return Ok(named);
    }
    tokio::select! {
        biased;
        () = interrupt => Ok(None),
        found = packages::executable_of(PROCESSOR) => Ok(Some(FunctionSettings::new(found?))),
    }
}

/// The local service, unless the options name another one, and the URL.
async fn start_service(options: &Replay, responses: Responses) -> anyhow::Result<(Option<MysfitsFileServer>, String)> {
    if let Some(ServiceUrl(url)) = &options.service {
        return Ok((None, url.clone()));
    }
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let latency = Duration::from_millis(options.service_latency_ms);
    let local = MysfitsFileServer::start(responses, any_port, latency).await;
    let local = local.context("could not start the local service; to use another one, name it (`--service URL`)")?;
    let url = local.server.url();
    Ok((Some(local), url))
}

/// Checks the start of each file before any is replayed, except of what can be read only once.
fn check(inputs: &[Input], source_type: SourceType) -> Result<(), UsageError> {
    for input in inputs.iter().filter(|input| input.bytes().is_some()) {
        Contents::open(input, source_type, &ProgressBar::hidden())?.next().transpose()?;
    }
    Ok(())
}

async fn process(
    fed: &mut mpsc::Receiver<Result<Fed, UsageError>>,
    session: &mut Session,
    mut interrupt: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<bool> {
    loop {
        let next = tokio::select! {
            biased;
            () = &mut interrupt => return Ok(true),
            next = fed.recv() => next,
        };
        let Some(Fed { skipped, event }) = next.transpose()? else { return Ok(false) };
        session.skip(&skipped)?;
        let Some(event) = event else { continue };
        tokio::select! {
            biased;
            () = &mut interrupt => {
                tracing::info!("interrupted: the batch in flight was discarded ({})", records(event.records.len() as u64));
                return Ok(true);
            }
            done = session.process(&event) => done?,
        }
    }
}
