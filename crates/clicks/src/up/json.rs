//! `clicks up --json`: what is ready, each notice, and the totals, as JSON lines on standard output.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{self, Receiver};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::flush::print;
use local_firehose::registry::Registry;
use local_firehose::stream::{DeliveryStream, Notice, StreamSnapshot};

/// How long the end waits for a reader that reads nothing.
const GRACE: Duration = Duration::from_secs(5);

/// The most bytes of one write, and about what it may exceed them by: a notice.
const WRITE_BYTES: usize = 64 * 1024;

/// The first line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "ready")]
pub(super) struct Ready<'a> {
    #[serde(flatten)]
    pub(super) addresses: BTreeMap<&'static str, String>,
    pub(super) streams: Vec<ReadyStream<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReadyStream<'a> {
    pub(super) stream: &'a str,
    pub(super) destination: String,
    /// The edge's URL for its records. `None`: an API only, or the clicks.
    pub(super) ingestion_url: Option<String>,
}

/// The last line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "stopped")]
struct Stopped {
    streams: Vec<StoppedStream>,
}

#[derive(Debug, Serialize)]
struct StoppedStream {
    stream: String,
    accepted: u64,
    delivered: u64,
    dropped: u64,
    failed: u64,
    refused: u64,
    unflushed: u64,
    unread: u64,
}

impl StoppedStream {
    fn of(stream: &DeliveryStream) -> Self {
        let StreamSnapshot { stream: name, accepted, delivered, dropped, failed, refused, .. } = stream.snapshot();
        let (unflushed, unread) = (stream.unsettled(), stream.unread());
        Self { stream: name, accepted, delivered, dropped, failed, refused, unflushed, unread }
    }
}

/// The reader missed the oldest of the notices that it had not read.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "lagged")]
struct Lagged {
    missed: u64,
}

/// Writes lines in a task of its own: a slow reader delays nothing else.
#[derive(Debug)]
pub(super) struct JsonLines {
    last: oneshot::Sender<String>,
    task: JoinHandle<()>,
}

impl JsonLines {
    pub(super) fn start(ready: &Ready<'_>, notices: Receiver<Notice>) -> Self {
        let (last, stopped) = oneshot::channel();
        Self { last, task: tokio::spawn(write(line(ready), notices, stopped)) }
    }

    /// Writes the notices that are left, and the totals.
    pub(super) async fn stop(self, streams: &Registry) {
        let stopped = Stopped { streams: streams.by_age().iter().map(StoppedStream::of).collect() };
        let _finished = self.last.send(line(&stopped));
        let _slow_reader = timeout(GRACE, self.task).await;
    }
}

async fn write(ready: String, mut notices: Receiver<Notice>, mut stopped: oneshot::Receiver<String>) {
    let mut lines = ready;
    let last = loop {
        // A panic of a write has no other effect.
        let _written = spawn_blocking(move || print(&lines)).await;
        lines = tokio::select! {
            biased;
            notice = notices.recv() => line_of(notice) + &waiting(&mut notices),
            last = &mut stopped => break last.unwrap_or_default(),
        };
    };
    let _written = spawn_blocking(move || print(&last)).await;
}

/// The lines of notices that are there already.
fn waiting<T: Serialize + Clone>(notices: &mut broadcast::Receiver<T>) -> String {
    let mut lines = String::new();
    while lines.len() < WRITE_BYTES {
        match notices.try_recv() {
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            Err(TryRecvError::Lagged(missed)) => lines += &line(&Lagged { missed }),
            Ok(notice) => lines += &line(&notice),
        }
    }
    lines
}

fn line_of<T: Serialize>(notice: Result<T, RecvError>) -> String {
    match notice {
        Ok(notice) => line(&notice),
        Err(RecvError::Lagged(missed)) => line(&Lagged { missed }),
        // Never: the registry of the streams has a sender.
        Err(RecvError::Closed) => String::new(),
    }
}

fn line(event: &impl Serialize) -> String {
    // Never fails: all keys are strings.
    serde_json::to_string(event).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_misses_the_oldest_notices_and_gets_their_number() {
        let (sender, mut notices) = broadcast::channel(4);
        assert_eq!(waiting(&mut notices), "");
        for number in 0..7 {
            sender.send(number).unwrap();
        }
        assert_eq!(waiting(&mut notices), "{\"event\":\"lagged\",\"missed\":3}\n3\n4\n5\n6\n");
        sender.send(7).unwrap();
        assert_eq!(waiting(&mut notices), "7\n");
    }

    #[test]
    fn a_write_is_bounded() {
        let (sender, mut notices) = broadcast::channel(1024);
        for _ in 0..100 {
            sender.send("x".repeat(1024)).unwrap();
        }
        assert!((WRITE_BYTES..WRITE_BYTES + 1100).contains(&waiting(&mut notices).len()));
        assert!(waiting(&mut notices).len() > 100);
    }

    #[test]
    fn the_first_line_has_the_addresses_and_the_streams() {
        let stream = ReadyStream { stream: "s", destination: "out/bucket".to_owned(), ingestion_url: None };
        let addresses = BTreeMap::from([("page", "http://127.0.0.1:8000/".to_owned())]);
        let ready = line(&Ready { addresses, streams: vec![stream] });
        let expected = r#"{"event":"ready","page":"http://127.0.0.1:8000/","streams":[{"stream":"s","destination":"out/bucket","ingestion_url":null}]}"#;
        assert_eq!(ready, format!("{expected}\n"));
    }
}
