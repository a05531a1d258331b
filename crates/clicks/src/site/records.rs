//! The latest records: `GET /pipeline/records`, `/pipeline/record`, and `/pipeline/tap` for `clicks tap`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::error_response::error;
use local_firehose::registry::Registry;
use local_firehose::stream::{DeliveryStream, FollowedRecord, Follower, RecordQuery, RecordStatus, TapFilter};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;
const MOST_FOLLOWERS: usize = 64;
/// Others wait: a search reads all that is kept.
const MOST_SEARCHES: usize = 2;
/// How often records are read for a follower.
const PERIOD: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Records {
    streams: Registry,
    followers: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

pub(super) fn router(streams: Registry, stopping: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/pipeline/records", get(find))
        .route("/pipeline/record", get(show))
        .route("/pipeline/tap", get(follow))
        .with_state(Records {
            streams,
            followers: Arc::new(Semaphore::new(MOST_FOLLOWERS)),
            searches: Arc::new(Semaphore::new(MOST_SEARCHES)),
            stopping,
        })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FindQuery {
    stream: String,
    text: Option<String>,
    key: Option<String>,
    outcome: Option<RecordStatus>,
    reason: Option<String>,
    batch: Option<u64>,
    from: Option<i64>,
    to: Option<i64>,
    before: Option<u64>,
    limit: Option<usize>,
}

async fn find(State(records): State<Records>, query: Result<Query<FindQuery>, QueryRejection>) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return invalid(&rejection),
    };
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return error(StatusCode::BAD_REQUEST, &format!("found the limit {limit}; accepted is 1 to {MAX_LIMIT}"));
    }
    let Some(stream) = records.streams.get(&query.stream) else { return unknown_stream() };
    let query = RecordQuery {
        text: query.text,
        key: query.key,
        status: query.outcome,
        reason: query.reason,
        batch: query.batch,
        from_ms: query.from,
        to_ms: query.to,
        before: query.before,
        limit,
    };
    // Never closed.
    let slot = records.searches.acquire_owned().await;
    // On a thread where it delays no other request. A client that disconnects does not free the slot.
    let search = spawn_blocking(move || {
        let page = stream.recent_records().find(&query);
        drop(slot);
        page
    });
    match search.await {
        Ok(page) => Json(page).into_response(),
        // It panicked, and has logged that.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Deserialize)]
struct ShowQuery {
    stream: String,
    id: String,
}

async fn show(State(records): State<Records>, query: Result<Query<ShowQuery>, QueryRejection>) -> Response {
    let Ok(Query(ShowQuery { stream, id })) = query else {
        return error(StatusCode::BAD_REQUEST, "invalid query; accepted are the parameters stream and id, each once");
    };
    let Some(stream) = records.streams.get(&stream) else { return unknown_stream() };
    match spawn_blocking(move || stream.recent_records().get(&id)).await {
        Ok(Some(record)) => Json(record).into_response(),
        // A panic is logged.
        Ok(None) | Err(_) => error(StatusCode::NOT_FOUND, "this record is unknown, or no longer kept"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowQuery {
    /// Default: all that exist now.
    stream: Option<String>,
    #[serde(default)]
    which: TapFilter,
    text: Option<String>,
}

/// JSON lines of the records from now on, until the process stops.
async fn follow(State(records): State<Records>, query: Result<Query<FollowQuery>, QueryRejection>) -> Response {
    let FollowQuery { stream, which, text } = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return invalid(&rejection),
    };
    let streams = match stream {
        Some(name) => records.streams.get(&name).into_iter().collect(),
        None => records.streams.by_age(),
    };
    let Some(first) = streams.first() else {
        let names: Vec<_> = records.streams.by_age().iter().map(|stream| stream.name().to_owned()).collect();
        let body = json!({ "message": "unknown stream", "streams": names });
        return (StatusCode::NOT_FOUND, Json(body)).into_response();
    };
    if first.recent_records().is_off() {
        return error(StatusCode::CONFLICT, "no records are kept; `--recent-records-mb` is 0");
    }
    let Ok(slot) = Arc::clone(&records.followers).try_acquire_owned() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many clients follow records");
    };
    let followed = streams.into_iter().map(|stream| {
        let follower = stream.recent_records().follow(which, text.clone());
        Followed { stream, follower }
    });
    let lines = Body::from_stream(lines(followed.collect(), records.stopping, slot));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}

struct Followed {
    stream: DeliveryStream,
    follower: Follower,
}

#[derive(Serialize)]
struct Line<'a> {
    stream: &'a str,
    #[serde(flatten)]
    record: FollowedRecord,
}

impl Followed {
    fn lines(&mut self) -> String {
        let records = self.stream.recent_records().next(&mut self.follower);
        let lines = records.into_iter().map(|record| {
            let line = Line { stream: self.stream.name(), record };
            // Never fails: all keys are strings.
            serde_json::to_string(&line).unwrap_or_default() + "\n"
        });
        lines.collect()
    }
}

fn lines(
    followed: Vec<Followed>,
    stopping: watch::Receiver<bool>,
    slot: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let mut timer = interval(PERIOD);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let state = (followed, stopping, slot, timer);
    stream::unfold(state, |(mut followed, mut stopping, slot, mut timer)| async move {
        loop {
            let read = spawn_blocking(move || {
                let lines: String = followed.iter_mut().map(Followed::lines).collect();
                (followed, lines)
            });
            let lines;
            // A panic is logged, and ends the response.
            (followed, lines) = read.await.ok()?;
            if !lines.is_empty() {
                return Some((Ok(Bytes::from(lines)), (followed, stopping, slot, timer)));
            }
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return None,
                _ = timer.tick() => {}
            }
        }
    })
}

fn unknown_stream() -> Response {
    error(StatusCode::NOT_FOUND, "unknown stream")
}

fn invalid(rejection: &QueryRejection) -> Response {
    error(StatusCode::BAD_REQUEST, &format!("invalid query: {}", rejection.body_text()))
}
