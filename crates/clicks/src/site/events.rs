//! The pipeline's state as server-sent events: the whole state, at once and after each change.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::error;
use local_firehose::registry::Registry;
use local_firehose::stream::DeliveryStream;

const MOST_VIEWERS: usize = 64;

const PERIOD: Duration = Duration::from_millis(200);

pub(super) struct Events {
    streams: Registry,
    slots: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Events {
    pub(super) fn new(streams: Registry, stopping: watch::Receiver<bool>) -> Self {
        let slots = Arc::new(Semaphore::new(MOST_VIEWERS));
        Self { streams, slots, stopping }
    }

    fn snapshot(&self) -> String {
        let snapshots: Vec<_> = self.streams.by_age().iter().map(DeliveryStream::snapshot).collect();
        // Never fails: all keys are strings.
        serde_json::to_string(&BTreeMap::from([("streams", snapshots)])).unwrap_or_default()
    }

    /// Those that differ from the one before, until the process stops. None if too many viewers have some.
    fn snapshots(self: Arc<Self>) -> Option<impl Stream<Item = String>> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let stopping = self.stopping.clone();
        let mut timer = interval(PERIOD);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let state = (self, slot, stopping, timer, String::new());
        Some(stream::unfold(state, |(events, slot, mut stopping, mut timer, sent)| async move {
            loop {
                tokio::select! {
                    biased;
                    _ = stopping.wait_for(|stopping| *stopping) => return None,
                    _ = timer.tick() => {}
                }
                let snapshot = events.snapshot();
                if snapshot != sent {
                    return Some((snapshot.clone(), (events, slot, stopping, timer, snapshot)));
                }
            }
        }))
    }
}

pub(super) async fn follow(State(events): State<Arc<Events>>) -> Response {
    let Some(snapshots) = events.snapshots() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many event streams are open");
    };
    let messages = snapshots.map(|snapshot| Ok::<_, Infallible>(Event::default().data(snapshot)));
    Sse::new(messages).keep_alive(KeepAlive::default()).into_response()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_page_gets_each_change_until_the_process_stops() {
        let (stop, stopping) = watch::channel(false);
        let events = Arc::new(Events::new(Registry::default(), stopping));
        let mut viewer = pin!(events.snapshots().unwrap());
        assert_eq!(viewer.next().await.as_deref(), Some(r#"{"streams":[]}"#));
        assert!(timeout(PERIOD * 3, viewer.next()).await.is_err(), "sent the same snapshot again");
        stop.send(true).unwrap();
        assert_eq!(viewer.next().await, None);
    }
}
