//! The first bytes of a delivered object, as text.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::error;
use local_firehose::stream::DeliveryStream;

const MOST_BYTES: usize = 256 * 1024;

const TRUNCATED: HeaderName = HeaderName::from_static("x-truncated");

/// One of the stream's last objects, and no other of its bucket.
#[derive(Deserialize)]
pub(super) struct ObjectQuery {
    stream: String,
    path: String,
}

pub(super) async fn show(
    State(streams): State<Arc<[DeliveryStream]>>,
    query: Result<Query<ObjectQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(ObjectQuery { stream, path })) = query else {
        return error(StatusCode::BAD_REQUEST, "invalid query; accepted are the parameters stream and path, each once");
    };
    let Some(stream) = streams.iter().find(|known| known.name() == stream) else {
        return error(StatusCode::NOT_FOUND, "unknown stream");
    };
    if !stream.snapshot().objects.iter().any(|object| object.path == path) {
        return error(StatusCode::NOT_FOUND, "not one of the last objects of this stream");
    }
    match stream.bucket.get(&path, MOST_BYTES).await {
        Ok(Some(contents)) => {
            let truncated = contents.truncated.then_some([(TRUNCATED, "true")]);
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], truncated, contents.bytes).into_response()
        }
        Ok(None) => error(StatusCode::NOT_FOUND, "the object is no longer in the storage"),
        Err(_) => error(StatusCode::BAD_GATEWAY, "could not read the object from the storage"),
    }
}
