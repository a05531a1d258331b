//! `clicks up`: the whole pipeline on this machine, until it is interrupted.

pub(crate) mod options;
pub(crate) mod settings;

mod pipeline;
mod server;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use mysfits_service::LocalError;
use mysfits_service::local::reachable;
use tokio::time::{Instant, sleep, sleep_until};

use self::pipeline::Pipeline;
use self::settings::Settings;
use crate::edge::SchemaError;
use crate::interrupts::Interrupts;
use crate::packages::BuildError;
use crate::progress;
use local_firehose::functions::FunctionLogError;
use local_firehose::stream::{Source, Stream, StreamError, StreamSettings, View};
use object_storage::BucketError;

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
    Build(#[from] BuildError),
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

/// How often a state is looked at that is waited for.
const POLL: Duration = Duration::from_millis(100);

/// How long the first object of a run may take, however short `--stop-seconds` is.
const FIRST_PUT: Duration = Duration::from_secs(10);

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

/// Runs the pipeline until it is interrupted, and then puts through what was accepted, until it is interrupted again, or until
/// it has waited long enough for a destination that has never worked.
pub(crate) async fn run(settings: Settings, interrupts: &mut Interrupts) -> Result<End, UpError> {
    let pipeline = tokio::select! {
        biased;
        () = interrupts.next() => return Ok(End::Through),
        started = Pipeline::start(&settings) => started?,
    };
    print(&addresses(&pipeline, &settings));
    interrupts.next().await;
    let patience = Instant::now() + settings.stop_within;

    let Pipeline { page, firehose, kinesis, collector, service, streams, stopping, .. } = pipeline;
    drop(stopping);
    let ended = async {
        // What a client has begun to send is taken. A request that the collector has still needs Kinesis, whether or not its
        // client is there.
        tokio::join!(page.stop(), firehose.stop());
        if let Some(collector) = collector {
            collector.stop().await;
        }
        if let Some(kinesis) = kinesis {
            kinesis.stop().await;
        }
        let through = put_through(&streams, patience, &settings).await;
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
async fn put_through(streams: &[Stream], patience: Instant, settings: &Settings) -> bool {
    let left = left(streams);
    if left > 0 {
        progress::print(&format!("putting {left} records through; interrupt again to leave at once"));
    }
    let stopped = streams.iter().map(|stream| async move {
        tokio::select! {
            through = stream.stop() => through,
            why = hopeless(stream, streams, patience, settings.stop_within) => {
                stream.give_up();
                let after = settings.stop_within.as_secs();
                progress::print(&format!("{}: {why}: gave up after {after} s (`--stop-seconds`)", stream.name()));
                false
            }
        }
    });
    join_all(stopped).await.into_iter().all(|through| through)
}

/// Ends with why there is no use in waiting, once the time is up for a stream whose destination has never worked: it is perhaps
/// misspelt. One that has worked may work again, and one that has got no object yet, because the function has all records, is not
/// known to fail: its time begins with the first object.
async fn hopeless(stream: &Stream, streams: &[Stream], patience: Instant, stop_within: Duration) -> String {
    sleep_until(patience).await;
    let first_put = loop {
        match stream.first_put() {
            Some(at) => break at,
            None if stream.is_function_unavailable() => return "this machine can't run the function".to_owned(),
            None => sleep(POLL).await,
        }
    };
    sleep_until(first_put + stop_within).await;
    while !stream.has_refused() && first_put.elapsed() < FIRST_PUT {
        sleep(POLL).await;
    }
    let destination = &stream.settings().destination;
    let has_worked = |other: &Stream| other.settings().destination == *destination && other.has_stored();
    if stream.left() == 0 || streams.iter().any(has_worked) {
        std::future::pending::<()>().await;
    }
    format!("{destination} has not taken an object of this run")
}

/// The records that are at no end yet.
fn left(streams: &[Stream]) -> u64 {
    streams.iter().map(Stream::left).sum()
}

fn addresses(pipeline: &Pipeline, settings: &Settings) -> String {
    let page = format!("http://{}", reachable(pipeline.page.address()));
    let mut lines = vec![("page", format!("{page}/")), ("pipeline", format!("{page}/pipeline/"))];
    lines.extend(settings.click_stream.as_ref().map(|_| ("clicks", format!("{page}/clicks"))));
    lines.extend(settings.collector.as_ref().map(|_| ("collect", format!("{page}/collect"))));
    lines.push(("firehose", format!("http://{}", reachable(pipeline.firehose.address()))));
    lines.extend(pipeline.kinesis.as_ref().map(|api| ("kinesis", format!("http://{}", reachable(api.address())))));
    lines.push(("mysfits", pipeline.service_url.clone()));
    lines.extend(settings.streams.iter().map(|stream| {
        let StreamSettings { name, destination, source, .. } = stream;
        let way_in = match source {
            Source::DirectPut => String::new(),
            Source::Kinesis(_) if settings.is_of_collector(name) => format!(" from {page}/collect"),
            Source::Kinesis(_) => format!(" from {page}/v2/{name}"),
        };
        ("stream", format!("{name} into {destination}{way_in}"))
    }));
    let lines: Vec<String> = lines.into_iter().map(|(name, what)| format!("{name:<10}{what}\n")).collect();
    lines.concat()
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
