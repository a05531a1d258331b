//! `PUT` and `OPTIONS /clicks`, as module 5's API Gateway answers them, with a check of the body, a size and a rate.
//!
//! The order is API Gateway's: the rate first, then the size, the content type, the body, and at last Firehose. Firehose
//! itself, which refuses in its own words, is not seen from here, and neither are its credentials.

mod body;
mod click;
mod refusal;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use self::click::SchemaError;

use self::click::ClickSchema;
use self::refusal::Refusal;
use crate::stream::{Refused, Stream};

/// What API Gateway calls a request in its logs, on every answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The way of clicks into `stream`: so many requests a second, and so many at once, as API Gateway's `rateLimit` and
/// `burstLimit`.
pub(crate) fn router(stream: Stream, rate: NonZeroU32, burst: NonZeroU32) -> Result<Router, SchemaError> {
    let rate = RateLimiter::direct(Quota::per_second(rate).allow_burst(burst));
    let edge = Edge { stream, schema: ClickSchema::new()?, rate };
    let clicks = put(put_click).options(preflight).fallback(other_method).layer(map_response(with_headers));
    Ok(Router::new().route("/clicks", clicks).with_state(Arc::new(edge)))
}

struct Edge {
    stream: Stream,
    schema: ClickSchema,
    rate: DefaultDirectRateLimiter,
}

async fn put_click(State(edge): State<Arc<Edge>>, request: Request) -> Result<Json<Value>, Refusal> {
    let in_rate = edge.rate.check();
    let (head, body) = request.into_parts();
    // Read in any case: who is still sending when the connection is closed sees that instead of the answer.
    let body = body::read(body, body::TIMEOUT).await;
    in_rate.map_err(|_| Refusal::TooManyRequests)?;
    let click = edge.schema.check(&head.headers, &body?)?;
    match edge.stream.put(vec![STANDARD.encode(click)]).await.pop() {
        Some(Ok(_)) => Ok(Json(json!({"status": "OK"}))),
        // Firehose's "Slow down." is the mapping template's 429.
        Some(Err(Refused::Busy)) => Err(Refusal::TooManyRequests),
        Some(Err(Refused::Unavailable)) | None => Err(Refusal::Unavailable),
    }
}

/// A mock integration in API Gateway, which is under the rate as well: JSON of no content.
async fn preflight(State(edge): State<Arc<Edge>>) -> Result<impl IntoResponse, Refusal> {
    edge.rate.check().map_err(|_| Refusal::TooManyRequests)?;
    Ok([(header::CONTENT_TYPE, "application/json")])
}

async fn other_method() -> Refusal {
    Refusal::NoSuchMethod
}

/// CORS on refusals, too: a page of another origin could not see them otherwise.
async fn with_headers(response: Response) -> impl IntoResponse {
    let cors = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS,PUT"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
    ];
    (cors, [(REQUEST_ID, Uuid::new_v4().to_string())], response)
}
