//! `clicks up`: runs the whole pipeline on this machine until it is interrupted.

pub(crate) mod options;
pub(crate) mod settings;

mod pipeline;

use std::process::ExitCode;

use tokio::time::Instant;

use self::pipeline::Pipeline;
pub(crate) use self::pipeline::could_not_listen;
use self::settings::Settings;
use crate::flush::{end, flush, print};
use crate::interrupts::Interrupts;
use local_firehose::stream::{Source, StreamSettings};

pub(crate) async fn run(settings: Settings, interrupts: &mut Interrupts) -> anyhow::Result<ExitCode> {
    let pipeline = tokio::select! {
        biased;
        () = interrupts.next() => return Ok(ExitCode::SUCCESS),
        started = Pipeline::start(&settings) => started?,
    };
    print(&addresses(&pipeline, &settings));
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
    Ok(end(stopped, &streams, settings.state.as_deref(), interrupts).await)
}

fn addresses(pipeline: &Pipeline, settings: &Settings) -> String {
    let page = pipeline.page.url();
    let mut lines = vec![("page", format!("{page}/")), ("pipeline", format!("{page}/pipeline/"))];
    lines.extend(settings.click_stream.as_ref().map(|_| ("clicks", format!("{page}/clicks"))));
    lines.extend(settings.collector.as_ref().map(|_| ("collect", format!("{page}/collect"))));
    lines.push(("firehose", pipeline.firehose.url()));
    lines.extend(pipeline.kinesis.as_ref().map(|api| ("kinesis", api.url())));
    lines.push(("mysfits", pipeline.service_url.clone()));
    lines.extend(settings.streams.iter().map(|stream| {
        let StreamSettings { name, destination, source, .. } = stream;
        let ingestion = match source {
            // A configured stream reads none that a caller has created.
            Source::DirectPut | Source::DataStream { .. } => String::new(),
            Source::Kinesis(_) if settings.is_of_collector(name) => format!(" from {page}/collect"),
            Source::Kinesis(_) => format!(" from {page}/v2/{name}"),
        };
        ("stream", format!("{name} into {destination}{ingestion}"))
    }));
    let lines: Vec<String> = lines.into_iter().map(|(name, what)| format!("{name:<10}{what}\n")).collect();
    lines.concat()
}
