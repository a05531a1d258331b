//! Starts the parts of the pipeline: servers, functions and streams.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use governor::Quota;
use runtime_api::FunctionSettings;
use tokio::sync::{broadcast, watch};
use tokio::task::spawn_blocking;

use super::settings::{CollectorSettings, Service, Settings};
use crate::edge::{self, Collector};
use crate::listen::{bind, could_not_listen};
use crate::packages::{self, COLLECTOR, COLLECTOR_STREAM, PROCESSOR};
use crate::service::{self, MysfitsFileServer};
use crate::site::{self, ServiceAddress, Site};
use crate::state;
use local_firehose::api::{self, Api};
use local_firehose::control::{Control, ControlOptions, Root};
use local_firehose::functions::FunctionLog;
use local_firehose::http::HttpServer;
use local_firehose::registry::Registry;
use local_firehose::stream::{DeliveryStream, Notice, RecordMemory, Source};
use object_storage::{Bucket, BucketError, Destination};

pub(super) struct Pipeline {
    pub(super) page: HttpServer,
    pub(super) firehose: HttpServer,
    pub(super) kinesis: Option<HttpServer>,
    pub(super) collector: Option<Arc<Collector>>,
    pub(super) service: Option<MysfitsFileServer>,
    pub(super) service_url: String,
    pub(super) streams: Registry,
    /// From before the first stream starts. Only for `--json`.
    pub(super) notices: Option<broadcast::Receiver<Notice>>,
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
        let streams = Registry::new(RecordMemory::new(settings.recent_records_bytes));
        let notices = settings.json.then(|| streams.notices().subscribe());
        let control = start_streams(settings, &service_url, streams.clone(), &function_log).await?;

        let serve = |listener, app| HttpServer::start(listener, app).context("could not serve");
        let kinesis = kinesis.map(|listener| serve(listener, api::router(&control, Api::Kinesis))).transpose()?;
        let collector = match (&settings.collector, &kinesis) {
            (Some(collector), Some(kinesis)) => {
                let start = collector_start(collector, kinesis).await?;
                Some(Collector::new(start, collector.concurrency, Arc::clone(&function_log)))
            }
            // Never: the settings require a data stream for it.
            _ => None,
        };
        let non_zero = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let rate = Quota::per_second(non_zero(settings.rate)).allow_burst(non_zero(settings.burst));
        let clicks = settings.click_stream.as_deref().and_then(|name| streams.get(name));
        // Only the collector puts into its stream.
        let data_streams = streams.data_streams().into_iter();
        let routed = data_streams.filter(|stream| !settings.is_of_collector(stream.name())).collect();
        let edge = edge::router(clicks, routed, collector.clone(), rate, control.body_memory())?;
        let (stopping, stopped) = watch::channel(false);
        let site = Site {
            pages: settings.pages.clone(),
            service: service_of_page,
            streams: streams.clone(),
            collector: collector.clone(),
            ingestion_paths: settings.ingestion_paths(),
            stopping: stopped,
        };
        Ok(Self {
            page: serve(page, site::router(site, edge))?,
            firehose: serve(firehose, api::router(&control, Api::Firehose))?,
            kinesis,
            collector,
            service,
            service_url,
            streams,
            notices,
            stopping,
        })
    }
}

async fn start_service(settings: &Settings) -> anyhow::Result<(Option<MysfitsFileServer>, String, ServiceAddress)> {
    match &settings.service {
        Service::External { url, page } => Ok((None, url.clone(), page.clone())),
        Service::Local { port, latency, files } => {
            let address = SocketAddr::new(settings.host, *port);
            let service = MysfitsFileServer::start(service::responses(files.as_deref())?, address, *latency).await;
            let service = service.map_err(|cause| could_not_listen("service-port", address, &cause))?;
            let (url, page) = (service.server.url(), ServiceAddress::Local(service.server.address().port()));
            Ok((Some(service), url, page))
        }
    }
}

