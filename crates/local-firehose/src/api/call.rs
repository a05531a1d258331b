//! A call on its way in and its answer on its way out, as each of AWS's services does it by JSON 1.1.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

use super::refusal::Refusal;

/// What is read of a body at all, so that its sender gets an answer instead of a broken connection.
const MAX_READ_BYTES: usize = 64 * 1024 * 1024;

/// How long a body may take.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How many bodies are read at once; others wait for their turn.
const READ_AT_ONCE: usize = 32;

/// What is to be known of a service to take its calls, and to say why not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// Such as `Amazon Data Firehose`.
    pub(super) name: &'static str,
    /// The same without its maker.
    pub(super) short_name: &'static str,
    /// What an operation's name has before it in `X-Amz-Target`.
    pub(super) target_prefix: &'static str,
    /// Those that are served, in a sentence.
    pub(super) operations: &'static str,
    /// One of them.
    pub(super) operation: &'static str,
    /// The largest body that is looked into.
    pub(super) max_body_bytes: usize,
    /// Why none is larger.
    pub(super) largest_body: &'static str,
    /// Where a web page may put records instead.
    pub(super) way_of_pages: &'static str,
}

/// What a service was asked to do.
pub(super) struct Call {
    pub(super) operation: String,
    pub(super) body: Vec<u8>,
}

/// Where calls come in.
pub(super) struct Door {
    service: &'static Service,
    places: Semaphore,
}

impl Door {
    /// The door of a service.
    pub(super) fn new(service: &'static Service) -> Self {
        Self { service, places: Semaphore::new(READ_AT_ONCE) }
    }

    /// Reads a call. Who asks for anything else is told what this is, with the names of the streams.
    pub(super) async fn call<'a>(
        &self,
        request: Request,
        streams: impl Iterator<Item = &'a str>,
    ) -> Result<Call, Refusal> {
        let service = self.service;
        if request.method() != Method::POST || request.uri().path() != "/" {
            let streams = streams.collect::<Vec<_>>().join(", ");
            return Err(Refusal::NotTheApi { service, streams });
        }
        let (head, body) = request.into_parts();
        if head.headers.contains_key(ORIGIN) {
            return Err(Refusal::FromAPage(service));
        }
        // Never closed.
        let _place = self.places.acquire().await;
        let body = read(service, &head.headers, body, READ_TIMEOUT).await?;
        if text(&head.headers, CONTENT_TYPE.as_str()).starts_with("application/x-amz-cbor") {
            return Err(Refusal::Cbor(service));
        }
        match text(&head.headers, "x-amz-target").strip_prefix(service.target_prefix) {
            Some(operation) => Ok(Call { operation: operation.to_owned(), body }),
            None => Err(Refusal::NoOperation(service)),
        }
    }

    /// The refusal of an operation that is not served.
    pub(super) fn unknown<T>(&self, operation: String) -> Result<T, Refusal> {
        Err(Refusal::UnknownOperation { service: self.service, operation })
    }
}

/// A header, if it is one and is text.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What a call's client gets.
pub(super) fn response(answer: Result<Vec<u8>, Refusal>) -> Response {
    let content_type = match &answer {
        // Of a type that a browser shows.
        Err(Refusal::NotTheApi { .. }) => "application/json",
        _ => "application/x-amz-json-1.1",
    };
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => (refusal.status(), refusal.body()),
    };
    let headers = [("x-amzn-requestid", Uuid::new_v4().to_string()), (CONTENT_TYPE.as_str(), content_type.to_owned())];
    (status, headers, body).into_response()
}

/// The body, if it is not too large and comes in time.
async fn read(service: &'static Service, headers: &HeaderMap, body: Body, time: Duration) -> Result<Vec<u8>, Refusal> {
    timeout(time, read_all(service, headers, body)).await.unwrap_or(Err(Refusal::TooSlow))
}

async fn read_all(service: &'static Service, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Refusal> {
    let announced = text(headers, CONTENT_LENGTH.as_str()).parse().unwrap_or(0);
    let mut bytes = Vec::with_capacity(service.max_body_bytes.min(announced));
    let mut size = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        // Nobody is left to read the answer.
        let chunk = chunk.map_err(|_broken| Refusal::Serialization(None))?;
        size += chunk.len();
        if size <= service.max_body_bytes {
            bytes.extend_from_slice(&chunk);
        } else if size > MAX_READ_BYTES {
            return Err(Refusal::BodyTooLarge(service));
        } else {
            bytes = Vec::new();
        }
    }
    if size > service.max_body_bytes { Err(Refusal::BodyTooLarge(service)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::firehose::SERVICE;

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let silent = Body::from_stream(futures_util::stream::pending::<std::io::Result<Vec<u8>>>());
        let read = read(&SERVICE, &HeaderMap::new(), silent, Duration::from_millis(1)).await;
        assert_eq!(read, Err(Refusal::TooSlow));
    }
}
