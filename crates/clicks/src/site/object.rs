//! The start of a delivered object, as text.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::refusal;
use local_firehose::stream::Stream;

/// The most bytes of an object that are shown.
const MOST_BYTES: usize = 256 * 1024;

/// Says that the object goes on.
const TRUNCATED: HeaderName = HeaderName::from_static("x-truncated");

/// Which object: one of the stream's last ones, and no other of its bucket.
#[derive(Deserialize)]
pub(super) struct Wanted {
    stream: String,
    path: String,
}

pub(super) async fn show(
    State(streams): State<Arc<[Stream]>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let Ok(Query(Wanted { stream, path })) = wanted else {
        return refusal(StatusCode::BAD_REQUEST, "wanted are the parameters stream and path, each once");
    };
    let Some(stream) = streams.iter().find(|known| known.name() == stream) else {
        return refusal(StatusCode::NOT_FOUND, "no such stream");
    };
    if !stream.view().objects.iter().any(|object| object.path == path) {
        return refusal(StatusCode::NOT_FOUND, "not one of the last objects of this stream");
    }
    match stream.bucket().get(&path, MOST_BYTES).await {
        Ok(Some(contents)) => {
            let truncated = contents.truncated.then_some([(TRUNCATED, "true")]);
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], truncated, contents.bytes).into_response()
        }
        Ok(None) => refusal(StatusCode::NOT_FOUND, "the object is not in the storage any more"),
        Err(_) => refusal(StatusCode::BAD_GATEWAY, "the storage did not answer"),
    }
}
