//! The metrics and the health of all streams, for programs that watch this process.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::metrics_text::MetricsText;
use crate::registry::Registry;
use crate::stream::{DataStream, DeliveryStream, write_metrics};

/// A response to `GET /metrics`.
#[must_use]
pub fn metrics(streams: &Registry) -> MetricsText {
    let delivery: Vec<_> = streams.list().iter().map(DeliveryStream::snapshot).collect();
    let data_streams: Vec<_> = streams.data_streams().iter().filter_map(DataStream::snapshot).collect();
    let mut text = MetricsText::default();
    write_metrics(&mut text, &delivery, &data_streams);
    text
}

/// A response to `GET /health`: 503 with the names of the streams whose storage refuses objects. They still accept records until their
/// backlog is full.
#[must_use]
pub fn health(streams: &Registry) -> Response {
    let refusing: Vec<String> = streams
        .list()
        .iter()
        .filter(|stream| stream.is_storage_refusing())
        .map(|stream| stream.name().to_owned())
        .collect();
    if refusing.is_empty() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    let body = json!({ "status": "unavailable", "storage_refuses": refusing });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}
