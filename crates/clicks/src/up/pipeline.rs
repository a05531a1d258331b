//! Starts the parts of the pipeline: servers, functions and streams.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use governor::Quota;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::settings::{CollectorSettings, Service, Settings};
use crate::collector::Collector;
use crate::edge::{self, Integrations};
use crate::packages::{self, COLLECTOR, COLLECTOR_STREAM, PROCESSOR, SERVICE_URL};
use crate::progress;
use crate::server::Server;
use crate::service::{LocalService, Responses};
use crate::site::{self, ServiceAddress, Site};
use local_firehose::api;
use local_firehose::functions::FunctionLog;
use local_firehose::stream::{self, Command, DataStream, DeliveryStream, FunctionSettings, Source, StreamDeps};
use object_storage::Bucket;

pub(super) struct Pipeline {
    pub(super) page: Server,
    pub(super) firehose: Server,
    pub(super) kinesis: Option<Server>,
    pub(super) collector: Option<Collector>,
    pub(super) service: Option<LocalService>,
    pub(super) service_url: String,
    pub(super) streams: Vec<DeliveryStream>,
    /// Dropped to end the event streams of pages.
    pub(super) stopping: watch::Sender<bool>,
}

impl Pipeline {
    /// Opens ports and folders first: a build of a function takes minutes, and an error should be reported before.
    pub(super) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let page = bind("port", SocketAddr::new(settings.host, settings.port)).await?;
        let firehose = bind("firehose-port", SocketAddr::new(settings.host, settings.firehose_port)).await?;
        let kinesis = if settings.streams.iter().any(|stream| stream.source != Source::DirectPut) {
            Some(bind("kinesis-port", SocketAddr::new(settings.host, settings.kinesis_port)).await?)
        } else {
            None
        };
        let (service, service_url, service_of_page) = start_service(settings).await?;
        let function_log = Arc::new(FunctionLog::open(&settings.function_log, settings.verbose)?);
        let streams = start_streams(settings, &service_url, &function_log).await?;

        let data_streams: Vec<DataStream> = streams.iter().filter_map(DataStream::read_by).collect();
        let serve = |listener, app| Server::start(listener, app).context("could not serve");
        let kinesis = kinesis.map(|listener| serve(listener, api::kinesis::router(&data_streams))).transpose()?;
        let collector = match (&settings.collector, &kinesis) {
            (Some(collector), Some(kinesis)) => {
                let start = collector_start(collector, kinesis).await?;
                Some(Collector::new(start, collector.concurrency, Arc::clone(&function_log)))
            }
            // Never: the settings require a data stream for it.
            _ => None,
        };
        let non_zero = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let edge = edge::router(Integrations {
            clicks: streams.iter().find(|stream| settings.click_stream.as_deref() == Some(stream.name())).cloned(),
            streams: data_streams.into_iter().filter(|stream| !settings.is_of_collector(stream.name())).collect(),
            collector: collector.clone(),
            rate: Quota::per_second(non_zero(settings.rate)).allow_burst(non_zero(settings.burst)),
        })?;
        let (stopping, stopped) = watch::channel(false);
        let site =
            Site { web: settings.web.clone(), service: service_of_page, streams: streams.clone(), stopping: stopped };
        Ok(Self {
            page: serve(page, site::router(site, edge))?,
            firehose: serve(firehose, api::firehose::router(streams.clone()))?,
            kinesis,
            collector,
            service,
            service_url,
            streams,
            stopping,
        })
    }
}

async fn start_service(settings: &Settings) -> anyhow::Result<(Option<LocalService>, String, ServiceAddress)> {
    match &settings.service {
        Service::External { url, page } => Ok((None, url.clone(), page.clone())),
        Service::Local { port, latency, files } => {
            let address = SocketAddr::new(settings.host, *port);
            let responses = files.as_deref().map(Responses::of_folder).transpose()?;
            let responses = responses.unwrap_or_else(Responses::mysfits);
            let service = LocalService::start(responses, address, *latency).await;
            let service = service.map_err(|cause| could_not_listen("service-port", address, &cause))?;
            let (url, page) = (service.server.url(), ServiceAddress::Local(service.server.address().port()));
            Ok((Some(service), url, page))
        }
    }
}

async fn start_streams(
    settings: &Settings,
    service_url: &str,
    function_log: &Arc<FunctionLog>,
) -> anyhow::Result<Vec<DeliveryStream>> {
    let durable = settings.state.is_some();
    let opened = settings.streams.iter().map(|stream| Bucket::open(&stream.destination, durable));
    let buckets: Vec<Bucket> = opened.collect::<Result<_, _>>()?;
    let is_processor = |function: &FunctionSettings| function.command.is_none();
    let built = if settings.streams.iter().filter_map(|stream| stream.function.as_ref()).any(is_processor) {
        packages::build(PROCESSOR).await?
    } else {
        PathBuf::new()
    };
    for path in settings.state.iter().flat_map(|folder| stream::unused_state_files(folder, &settings.streams)) {
        progress::print(&format!(
            "{} belongs to a stream that is not configured; its records stay there",
            path.display()
        ));
    }
    for folder in settings.state.iter().filter(|folder| state_file::is_open_to_others(folder)) {
        let folder = folder.display();
        progress::print(&format!(
            "{folder} (`--state`): found permissions for other users; accepted is a folder of one user (`chmod 700 {folder}`)"
        ));
    }
    let mut streams = Vec::new();
    for (stream, bucket) in settings.streams.iter().zip(buckets) {
        let function = stream.function.as_ref().map(|function| function_start(function, &built, service_url));
        let deps = StreamDeps {
            function,
            function_log: Arc::clone(function_log),
            bucket: Arc::new(bucket),
            state: settings.state.clone(),
        };
        streams.push(DeliveryStream::start(stream.clone(), deps)?);
    }
    Ok(streams)
}

async fn bind(option: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|cause| could_not_listen(option, address, &cause))
}

fn could_not_listen(option: &str, address: SocketAddr, cause: &io::Error) -> anyhow::Error {
    anyhow!("could not listen on {address} ({cause}); choose another port with `--{option} N`, or 0 for any free one")
}

fn function_start(function: &FunctionSettings, built: &Path, service_url: &str) -> runtime_api::Settings {
    let mut start = command_start(function.command.as_ref(), built).env(SERVICE_URL, service_url);
    start.env.extend(function.env.iter().cloned());
    start.memory_mb = function.memory_mb;
    start.timeout = function.timeout;
    start
}

/// The collector finds the local Kinesis by the variables of its SDK.
async fn collector_start(collector: &CollectorSettings, kinesis: &Server) -> anyhow::Result<runtime_api::Settings> {
    let built = match collector.command {
        Some(_) => PathBuf::new(),
        None => packages::build(COLLECTOR).await?,
    };
    let mut start = command_start(collector.command.as_ref(), &built);
    start.env.extend(collector.env.iter().cloned());
    COLLECTOR.name.clone_into(&mut start.function_name);
    start.timeout = collector.timeout;
    Ok(start
        .env(COLLECTOR_STREAM, &collector.stream)
        .env("AWS_ENDPOINT_URL_KINESIS", kinesis.url())
        // Any credentials are valid, and an SDK needs some.
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local"))
}

fn command_start(command: Option<&Command>, built: &Path) -> runtime_api::Settings {
    let mut start = runtime_api::Settings::new(command.map_or(built, |command| &command.executable));
    PROCESSOR.name.clone_into(&mut start.function_name);
    if let Some(command) = command {
        start.args.clone_from(&command.args);
    }
    start
}
