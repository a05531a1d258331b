//! The pipeline's state as server-sent events: the whole state, at once and after each change.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// The least time between two events of one page.
const PERIOD: Duration = Duration::from_millis(200);

/// How long a snapshot is cached for other pages. Shorter than the period, or else a page whose timer runs a little early would
/// get its own last snapshot again.
const CACHED: Duration = Duration::from_millis(150);

pub(super) struct Events {
    streams: Vec<DeliveryStream>,
    cached: Mutex<CachedSnapshot>,
    slots: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Events {
    pub(super) fn new(streams: Vec<DeliveryStream>, stopping: watch::Receiver<bool>) -> Self {
        let slots = Arc::new(Semaphore::new(MOST_VIEWERS));
        Self { streams, cached: Mutex::default(), slots, stopping }
    }

    /// A cached snapshot. The first one of a page is new, so that it has everything from before the page was opened.
    fn snapshot(&self, is_first: bool) -> Arc<str> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if is_first {
            cached.made = None;
        }
        cached.at(Instant::now(), || self.to_json())
    }

    fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Pipeline {
            streams: Vec<StreamSnapshot>,
        }
        let pipeline = Pipeline { streams: self.streams.iter().map(DeliveryStream::snapshot).collect() };
        // Never fails: all keys are strings.
        serde_json::to_string(&pipeline).unwrap_or_default()
    }
}

#[derive(Default)]
struct CachedSnapshot {
    text: Arc<str>,
    made: Option<Instant>,
}

impl CachedSnapshot {
    fn at(&mut self, now: Instant, make: impl FnOnce() -> String) -> Arc<str> {
        if self.made.is_none_or(|made| now.saturating_duration_since(made) >= CACHED) {
            self.text = make().into();
            self.made = Some(now);
        }
        Arc::clone(&self.text)
    }
}

pub(super) async fn follow(State(events): State<Arc<Events>>) -> Response {
    let Ok(slot) = Arc::clone(&events.slots).try_acquire_owned() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many event streams are open");
    };
    let messages = stream::unfold(Viewer::new(events, slot), |mut viewer| async {
        let snapshot = viewer.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(&*snapshot)), viewer))
    });
    Sse::new(messages).keep_alive(KeepAlive::default()).into_response()
}

struct Viewer {
    events: Arc<Events>,
    stopping: watch::Receiver<bool>,
    timer: Interval,
    sent: Option<Arc<str>>,
    _slot: OwnedSemaphorePermit,
}

impl Viewer {
    fn new(events: Arc<Events>, slot: OwnedSemaphorePermit) -> Self {
        let stopping = events.stopping.clone();
        let mut timer = interval(PERIOD);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { events, stopping, timer, sent: None, _slot: slot }
    }

    /// The next changed snapshot; none when the process stops.
    async fn next(&mut self) -> Option<Arc<str>> {
        loop {
            tokio::select! {
                biased;
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                _ = self.timer.tick() => {}
            }
            let snapshot = self.events.snapshot(self.sent.is_none());
            if self.sent.as_ref() != Some(&snapshot) {
                self.sent = Some(Arc::clone(&snapshot));
                return Some(snapshot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn a_snapshot_is_shared() {
        let start = Instant::now();
        let mut cached = CachedSnapshot::default();
        for (after_ms, made, expected) in
            [(0, "a", "a"), (0, "b", "a"), (149, "c", "a"), (150, "d", "d"), (299, "e", "d"), (350, "f", "f")]
        {
            let text = cached.at(start + Duration::from_millis(after_ms), || made.to_owned());
            assert_eq!(&*text, expected, "after {after_ms} ms");
        }
    }

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
