//! The end of a run: flushes the streams, and reports what is left.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::interrupts::Interrupts;
use local_firehose::registry::Registry;
use local_firehose::stream::DeliveryStream;
use service_kit::count::{counted, records};

const POLL: Duration = Duration::from_millis(100);

/// The least time for the first object of a run, even with a shorter `--stop-seconds`.
const FIRST_PUT: Duration = Duration::from_secs(10);

/// Waits for `stop`, which flushes the streams, and reports what is left. A second interrupt, or the time of a destination that has
/// accepted no object, ends it (exit codes 130 and 1).
pub(crate) async fn end(
    stop: impl Future<Output = bool>,
    streams: &Registry,
    state: Option<&Path>,
    interrupts: &mut Interrupts,
) -> ExitCode {
    let code = tokio::select! {
        flushed = stop => if flushed { ExitCode::SUCCESS } else { ExitCode::FAILURE },
        () = interrupts.next() => {
            streams.by_age().iter().for_each(DeliveryStream::abandon);
            ExitCode::from(130)
        }
    };
    report(&streams.by_age(), state);
    code
}

/// Returns whether all records are flushed. A destination that has accepted no object until `stop_within` after `deadline` is given up.
pub(crate) async fn flush(streams: &[DeliveryStream], deadline: Instant, stop_within: Duration) -> bool {
    let left: u64 = streams.iter().map(|stream| stream.unsettled() + stream.unread()).sum();
    if left > 0 {
        tracing::info!("flushing {}; press Ctrl-C again to exit at once", records(left));
    }
    let stopped = streams.iter().map(|stream| async move {
        tokio::select! {
            flushed = stream.stop() => flushed,
            why = unavailable(stream, streams, deadline, stop_within) => {
                stream.abandon();
                let after = stop_within.as_secs();
                tracing::info!("{}: {why}; stopped after {after} s (`--stop-seconds`)", stream.name());
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
        match stream.uploads().first {
            Some(at) => break at,
            None if stream.is_function_unavailable() => return "this machine can't run the function".to_owned(),
            None => sleep(POLL).await,
        }
    };
    sleep_until(first_put + stop_within).await;
    while !stream.uploads().has_refused && first_put.elapsed() < FIRST_PUT {
        sleep(POLL).await;
    }
    let settings = stream.settings();
    let destination = &settings.destination;
    let has_accepted =
        |other: &DeliveryStream| other.settings().destination == *destination && other.uploads().has_stored;
    let bucket = match (stream.unsettled(), streams.iter().any(has_accepted)) {
        (1.., false) => destination.to_string(),
        (1.., true) if stream.has_backup_bucket() && !stream.uploads().has_backed_up => {
            "the bucket of the source backup".to_owned()
        }
        _ => std::future::pending().await,
    };
    format!("{bucket} has accepted no object of this run")
}

/// Reports how many records are not flushed or not read. `state` keeps records for the next start.
fn report(streams: &[DeliveryStream], state: Option<&Path>) {
    let left: u64 = streams.iter().map(DeliveryStream::unsettled).sum();
    if left > 0 {
        let (are, them) = if left == 1 { ("is", "it") } else { ("are", "them") };
        let unflushed = counted(left, "record was not flushed", "records were not flushed");
        if let Some(folder) = state.map(Path::display) {
            tracing::warn!("{unflushed}; {folder} keeps {them} for the next start");
        } else {
            tracing::warn!("{unflushed} and {are} lost (`--state DIR` would keep {them})");
        }
    }
    for stream in streams {
        let (name, unread, settings) = (stream.name(), stream.unread(), stream.settings());
        if let Some(data_stream) = settings.data_stream().filter(|_| unread > 0) {
            tracing::warn!("{name}: {} of the data stream {data_stream} not read: lost", records(unread));
        }
    }
}

/// On standard output. A closed pipe is ignored.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
