//! `clicks up`: runs the whole pipeline on this machine until it is interrupted.

pub(crate) mod options;
pub(crate) mod settings;

mod pipeline;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use self::pipeline::Pipeline;
use self::settings::Settings;
use crate::interrupts::Interrupts;
use crate::progress;
use local_firehose::stream::{DeliveryStream, Source, StreamSettings, StreamSnapshot};

const POLL: Duration = Duration::from_millis(100);

/// The least time for the first object of a run, even with a shorter `--stop-seconds`.
const FIRST_PUT: Duration = Duration::from_secs(10);

/// A second interrupt, or the time of a destination that has accepted no object, ends the flush (exit codes 130 and 1).
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
        let flushed = flush(&streams, deadline, &settings).await;
        if let Some(service) = service {
            service.server.stop().await;
        }
        if flushed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    };
    let result = tokio::select! {
        result = stopped => result,
        () = interrupts.next() => {
            streams.iter().for_each(DeliveryStream::abandon);
            ExitCode::from(130)
        }
    };
    let left = left(&streams);
    if left > 0 {
        progress::print(&match &settings.state {
            Some(folder) => {
                format!("{left} records were not flushed; {} keeps them for the next start", folder.display())
            }
            None => format!("{left} records were not flushed and are lost (`--state DIR` would keep them)"),
        });
    }
    print(&streams.iter().map(totals).collect::<Vec<_>>().concat());
    Ok(result)
}

async fn flush(streams: &[DeliveryStream], deadline: Instant, settings: &Settings) -> bool {
    let left = left(streams);
    if left > 0 {
        progress::print(&format!("flushing {left} records; press Ctrl-C again to exit at once"));
    }
    let stopped = streams.iter().map(|stream| async move {
        tokio::select! {
            flushed = stream.stop() => flushed,
            why = unavailable(stream, streams, deadline, settings.stop_within) => {
                stream.abandon();
                let after = settings.stop_within.as_secs();
                progress::print(&format!("{}: {why}; stopped after {after} s (`--stop-seconds`)", stream.name()));
                false
            }
        }
    });
    join_all(stopped).await.into_iter().all(|flushed| flushed)
}

/// A destination that has accepted no object is perhaps misspelt; any other may recover. The time begins with the first object.
async fn unavailable(
    stream: &DeliveryStream,
    streams: &[DeliveryStream],
    deadline: Instant,
    stop_within: Duration,
) -> String {
    sleep_until(deadline).await;
    let first_put = loop {
        match stream.snapshot().first_upload {
            Some(at) => break at,
            None if stream.is_function_unavailable() => return "this machine can't run the function".to_owned(),
            None => sleep(POLL).await,
        }
    };
    sleep_until(first_put + stop_within).await;
    while !stream.snapshot().has_refused && first_put.elapsed() < FIRST_PUT {
        sleep(POLL).await;
    }
    let destination = &stream.settings().destination;
    let has_accepted =
        |other: &DeliveryStream| other.settings().destination == *destination && !other.snapshot().objects.is_empty();
    if stream.unsettled() == 0 || streams.iter().any(has_accepted) {
        std::future::pending::<()>().await;
    }
    format!("{destination} has accepted no object of this run")
}

fn left(streams: &[DeliveryStream]) -> u64 {
    streams.iter().map(DeliveryStream::unsettled).sum()
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
            Source::DirectPut => String::new(),
            Source::Kinesis(_) if settings.is_of_collector(name) => format!(" from {page}/collect"),
            Source::Kinesis(_) => format!(" from {page}/v2/{name}"),
        };
        ("stream", format!("{name} into {destination}{ingestion}"))
    }));
    let lines: Vec<String> = lines.into_iter().map(|(name, what)| format!("{name:<10}{what}\n")).collect();
    lines.concat()
}

fn totals(stream: &DeliveryStream) -> String {
    let StreamSnapshot { stream, accepted, delivered, dropped, failed, .. } = stream.snapshot();
    format!("{stream}: {accepted} accepted, {delivered} delivered, {dropped} dropped, {failed} failed\n")
}

fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
