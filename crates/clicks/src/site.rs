//! The page's port: the files of the pages, the state of the pipeline, and the edge.
//!
//! Pages of other origins can't read the site: without CORS their scripts see no response, and a DNS name that resolves to this
//! machine fails the check of the `Host`. The edge has no such check: API Gateway accepts any name, and any page may put clicks.

mod events;
mod guard;
mod host;
mod object;
mod service;

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use tower_http::services::ServeDir;

pub(crate) use self::service::ServiceAddress;

use self::events::Events;
use self::guard::guard;
use self::service::ServiceUrl;
use local_firehose::stream::DeliveryStream;

pub(crate) struct Site {
    pub(crate) web: PathBuf,
    pub(crate) service: ServiceAddress,
    pub(crate) streams: Vec<DeliveryStream>,
    /// True, or without its sender, when the process stops. Then event streams end.
    pub(crate) stopping: watch::Receiver<bool>,
}

pub(crate) fn router(site: Site, edge: Router) -> Router {
    let events = Arc::new(Events::new(site.streams.clone(), site.stopping));
    let service = Arc::new(site.service);
    let files = ServeDir::new(site.web).fallback(any(not_found));
    Router::new()
        .route("/config.json", get(config))
        .route("/pipeline/events", get(events::follow).with_state(events))
        .route("/pipeline/object", get(object::show).with_state(site.streams.into()))
        .fallback_service(files)
        .layer(from_fn_with_state(service, guard))
        .merge(edge)
        .layer(map_response(with_headers))
}

/// The configuration of the page's scripts. In the cloud it is a file, without the last URL.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    mysfits_url: &'a str,
    clicks_url: &'a str,
    pipeline_url: &'a str,
}

async fn config(Extension(service): Extension<ServiceUrl>) -> Response {
    let config = Config { mysfits_url: &service.url, clicks_url: "/clicks", pipeline_url: "/pipeline/" };
    Json(config).into_response()
}

async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "unknown page")
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message}))).into_response()
}

/// Security headers of every response. The content security policy is of the pages only.
async fn with_headers(response: Response) -> impl IntoResponse {
    let headers = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (guard::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    ];
    (headers, response)
}

#[cfg(test)]
mod tests;
