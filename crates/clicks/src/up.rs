//! `clicks up`: runs the whole pipeline on this machine until it is interrupted.

pub(crate) mod options;
pub(crate) mod settings;

mod json;
mod pipeline;

use std::process::ExitCode;

use tokio::time::Instant;

use self::json::{JsonLines, Ready, ReadyStream};
use self::pipeline::Pipeline;
pub(crate) use self::pipeline::could_not_listen;
use self::settings::Settings;
use crate::flush::{end, flush, print, print_totals};
use crate::interrupts::Interrupts;
use local_firehose::stream::{Source, StreamSettings};

pub(crate) async fn run(settings: Settings, interrupts: &mut Interrupts) -> anyhow::Result<ExitCode> {
    let mut pipeline = tokio::select! {
        biased;
        () = interrupts.next() => return Ok(ExitCode::SUCCESS),
        started = Pipeline::start(&settings) => started?,
    };
    let json = pipeline.notices.take().map(|notices| JsonLines::start(&ready(&pipeline, &settings), notices));
    if json.is_none() {
        print(&addresses(&pipeline, &settings));
    }
    interrupts.next().await;
    let deadline = Instant::now() + settings.stop_within;

    let Pipeline { page, firehose, kinesis, collector, service, streams, stopping, .. } = pipeline;
    drop(stopping);
    let stopped = async {
        // Requests in flight are accepted. The collector's still need Kinesis, with or without their clients.
        tokio::join!(page.stop(), firehose.stop());
        if let Some(collector) = collector {
            collector.stop().await;
        }
        if let Some(kinesis) = kinesis {
            kinesis.stop().await;
        }
        let flushed = flush(&streams.by_age(), deadline, settings.stop_within).await;
        if let Some(service) = service {
            service.server.stop().await;
        }
        flushed
    };
    let code = end(stopped, &streams, settings.state.as_deref(), interrupts).await;
    match json {
        Some(json) => json.stop(&streams).await,
        None => print_totals(&streams),
    }
    Ok(code)
}

/// The addresses by name.
fn endpoints(pipeline: &Pipeline, settings: &Settings) -> Vec<(&'static str, String)> {
    let page = pipeline.page.url();
    let mut endpoints = vec![("page", format!("{page}/")), ("pipeline", format!("{page}/pipeline/"))];
    endpoints.extend(settings.click_stream.as_ref().map(|_| ("clicks", format!("{page}/clicks"))));
    endpoints.extend(settings.collector.as_ref().map(|_| ("collect", format!("{page}/collect"))));
    endpoints.push(("firehose", pipeline.firehose.url()));
    endpoints.extend(pipeline.kinesis.as_ref().map(|api| ("kinesis", api.url())));
    endpoints.push(("mysfits", pipeline.service_url.clone()));
    endpoints
}

/// The edge's URL for the records of a data stream.
fn ingestion_url(
    page: &str,
    StreamSettings { name, source, .. }: &StreamSettings,
    settings: &Settings,
) -> Option<String> {
    match source {
        // A configured stream reads none that a caller has created.
        Source::DirectPut | Source::DataStream { .. } => None,
        Source::Kinesis(_) if settings.is_of_collector(name) => Some(format!("{page}/collect")),
        Source::Kinesis(_) => Some(format!("{page}/v2/{name}")),
    }
}

fn addresses(pipeline: &Pipeline, settings: &Settings) -> String {
    let page = pipeline.page.url();
    let mut lines = endpoints(pipeline, settings);
    lines.extend(settings.streams.iter().map(|stream| {
        let ingestion = ingestion_url(&page, stream, settings).map(|url| format!(" from {url}")).unwrap_or_default();
        ("stream", format!("{} into {}{ingestion}", stream.name, stream.destination))
    }));
    let lines: Vec<String> = lines.into_iter().map(|(name, what)| format!("{name:<10}{what}\n")).collect();
    lines.concat()
}

fn ready<'a>(pipeline: &Pipeline, settings: &'a Settings) -> Ready<'a> {
    let page = pipeline.page.url();
    let streams = settings.streams.iter().map(|stream| ReadyStream {
        stream: &stream.name,
        destination: stream.destination.to_string(),
        ingestion_url: ingestion_url(&page, stream, settings),
    });
    Ready { addresses: endpoints(pipeline, settings).into_iter().collect(), streams: streams.collect() }
}
