//! The stream of a request's query.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::error_response::error;
use local_firehose::registry::Registry;
use local_firehose::stream::DeliveryStream;

/// That of `?stream=NAME`.
pub(super) struct ChosenStream(pub(super) DeliveryStream);

#[derive(Deserialize)]
struct StreamQuery {
    stream: String,
}

impl FromRequestParts<Registry> for ChosenStream {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, streams: &Registry) -> Result<Self, Response> {
        let query: Result<Query<StreamQuery>, QueryRejection> = Query::from_request_parts(parts, streams).await;
        let Ok(Query(StreamQuery { stream })) = query else {
            return Err(error(StatusCode::BAD_REQUEST, "invalid query; accepted is the parameter stream, once"));
        };
        streams.get(&stream).map(Self).ok_or_else(|| error(StatusCode::NOT_FOUND, "unknown stream"))
    }
}