async fn start_streams(
    settings: &Settings,
    service_url: &str,
    streams: Registry,
    function_log: &Arc<FunctionLog>,
) -> anyhow::Result<Control> {
    let durable = settings.state.is_some();
    if let Some(state) = &settings.state {
        Control::check_names(state, settings.streams.iter().map(|stream| stream.name.as_str()))?;
    }
    let destinations: Vec<Destination> = settings.streams.iter().map(|stream| stream.destination.clone()).collect();
    let open = move || destinations.iter().map(|destination| Bucket::open(destination, durable)).collect();
    let buckets: Vec<Bucket> = spawn_blocking::<_, Result<_, BucketError>>(open).await??;
    let built = if settings.streams.iter().filter_map(|stream| stream.function.as_ref()).any(is_unbuilt) {
        packages::executable_of(PROCESSOR).await?
    } else {
        PathBuf::new()
    };
    for (stream, bucket) in settings.streams.iter().zip(buckets) {
        let mut stream = stream.clone();
        if let Some(function) = &mut stream.function {
            if is_unbuilt(function) {
                function.command.clone_from(&built);
            }
            // A named function may set another service.
            function.env.splice(..0, packages::of_service(service_url)).for_each(drop);
        }
        let deps = streams.deps(Arc::clone(function_log));
        streams.add(DeliveryStream::start(stream, Arc::new(bucket), deps, settings.state.as_deref())?)?;
    }
    let configured: Vec<&Destination> = settings.streams.iter().map(|stream| &stream.destination).collect();
    let options = ControlOptions {
        root: root_beside(&configured),
        functions: settings.functions.clone(),
        state: settings.state.clone(),
        retention_bytes: settings.retention_bytes,
    };
    let control = Control::open(streams, options, Arc::clone(function_log)).await?;
    if let Some(folder) = &settings.state {
        state::report(folder, control.streams());
    }
    Ok(control)
}

/// Where the buckets of streams are that callers create: beside that of the first configured stream, and in none of theirs.
fn root_beside(configured: &[&Destination]) -> Root {
    let folder = match configured.first() {
        Some(Destination::S3 { endpoint, .. }) => return Root::S3 { endpoint: endpoint.clone() },
        Some(Destination::Folder(folder)) => folder.as_path(),
        // Never: the settings have a stream.
        None => Path::new("out/bucket"),
    };
    let mut root = match folder.file_name() {
        Some(_) => folder.with_file_name("buckets"),
        // Such as `.`.
        None => folder.join("../buckets"),
    };
    while configured.iter().any(|other| matches!(other, Destination::Folder(other) if *other == root)) {
        root.as_mut_os_string().push("-created");
    }
    Root::Folder(root)
}

/// The collector finds the local Kinesis by the variables of its SDK.
async fn collector_start(collector: &CollectorSettings, kinesis: &HttpServer) -> anyhow::Result<FunctionSettings> {
    let mut start = collector.function.clone();
    if is_unbuilt(&start) {
        start.command = packages::executable_of(COLLECTOR).await?;
    }
    Ok(start
        .env(COLLECTOR_STREAM, &collector.stream)
        .env("AWS_ENDPOINT_URL_KINESIS", kinesis.url())
        // Any credentials are valid, and an SDK needs some.
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local"))
}

/// Whether the function is the one of this project, which is built or found at the start.
fn is_unbuilt(function: &FunctionSettings) -> bool {
    function.command.as_os_str().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn created_streams_have_buckets_beside_the_configured_ones() {
        let folder = |path: &str| Destination::Folder(path.into());
        for (configured, root) in [
            (&["out/bucket"][..], "out/buckets"),
            (&["a/b/c", "d"], "a/b/buckets"),
            (&["bucket", "buckets"], "buckets-created"),
            (&["."], "./../buckets"),
        ] {
            let all: Vec<Destination> = configured.iter().copied().map(folder).collect();
            assert_eq!(root_beside(&all.iter().collect::<Vec<_>>()), Root::Folder(root.into()), "{configured:?}");
        }
        let endpoint = Some("http://127.0.0.1:9000".to_owned());
        let s3 = Destination::S3 { bucket: "bucket".to_owned(), endpoint: endpoint.clone() };
        assert_eq!(root_beside(&[&s3]), Root::S3 { endpoint });
    }
}
