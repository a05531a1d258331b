//! `clicks up`: the whole pipeline on this machine, until it is interrupted.

pub(crate) mod options;
pub(crate) mod settings;

mod server;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use futures_util::future::join_all;
use mysfits_service::local::reachable;
use mysfits_service::{LocalError, LocalService};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::server::Server;
use self::settings::{Service, Settings};
use crate::bucket::{Bucket, BucketError};
use crate::edge::{self, SchemaError};
use crate::interrupts::Interrupts;
use crate::processor::{self, ProcessorError, SERVICE_URL};
use crate::site::{self, ServiceAddress, Site};
use crate::stream::{FunctionLog, FunctionLogError, FunctionSettings, Stream, StreamError, Surroundings, View};
use crate::{api, progress, stream};

/// Why the pipeline did not come up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    /// The address is taken, or not of this machine.
    #[error("can't listen on {address} ({cause}): choose another port with `--{option} N`; 0 takes a free one")]
    Listen {
        /// Whose address it is.
        option: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The local service did not start.
    #[error("could not start the local mysfits service; name another one with `--service URL`")]
    Service(#[source] LocalError),
    /// There is no executable.
    #[error(transparent)]
    Processor(#[from] ProcessorError),
    /// The storage can't be opened.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The function's log can't be opened.
    #[error(transparent)]
    FunctionLog(#[from] FunctionLogError),
    /// A stream does not start.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The shape of a click is not one.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A socket that was open is not any more.
    #[error("could not serve")]
    Serve(#[source] io::Error),
}

impl UpError {
    /// Whether the caller asked for something that can't be done.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Bucket(BucketError::NoCredentials(_)))
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All that was accepted is in the storage.
    Through,
    /// Somebody did not want to wait for that.
    GivenUp,
    /// It is not, although nobody interrupted it.
    Failed,
}

/// The pipeline, as it is running.
struct Pipeline {
    page: Server,
    api: Server,
    service: Option<LocalService>,
    service_url: String,
    streams: Vec<Stream>,
    /// Dropped to let the pages go that follow the pipeline.
    stopping: watch::Sender<bool>,
}

/// Runs the pipeline until it is interrupted, and then puts through what was accepted, until it is interrupted again.
pub(crate) async fn run(settings: Settings, interrupts: &mut Interrupts) -> Result<End, UpError> {
    let pipeline = tokio::select! {
        biased;
        () = interrupts.next() => return Ok(End::Through),
        started = start(&settings) => started?,
    };
    print(&addresses(&pipeline, &settings));
    interrupts.next().await;

    let Pipeline { page, api, service, streams, stopping, .. } = pipeline;
    drop(stopping);
    let ended = async {
        // What a client has begun to send is taken.
        tokio::join!(page.stop(), api.stop());
        let through = put_through(&streams).await;
        if let Some(service) = service {
            service.stop().await;
        }
        if through { End::Through } else { End::Failed }
    };
    let end = tokio::select! {
        end = ended => end,
        () = interrupts.next() => {
            streams.iter().for_each(Stream::give_up);
            End::GivenUp
        }
    };
    let left = left(&streams);
    if left > 0 {
        progress::print(&match &settings.state {
            Some(folder) => {
                format!("{left} records are not through: they are kept in {} for the next start", folder.display())
            }
            None => format!("{left} records are not through: they are lost (`--state DIR` would keep them)"),
        });
    }
    print(&streams.iter().map(totals).collect::<Vec<_>>().concat());
    Ok(end)
}

/// All streams at once: one that waits for its storage does not keep the others. Tells whether all is through.
async fn put_through(streams: &[Stream]) -> bool {
    let left = left(streams);
    if left > 0 {
        progress::print(&format!("putting {left} records through; interrupt again to leave at once"));
    }
    join_all(streams.iter().map(Stream::stop)).await.into_iter().all(|through| through)
}

/// The records that are at no end yet.
fn left(streams: &[Stream]) -> u64 {
    streams.iter().map(Stream::left).sum()
}

fn addresses(pipeline: &Pipeline, settings: &Settings) -> String {
    let page = format!("http://{}", reachable(pipeline.page.address()));
    let streams = settings.streams.iter();
    let streams = streams.map(|stream| format!("stream    {} into {}\n", stream.name, stream.destination));
    let streams = streams.collect::<Vec<_>>().concat();
    format!(
        "page      {page}/\npipeline  {page}/pipeline/\nclicks    {page}/clicks\nfirehose  http://{}\nmysfits   {}\n{streams}",
        reachable(pipeline.api.address()),
        pipeline.service_url,
    )
}

fn totals(stream: &Stream) -> String {
    let View { stream, accepted, delivered, dropped, failed, .. } = stream.view();
    format!("{stream}: {accepted} accepted, {delivered} delivered, {dropped} dropped, {failed} failed\n")
}

/// To whoever reads it, who may have read enough.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Listens first, and looks at the folders: building the function takes minutes, and none of this should fail after them.
async fn start(settings: &Settings) -> Result<Pipeline, UpError> {
    let page = bind("port", SocketAddr::new(settings.host, settings.port)).await?;
    let api = bind("firehose-port", SocketAddr::new(settings.host, settings.firehose_port)).await?;
    let (service, service_url, seen_by_the_page) = start_service(settings).await?;
    let streams = start_streams(settings, &service_url).await?;

    let clicks = streams.iter().find(|stream| stream.name() == settings.click_stream);
    let per_second = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let edge = match clicks {
        Some(stream) => edge::router(stream.clone(), per_second(settings.rate), per_second(settings.burst))?,
        // The settings name one that is there.
        None => Router::new(),
    };
    let (stopping, stopped) = watch::channel(false);
    let site =
        Site { web: settings.web.clone(), service: seen_by_the_page, streams: streams.clone(), stopping: stopped };
    Ok(Pipeline {
        page: Server::start(page, site::router(site, edge)).map_err(UpError::Serve)?,
        api: Server::start(api, api::router(streams.clone())).map_err(UpError::Serve)?,
        service,
        service_url,
        streams,
        stopping,
    })
}

/// The service, where it is a local one; its base URL; and the same for the page.
async fn start_service(settings: &Settings) -> Result<(Option<LocalService>, String, ServiceAddress), UpError> {
    match &settings.service {
        Service::Elsewhere { url, page } => Ok((None, url.clone(), page.clone())),
        Service::Local { port, latency } => {
            let address = SocketAddr::new(settings.host, *port);
            let service = LocalService::start_with_latency(address, *latency).await.map_err(|error| match error {
                LocalError::Listen { address, source } => {
                    UpError::Listen { option: "service-port", address, cause: source }
                }
                error => UpError::Service(error),
            })?;
            let (url, page) = (service.base_url(), ServiceAddress::Local(service.address().port()));
            Ok((Some(service), url, page))
        }
    }
}

async fn start_streams(settings: &Settings, service_url: &str) -> Result<Vec<Stream>, UpError> {
    let function_log = Arc::new(FunctionLog::open(&settings.function_log, settings.verbose)?);
    let durable = settings.state.is_some();
    let opened = settings.streams.iter().map(|stream| Bucket::open(&stream.destination, durable));
    let buckets: Vec<Bucket> = opened.collect::<Result<_, _>>()?;
    let needs_the_processor = |function: &FunctionSettings| function.command.is_none();
    let built = if settings.streams.iter().filter_map(|stream| stream.function.as_ref()).any(needs_the_processor) {
        processor::build().await?
    } else {
        PathBuf::new()
    };
    for path in settings.state.iter().flat_map(|folder| stream::left_alone(folder, &settings.streams)) {
        progress::print(&format!("{} is of a stream that is not here: what it holds waits there", path.display()));
    }
    let mut streams = Vec::new();
    for (stream, bucket) in settings.streams.iter().zip(buckets) {
        let function = stream.function.as_ref().map(|function| function_start(function, &built, service_url));
        let around = Surroundings {
            function,
            function_log: Arc::clone(&function_log),
            bucket: Arc::new(bucket),
            state: settings.state.clone(),
        };
        streams.push(Stream::start(stream.clone(), around)?);
    }
    Ok(streams)
}

async fn bind(option: &'static str, address: SocketAddr) -> Result<TcpListener, UpError> {
    TcpListener::bind(address).await.map_err(|cause| UpError::Listen { option, address, cause })
}

fn function_start(function: &FunctionSettings, built: &Path, service_url: &str) -> runtime_api::Settings {
    let (command, args) = match &function.command {
        Some(command) => (command.executable.clone(), command.args.clone()),
        None => (built.to_owned(), Vec::new()),
    };
    let mut start = runtime_api::Settings::new(command).env(SERVICE_URL, service_url);
    start.args = args;
    start.env.extend(function.env.iter().cloned());
    start.memory_mb = function.memory_mb;
    start.timeout = function.timeout;
    start
}
