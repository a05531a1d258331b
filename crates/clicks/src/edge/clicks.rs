//! `PUT` and `OPTIONS /clicks`, as module 5's API Gateway answers them, with a check of the body, a size and a rate.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::click::{ClickSchema, SchemaError};
use super::entrance::Entrance;
use super::refusal::Refusal;
use super::{LONGEST_CLICK, Rate, other_method};
use local_firehose::stream::{Refused, Stream};

struct Edge {
    stream: Stream,
    schema: ClickSchema,
    entrance: Entrance,
}

/// The way of clicks into a stream.
pub(super) fn router(stream: Stream, rate: Rate) -> Result<Router, SchemaError> {
    let edge = Edge { stream, schema: ClickSchema::new()?, entrance: Entrance::new(rate, LONGEST_CLICK) };
    let clicks = put(put_click)
        .options(async |State(edge): State<Arc<Edge>>| edge.entrance.preflight())
        .fallback(other_method)
        .layer(map_response(with_cors));
    Ok(Router::new().route("/clicks", clicks).with_state(Arc::new(edge)))
}

async fn put_click(State(edge): State<Arc<Edge>>, request: Request) -> Result<Json<Value>, Refusal> {
    let (head, body) = edge.entrance.take(request).await?;
    let click = edge.schema.check(&head.headers, &body)?;
    match edge.stream.put(vec![STANDARD.encode(click)]).await.pop() {
        Some(Ok(_)) => Ok(Json(json!({"status": "OK"}))),
        // Firehose's "Slow down." is the mapping template's 429.
        Some(Err(Refused::Busy)) => Err(Refusal::TooManyRequests),
        Some(Err(Refused::Unavailable)) | None => Err(Refusal::Unavailable),
    }
}

/// CORS on refusals, too: a page of another origin could not see them otherwise.
async fn with_cors(response: Response) -> impl IntoResponse {
    let cors = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS,PUT"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
    ];
    (cors, response)
}
