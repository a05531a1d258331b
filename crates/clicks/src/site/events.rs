//! The pipeline's state as server-sent events: the whole state anew, at once and when it has changed.

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

use super::refusal;
use local_firehose::stream::{Stream, View};

/// The most pages that follow at once.
const MOST_VIEWERS: usize = 64;

/// How often one page is told at most: five times a second.
const PERIOD: Duration = Duration::from_millis(200);

/// How long a snapshot does for other pages as well. Shorter than the period, or else a page whose timer runs a little early
/// would get its own last one again.
const FRESH: Duration = Duration::from_millis(150);

/// What all who follow have in common.
pub(super) struct Events {
    streams: Vec<Stream>,
    latest: Mutex<Latest>,
    places: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Events {
    pub(super) fn new(streams: Vec<Stream>, stopping: watch::Receiver<bool>) -> Self {
        let places = Arc::new(Semaphore::new(MOST_VIEWERS));
        Self { streams, latest: Mutex::default(), places, stopping }
    }

    /// The snapshot of about now, or, for a page that was just opened, of now: it shows all that came before.
    fn snapshot(&self, is_first: bool) -> Arc<str> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if is_first {
            latest.made = None;
        }
        latest.at(Instant::now(), || self.to_json())
    }

    fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Pipeline {
            streams: Vec<View>,
        }
        let pipeline = Pipeline { streams: self.streams.iter().map(Stream::view).collect() };
        // All names in it are text, so it is always JSON.
        serde_json::to_string(&pipeline).unwrap_or_default()
    }
}

/// The last snapshot, made once for all who ask at about the same time.
#[derive(Default)]
struct Latest {
    text: Arc<str>,
    made: Option<Instant>,
}

impl Latest {
    fn at(&mut self, now: Instant, make: impl FnOnce() -> String) -> Arc<str> {
        if self.made.is_none_or(|made| now.saturating_duration_since(made) >= FRESH) {
            self.text = make().into();
            self.made = Some(now);
        }
        Arc::clone(&self.text)
    }
}

pub(super) async fn follow(State(events): State<Arc<Events>>) -> Response {
    let Ok(place) = Arc::clone(&events.places).try_acquire_owned() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many pages follow the pipeline already");
    };
    let messages = stream::unfold(Viewer::new(events, place), |mut viewer| async {
        let snapshot = viewer.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(&*snapshot)), viewer))
    });
    Sse::new(messages).keep_alive(KeepAlive::default()).into_response()
}

/// One page that follows.
struct Viewer {
    events: Arc<Events>,
    stopping: watch::Receiver<bool>,
    timer: Interval,
    sent: Option<Arc<str>>,
    _place: OwnedSemaphorePermit,
}

impl Viewer {
    fn new(events: Arc<Events>, place: OwnedSemaphorePermit) -> Self {
        let stopping = events.stopping.clone();
        let mut timer = interval(PERIOD);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { events, stopping, timer, sent: None, _place: place }
    }

    /// The next state that is not the last one; none when the process stops.
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
    fn a_snapshot_is_made_once_for_all() {
        let start = Instant::now();
        let mut latest = Latest::default();
        for (after_ms, made, expected) in
            [(0, "a", "a"), (0, "b", "a"), (149, "c", "a"), (150, "d", "d"), (299, "e", "d"), (350, "f", "f")]
        {
            let text = latest.at(start + Duration::from_millis(after_ms), || made.to_owned());
            assert_eq!(&*text, expected, "after {after_ms} ms");
        }
    }

    #[tokio::test]
    async fn a_page_is_told_what_is_new_to_it_until_the_process_stops() {
        let (stop, stopping) = watch::channel(false);
        let events = Arc::new(Events::new(Vec::new(), stopping));
        let place = Arc::clone(&events.places).try_acquire_owned().unwrap();
        let mut viewer = Viewer::new(events, place);
        assert_eq!(viewer.next().await.as_deref(), Some(r#"{"streams":[]}"#));
        assert!(timeout(PERIOD * 3, viewer.next()).await.is_err(), "told the same again");
        stop.send(true).unwrap();
        assert_eq!(viewer.next().await, None);
    }
}
