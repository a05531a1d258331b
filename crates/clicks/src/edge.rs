//! The HTTP API that API Gateway serves in the cloud, on the page's port:
//!
//! ```text
//! PUT  /clicks             ─▶ a click ─▶ the delivery stream of the clicks
//! POST /v2/{stream-name}   ─▶ any JSON object ─▶ the data stream of that name
//! POST /collect            ─▶ any request ─▶ the collector ─▶ its data stream
//! ```
//!
//! The order of checks is API Gateway's: the rate, the size, the content type, the body, and last the integration. Each
//! route has a rate of its own, so that a flood on one does not throttle the others. Requests over the rate are refused before
//! their bodies are read.

mod clicks;
mod collect_route;
mod collector;
mod ingestion;
mod reader;
mod streams;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use governor::Quota;
use uuid::Uuid;

use self::reader::EdgeError;
use local_firehose::http::BodyMemory;
use local_firehose::stream::{DataStream, DeliveryStream};

pub(crate) use self::collector::{Collector, CollectorCounts};
pub(crate) use self::ingestion::IngestionPaths;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// `rate` is API Gateway's `rateLimit` and `burstLimit`, for each route.
pub(crate) fn router(
    clicks: Option<DeliveryStream>,
    streams: Vec<DataStream>,
    collector: Option<Arc<Collector>>,
    rate: Quota,
    memory: &BodyMemory,
) -> anyhow::Result<Router> {
    let mut router = Router::new();
    if let Some(stream) = clicks {
        router = router.merge(clicks::router(stream, rate, memory)?);
    }
    if !streams.is_empty() {
        router = router.merge(streams::router(streams, rate, memory));
    }
    if let Some(collector) = collector {
        router = router.merge(collect_route::router(collector, rate, memory));
    }
    Ok(router.layer(from_fn(identify)))
}

async fn identify(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4();
    request.extensions_mut().insert(id);
    ([(REQUEST_ID, id.to_string())], next.run(request).await).into_response()
}

async fn unknown_method() -> EdgeError {
    EdgeError::UnknownMethod
}

/// CORS on errors, too, so that a page of another origin can read them. A function's own CORS headers stay.
fn with_cors(mut response: Response, methods: &'static str) -> Response {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
