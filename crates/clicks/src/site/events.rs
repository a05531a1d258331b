//! The pipeline's state as server-sent events: all streams, and one of them in detail, at once and after each change.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::error_response::error;
use crate::edge::{Collector, CollectorCounts, IngestionPaths};
use local_firehose::registry::Registry;
use local_firehose::stream::{DeliveryStream, RefusedRecords, StreamOverview, StreamSnapshot};

const MOST_VIEWERS: usize = 64;

const PERIOD: Duration = Duration::from_millis(200);

/// A message.
#[derive(Serialize)]
struct PipelineSnapshot {
    streams: Vec<StreamOverview>,
    collector: Option<CollectorOverview>,
    /// `None` without any stream.
    stream: Option<StreamDetail>,
}

#[derive(Serialize)]
struct CollectorOverview {
    responded: u64,
    failed: u64,
    timed_out: u64,
    refused: u64,
    refused_by_reason: RefusedRecords,
}

#[derive(Serialize)]
struct StreamDetail {
    #[serde(flatten)]
    snapshot: StreamSnapshot,
    destination: String,
    function: Option<String>,
    /// Of the edge, if it has a route to the stream.
    ingestion_path: Option<String>,
}

impl From<CollectorCounts> for CollectorOverview {
    fn from(CollectorCounts { responded, failed, timed_out, refused }: CollectorCounts) -> Self {
        Self { responded, failed, timed_out, refused: refused.total(), refused_by_reason: refused }
    }
}

impl StreamDetail {
    fn of(stream: &DeliveryStream, ingestion_paths: &IngestionPaths) -> Self {
        let settings = stream.settings();
        Self {
            snapshot: stream.snapshot(),
            destination: settings.destination.to_string(),
            function: settings.function.as_ref().map(|function| function.function_name.clone()),
            ingestion_path: ingestion_paths.of(&settings),
        }
    }
}

pub(super) struct Events {
    streams: Registry,
    collector: Option<Arc<Collector>>,
    ingestion_paths: IngestionPaths,
    slots: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Events {
    pub(super) fn new(
        streams: Registry,
        collector: Option<Arc<Collector>>,
        ingestion_paths: IngestionPaths,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(MOST_VIEWERS));
        Self { streams, collector, ingestion_paths, slots, stopping }
    }

    /// With the details of the stream of this name, or of the first one.
    fn snapshot(&self, name: Option<&str>) -> String {
        let streams = self.streams.by_age();
        let chosen = streams.iter().find(|stream| Some(stream.name()) == name).or(streams.first());
        let snapshot = PipelineSnapshot {
            streams: streams.iter().map(DeliveryStream::overview).collect(),
            collector: self.collector.as_ref().map(|collector| collector.counts().into()),
            stream: chosen.map(|stream| StreamDetail::of(stream, &self.ingestion_paths)),
        };
        // Never fails: all keys are strings.
        serde_json::to_string(&snapshot).unwrap_or_default()
    }

    /// Those that differ from the one before, until the process stops. None if too many viewers have some.
    fn snapshots(self: Arc<Self>, name: Option<String>) -> Option<impl Stream<Item = String>> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let stopping = self.stopping.clone();
        let mut timer = interval(PERIOD);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let state = (self, slot, name, stopping, timer, String::new());
        Some(stream::unfold(state, |(events, slot, name, mut stopping, mut timer, sent)| async move {
            loop {
                tokio::select! {
                    biased;
                    _ = stopping.wait_for(|stopping| *stopping) => return None,
                    _ = timer.tick() => {}
                }
                let snapshot = events.snapshot(name.as_deref());
                if snapshot != sent {
                    return Some((snapshot.clone(), (events, slot, name, stopping, timer, snapshot)));
                }
            }
        }))
    }
}

#[derive(Deserialize)]
pub(super) struct EventsQuery {
    stream: Option<String>,
}

pub(super) async fn follow(
    State(events): State<Arc<Events>>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(EventsQuery { stream })) = query else {
        return error(StatusCode::BAD_REQUEST, "invalid query; accepted is the parameter stream, at most once");
    };
    let Some(snapshots) = events.snapshots(stream) else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many event streams are open");
    };
    let messages = snapshots.map(|snapshot| Ok::<_, Infallible>(Event::default().data(snapshot)));
    Sse::new(messages).keep_alive(KeepAlive::default()).into_response()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::pin::pin;

    use clap::Parser;
    use serde_json::Value;
    use tokio::time::timeout;

    use super::*;
    use crate::command::{Cli, Command};
    use crate::up::settings::Settings;
    use local_firehose::functions::FunctionLog;
    use object_storage::Bucket;

    #[tokio::test(start_paused = true)]
    async fn a_page_gets_each_change_until_the_process_stops() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["clicks", "up", "--stream=added", "--function=none", "--destination"].map(OsStr::new);
        let cli = Cli::parse_from(arguments.into_iter().chain([folder.path().as_os_str()]));
        let Command::Up(up) = cli.command else { unreachable!("the command is `up`") };
        let settings = Settings::read(&up.pipeline, &up.stream, None).unwrap().streams.remove(0);
        let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
        let log = Arc::new(FunctionLog::open(&folder.path().join("function.log"), false).unwrap());

        let (stop, stopping) = watch::channel(false);
        let streams = Registry::default();
        let events = Arc::new(Events::new(streams.clone(), None, IngestionPaths::default(), stopping));
        let mut viewer = pin!(events.snapshots(None).unwrap());
        assert_eq!(viewer.next().await.as_deref(), Some(r#"{"streams":[],"collector":null,"stream":null}"#));
        streams.add(DeliveryStream::start(settings, bucket, streams.deps(log), None).unwrap()).unwrap();
        let changed: Value = serde_json::from_str(&viewer.next().await.unwrap()).unwrap();
        let (overview, detail) = (&changed["streams"][0], &changed["stream"]);
        assert_eq!((&overview["stream"], &detail["stream"]), (&"added".into(), &"added".into()), "{changed:#}");
        assert!(timeout(PERIOD * 3, viewer.next()).await.is_err(), "sent the same snapshot again");
        stop.send(true).unwrap();
        assert_eq!(viewer.next().await, None);
    }
}
