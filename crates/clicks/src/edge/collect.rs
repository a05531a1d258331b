//! `POST` and `OPTIONS /collect`: a function behind API Gateway's REST API, with the Lambda proxy integration.
//!
//! ```text
//! request ─▶ event ─▶ the function ─▶ status, headers, body ─▶ response
//! ```

mod proxy_event;
mod response;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use governor::Quota;
use runtime_api::MAX_EVENT_BYTES;

use super::error::EdgeError;
use super::reader::RequestReader;
use super::{RequestId, unknown_method};
use crate::collector::{Collector, InvokeFailure};

/// The longest body (Amazon API Gateway quotas, "Payload size"). A body whose event is over Lambda's limit is too long, too.
const LONGEST: usize = 10 * 1024 * 1024;

struct Collect {
    collector: Collector,
    reader: RequestReader,
}

pub(super) fn router(collector: Collector, rate: Quota) -> Router {
    let state = Collect { collector, reader: RequestReader::new(rate, LONGEST) };
    let collect = post(invoke)
        .options(async |State(collect): State<Arc<Collect>>| collect.reader.preflight())
        .fallback(unknown_method)
        .layer(map_response(with_cors));
    Router::new().route("/collect", collect).with_state(Arc::new(state))
}

async fn invoke(
    State(collect): State<Arc<Collect>>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
) -> Result<Response, EdgeError> {
    let (head, body) = collect.reader.read(request).await?;
    let event = proxy_event::from_request(&head, &body, id);
    drop(body);
    if event.len() > MAX_EVENT_BYTES {
        return Err(EdgeError::TooLong);
    }
    match collect.collector.invoke(event).await {
        Ok(reply) => response::from_reply(&reply).ok_or(EdgeError::FunctionFailed),
        Err(InvokeFailure::Busy) => Err(EdgeError::TooManyRequests),
        Err(InvokeFailure::Stopping) => Err(EdgeError::Unavailable),
        Err(InvokeFailure::TimedOut) => Err(EdgeError::FunctionTimeout),
        Err(InvokeFailure::Failed) => Err(EdgeError::FunctionFailed),
    }
}

/// CORS on errors, too. The function's own CORS headers stay.
async fn with_cors(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS,POST,GET"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
