//! Metrics in the text format of Prometheus, and the health of the streams, for programs that watch this process.

use std::fmt::{Display, Write};

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::registry::Registry;
use crate::stream::{DataStream, DeliveryStream, write_metrics};

/// The version of the text format (prometheus.io, "Exposition formats").
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricType {
    /// It only increases.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
}

impl MetricType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A response to `GET /metrics`, line by line.
#[derive(Debug, Default)]
pub struct MetricsText(String);

impl MetricsText {
    /// The metrics of all streams.
    #[must_use]
    pub fn of(streams: &Registry) -> Self {
        let delivery: Vec<_> = streams.list().iter().map(DeliveryStream::snapshot).collect();
        let data_streams: Vec<_> = streams.data_streams().iter().filter_map(DataStream::snapshot).collect();
        let mut text = Self::default();
        write_metrics(&mut text, &delivery, &data_streams);
        text
    }

    /// Begins a metric. Its samples follow before the next one begins.
    pub fn metric(&mut self, name: &str, kind: MetricType, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing into memory does not fail, here and below.
        let _written = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
    }

    /// Adds a sample.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let separator = if index == 0 { '{' } else { ',' };
            let _written = write!(self.0, "{separator}{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _written = writeln!(self.0, " {value}");
    }

    /// The lines.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IntoResponse for MetricsText {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], self.0).into_response()
    }
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
