//! The pipeline's state as server-sent events: the whole state, at once and after each change.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::error;
use local_firehose::stream::{DeliveryStream, StreamSnapshot};

const MOST_VIEWERS: usize = 64;

const PERIOD: Duration = Duration::from_millis(200);

pub(super) struct Events {
    streams: Vec<DeliveryStream>,
    slots: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Events {
    pub(super) fn new(streams: Vec<DeliveryStream>, stopping: watch::Receiver<bool>) -> Self {
        let slots = Arc::new(Semaphore::new(MOST_VIEWERS));
        Self { streams, slots, stopping }
    }

    fn snapshot(&self) -> String {
        #[derive(Serialize)]
        struct Pipeline {
            streams: Vec<StreamSnapshot>,
        }
        let pipeline = Pipeline { streams: self.streams.iter().map(DeliveryStream::snapshot).collect() };
        // Never fails: all keys are strings.
        serde_json::to_string(&pipeline).unwrap_or_default()
    }
}

pub(super) async fn follow(State(events): State<Arc<Events>>) -> Response {
    let Ok(slot) = Arc::clone(&events.slots).try_acquire_owned() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many event streams are open");
    };
    let messages = stream::unfold(Viewer::new(events, slot), |mut viewer| async {
        let snapshot = viewer.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(snapshot)), viewer))
    });
    Sse::new(messages).keep_alive(KeepAlive::default()).into_response()
}

struct Viewer {
    events: Arc<Events>,
    stopping: watch::Receiver<bool>,
    timer: Interval,
    sent: Option<String>,
    _slot: OwnedSemaphorePermit,
}

impl Viewer {
    fn new(events: Arc<Events>, slot: OwnedSemaphorePermit) -> Self {
        let stopping = events.stopping.clone();
        let mut timer = interval(PERIOD);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { events, stopping, timer, sent: None, _slot: slot }
    }

    /// None when the process stops.
    async fn next(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                biased;
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                _ = self.timer.tick() => {}
            }
            let snapshot = self.events.snapshot();
            if self.sent.as_ref() != Some(&snapshot) {
                self.sent = Some(snapshot.clone());
                return Some(snapshot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_page_gets_each_change_until_the_process_stops() {
        let (stop, stopping) = watch::channel(false);
        let events = Arc::new(Events::new(Vec::new(), stopping));
        let slot = Arc::clone(&events.slots).try_acquire_owned().unwrap();
        let mut viewer = Viewer::new(events, slot);
        assert_eq!(viewer.next().await.as_deref(), Some(r#"{"streams":[]}"#));
        assert!(timeout(PERIOD * 3, viewer.next()).await.is_err(), "sent the same snapshot again");
        stop.send(true).unwrap();
        assert_eq!(viewer.next().await, None);
    }
}
