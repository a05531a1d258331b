//! The page's port: the files of the page, what the page asks about the pipeline, and the edge.
//!
//! The page is for those who know this machine's address. A page of somebody else's may not read it: its scripts see no
//! answer without CORS, and DNS that is pointed at this machine does not pass the check of the `Host`. The edge is not
//! checked so: to API Gateway any name is right, and any page may put clicks in any case.

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

pub(crate) use self::service::{ServiceAddress, ServiceUrlError};

use self::events::Events;
use self::guard::guard;
use self::service::ServiceUrl;
use local_firehose::stream::Stream;

/// What the site is made of.
pub(crate) struct Site {
    /// The folder of the page's files.
    pub(crate) web: PathBuf,
    /// Where the page finds the mysfits.
    pub(crate) service: ServiceAddress,
    /// What the pipeline page shows.
    pub(crate) streams: Vec<Stream>,
    /// Becomes true, or loses its sender, when the process stops: then the pages that follow the pipeline are let go.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The site, with the edge at `/clicks`.
pub(crate) fn router(site: Site, edge: Router) -> Router {
    let events = Arc::new(Events::new(site.streams.clone(), site.stopping));
    let guarded = Arc::new(site.service);
    let files = ServeDir::new(site.web).fallback(any(no_file));
    Router::new()
        .route("/config.json", get(config))
        .route("/pipeline/events", get(events::follow).with_state(events))
        .route("/pipeline/object", get(object::show).with_state(site.streams.into()))
        .fallback_service(files)
        .layer(from_fn_with_state(guarded, guard))
        .merge(edge)
        .layer(map_response(with_headers))
}

/// What the page's scripts have to know. In the cloud it is a file, without the last one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    mysfits_url: &'a str,
    clicks_url: &'a str,
    pipeline_url: &'a str,
}

async fn config(Extension(service): Extension<ServiceUrl>) -> Response {
    let config = Config { mysfits_url: service.as_str(), clicks_url: "/clicks", pipeline_url: "/pipeline/" };
    Json(config).into_response()
}

async fn no_file() -> Response {
    refusal(StatusCode::NOT_FOUND, "no such page")
}

/// An answer in the form of all refusals here.
fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message}))).into_response()
}

/// What a browser is not to do with any answer of this port. The content security policy is the pages' own.
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
