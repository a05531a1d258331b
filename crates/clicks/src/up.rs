//! `clicks up`: runs the whole pipeline on this machine until it is interrupted.

pub(crate) mod options;
pub(crate) mod settings;

mod json;
mod pipeline;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::json::{JsonLines, Ready, ReadyStream};
use self::pipeline::Pipeline;
use self::settings::Settings;
use crate::edge::Collector;
use crate::flush::{end, flush, print};
use crate::interrupts::Interrupts;
use crate::listen::warn_beyond_loopback;
use crate::progress::Bar;
use crate::totals;
use local_firehose::registry::Registry;
use local_firehose::stream::StreamSettings;

const STATUS_PERIOD: Duration = Duration::from_millis(500);

pub(crate) async fn run(settings: Settings, interrupts: &mut Interrupts) -> anyhow::Result<ExitCode> {
    let mut pipeline = tokio::select! {
        biased;
        () = interrupts.next() => return Ok(ExitCode::SUCCESS),
        started = Pipeline::start(&settings) => started?,
    };
    warn_beyond_loopback(settings.host);
    let json = pipeline.notices.take().map(|notices| JsonLines::start(&ready(&pipeline, &settings), notices));
    if json.is_none() {
        print(&addresses(&pipeline, &settings));
    }
    let streams = pipeline.streams.clone();
    let collector = pipeline.collector.clone();
    let run = until_stopped(pipeline, &settings, interrupts);
    if let Some(json) = json {
        // A status would be among its lines, if both are on one terminal.
        let code = run.await;
        json.stop(&streams).await;
        return Ok(code);
    }
    let code = with_status(&streams, collector, run).await;
    print(&totals::report(&streams));
    Ok(code)
}

async fn until_stopped(pipeline: Pipeline, settings: &Settings, interrupts: &mut Interrupts) -> ExitCode {
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
    end(stopped, &streams, settings.state.as_deref(), interrupts).await
}

/// Shows the numbers of all streams in the last line of a terminal until `run` is done.
async fn with_status<T>(streams: &Registry, collector: Option<Arc<Collector>>, run: impl Future<Output = T>) -> T {
    let line = Bar::status();
    let update = async {
        loop {
            let refused = collector.as_ref().map_or(0, |collector| collector.counts().refused.total());
            line.0.set_message(totals::status(streams, refused));
            sleep(STATUS_PERIOD).await;
        }
    };
    if line.0.is_hidden() {
        return run.await;
    }
    tokio::select! {
        biased;
        done = run => done,
        () = update => unreachable!("it has no end"),
    }
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

/// The edge's URL for the records of a data stream. That of clicks is among the addresses.
fn ingestion_url(page: &str, stream: &StreamSettings, settings: &Settings) -> Option<String> {
    stream.data_stream()?;
    Some(format!("{page}{}", settings.ingestion_paths().of(stream)?))
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
