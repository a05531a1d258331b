//! `PUT` and `OPTIONS /clicks`, as module 5's API Gateway, with validation of the body, a size and a rate.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governor::Quota;
use serde_json::{Value, json};

use super::click::ClickSchema;
use super::error::EdgeError;
use super::reader::RequestReader;
use super::unknown_method;
use local_firehose::stream::{DeliveryStream, PutError};

/// The largest valid click has 1.6 KiB: all of it escaped, 64 characters as two times `\uXXXX` each and 128 as one.
const LONGEST_CLICK: usize = 8 * 1024;

struct Clicks {
    stream: DeliveryStream,
    schema: ClickSchema,
    reader: RequestReader,
}

pub(super) fn router(stream: DeliveryStream, rate: Quota) -> anyhow::Result<Router> {
    let clicks = Clicks { stream, schema: ClickSchema::new()?, reader: RequestReader::new(rate, LONGEST_CLICK) };
    let routes = put(put_click)
        .options(async |State(clicks): State<Arc<Clicks>>| clicks.reader.preflight())
        .fallback(unknown_method)
        .layer(map_response(with_cors));
    Ok(Router::new().route("/clicks", routes).with_state(Arc::new(clicks)))
}

async fn put_click(State(clicks): State<Arc<Clicks>>, request: Request) -> Result<Json<Value>, EdgeError> {
    let (head, body) = clicks.reader.read(request).await?;
    let click = clicks.schema.validate(&head.headers, &body)?;
    match clicks.stream.put(vec![STANDARD.encode(click)]).await.pop() {
        Some(Ok(_)) => Ok(Json(json!({"status": "OK"}))),
        // The mapping template maps Firehose's "Slow down." to 429.
        Some(Err(PutError::Throttled(_))) => Err(EdgeError::TooManyRequests),
        Some(Err(PutError::Unavailable)) | None => Err(EdgeError::Unavailable),
    }
}

/// CORS on errors, too, so that a page of another origin can read them.
async fn with_cors(response: Response) -> impl IntoResponse {
    let cors = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS,PUT"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
    ];
    (cors, response)
}
