//! `POST` and `OPTIONS /collect`: a function behind API Gateway's REST API, with the Lambda proxy integration.
//!
//! ```text
//! request ─▶ event (as API Gateway tells it) ─▶ the function ─▶ answer (status, headers, body) ─▶ response
//! ```

mod answer;
mod event;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use runtime_api::MAX_EVENT_BYTES;

use super::entrance::Entrance;
use super::refusal::Refusal;
use super::{Rate, RequestId, other_method};
use crate::collector::{Collector, NoAnswer};

/// The longest body (Amazon API Gateway quotas, "Payload size"). What makes an event larger than Lambda takes is too long, too.
const LONGEST: usize = 10 * 1024 * 1024;

struct Edge {
    collector: Collector,
    entrance: Entrance,
}

/// The way to the collector.
pub(super) fn router(collector: Collector, rate: Rate) -> Router {
    let edge = Edge { collector, entrance: Entrance::new(rate, LONGEST) };
    let collect = post(invoke)
        .options(async |State(edge): State<Arc<Edge>>| edge.entrance.preflight())
        .fallback(other_method)
        .layer(map_response(with_cors));
    Router::new().route("/collect", collect).with_state(Arc::new(edge))
}

async fn invoke(
    State(edge): State<Arc<Edge>>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
) -> Result<Response, Refusal> {
    let (head, body) = edge.entrance.take(request).await?;
    let event = event::of(&head, &body, id);
    drop(body);
    if event.len() > MAX_EVENT_BYTES {
        return Err(Refusal::TooLong);
    }
    match edge.collector.invoke(event).await {
        Ok(reply) => answer::response(&reply).ok_or(Refusal::BadFunction),
        Err(NoAnswer::Busy) => Err(Refusal::TooManyRequests),
        Err(NoAnswer::Stopping) => Err(Refusal::Unavailable),
        Err(NoAnswer::TimedOut) => Err(Refusal::SlowFunction),
        Err(NoAnswer::Failed) => Err(Refusal::BadFunction),
    }
}

/// CORS on what the function has not answered, too; what it says of CORS itself counts.
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
