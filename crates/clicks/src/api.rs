//! Amazon Data Firehose's own API for the streams that run here: JSON 1.1 over HTTP, which is the only protocol that AWS's
//! service model names for it.
//!
//! ```text
//! request ─▶ input (what was asked) ─▶ constraint (whether it may be) ─▶ put, list, describe ─▶ answer, or refusal
//! ```
//!
//! Whoever asks may: a signature is neither needed nor looked at.

mod blob;
mod constraint;
mod describe;
mod input;
mod list;
mod put;
mod refusal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

use self::describe::Described;
use self::refusal::Refusal;
use crate::stream::Stream;

/// What an operation's name has before it in `X-Amz-Target`.
const TARGET_PREFIX: &str = "Firehose_20150804.";

/// The largest body that is looked into: 4 MiB of data with its base64 and to spare, so that a batch somewhat too large gets
/// the error that names the limit. A batch of 5.3 MB was seen to get that one from Firehose; where it begins to answer 413
/// instead is an assumption.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// What is read of a body at all, so that its sender gets an answer instead of a broken connection.
const MAX_READ_BYTES: usize = 64 * 1024 * 1024;

/// How long a body may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How many bodies are read at once; others wait for their turn. Each may have 10 MiB.
const READ_AT_ONCE: usize = 32;

/// By name, and so in the order in which they are listed.
type Streams = BTreeMap<String, Stream>;

struct Api {
    streams: Streams,
    places: Semaphore,
}

/// The API of these streams.
pub(crate) fn router(streams: Vec<Stream>) -> Router {
    let streams = streams.into_iter().map(|stream| (stream.name().to_owned(), stream)).collect();
    Router::new().fallback(answer).with_state(Arc::new(Api { streams, places: Semaphore::new(READ_AT_ONCE) }))
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let streams = &api.streams;
    if request.method() != Method::POST || request.uri().path() != "/" {
        let streams = streams.keys().cloned().collect::<Vec<_>>().join(", ");
        // Of a type that a browser shows.
        return response("application/json", Err(Refusal::NotTheApi { streams }));
    }
    let (head, body) = request.into_parts();
    let answer = async {
        if head.headers.contains_key(ORIGIN) {
            return Err(Refusal::FromAPage);
        }
        // Never closed.
        let _place = api.places.acquire().await;
        let body = read(&head.headers, body, READ_TIMEOUT).await?;
        call(streams, &head.headers, &body).await
    };
    response("application/x-amz-json-1.1", answer.await)
}

fn response(content_type: &'static str, answer: Result<Vec<u8>, Refusal>) -> Response {
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => (refusal.status(), refusal.body()),
    };
    let headers = [("x-amzn-requestid", Uuid::new_v4().to_string()), (CONTENT_TYPE.as_str(), content_type.to_owned())];
    (status, headers, body).into_response()
}

/// The body, if it is not too large and comes in time.
async fn read(headers: &HeaderMap, body: Body, time: Duration) -> Result<Vec<u8>, Refusal> {
    timeout(time, read_all(headers, body)).await.unwrap_or(Err(Refusal::TooSlow))
}

async fn read_all(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Refusal> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(announced.min(MAX_BODY_BYTES));
    let mut size = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        // Nobody is left to read the answer.
        let chunk = chunk.map_err(|_broken| Refusal::Serialization(None))?;
        size += chunk.len();
        if size <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&chunk);
        } else if size > MAX_READ_BYTES {
            return Err(Refusal::BodyTooLarge);
        } else {
            bytes = Vec::new();
        }
    }
    if size > MAX_BODY_BYTES { Err(Refusal::BodyTooLarge) } else { Ok(bytes) }
}

async fn call(streams: &Streams, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    match target.strip_prefix(TARGET_PREFIX) {
        Some("PutRecord") => {
            let asked = put::record(body)?;
            put::record_answer(find(streams, &asked.stream)?.put(asked.data).await)
        }
        Some("PutRecordBatch") => {
            let asked = put::batch(body)?;
            put::batch_answer(find(streams, &asked.stream)?.put(asked.data).await)
        }
        Some("DescribeDeliveryStream") => {
            let asked = describe::asked(body)?;
            describe::answer(&Described::from(find(streams, &asked.stream)?), &asked)
        }
        Some("ListDeliveryStreams") => list::answer(&list::asked(body)?, streams.keys().map(String::as_str)),
        Some(operation) => Err(Refusal::UnknownOperation(operation.to_owned())),
        None => Err(Refusal::NoOperation),
    }
}

fn find<'a>(streams: &'a Streams, name: &str) -> Result<&'a Stream, Refusal> {
    streams.get(name).ok_or_else(|| Refusal::NoStream(name.to_owned()))
}

#[cfg(test)]
mod tests;
