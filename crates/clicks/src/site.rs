//! The page's port: the files of the pages, the state of the pipeline, its metrics and its health, and the edge.
//!
//! Pages of other origins can't read the site: without CORS their scripts see no response, and a DNS name that resolves to this
//! machine fails the check of the `Host`. The edge has no such check: API Gateway accepts any name, and any page may put clicks.

mod analysis;
mod chosen_stream;
mod error_response;
mod events;
mod monitoring;
mod object;
mod pages;
mod pipeline_page;
mod records;
mod service;
mod sql;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;

use self::error_response::error;
use self::events::Events;
use self::pipeline_page::StyleNonce;
use self::service::{PageServiceUrl, host};
use crate::edge::{Collector, IngestionPaths};
use local_firehose::registry::Registry;

pub(crate) use self::pages::Pages;
pub(crate) use self::service::ServiceAddress;

pub(crate) struct Site {
    pub(crate) pages: Pages,
    pub(crate) service: ServiceAddress,
    pub(crate) streams: Registry,
    pub(crate) collector: Option<Arc<Collector>>,
    pub(crate) ingestion_paths: IngestionPaths,
    /// True, or without its sender, when the process stops. Then event streams end.
    pub(crate) stopping: watch::Receiver<bool>,
}

pub(crate) fn router(site: Site, edge: Router) -> Router {
    let events = Events::new(site.streams.clone(), site.collector.clone(), site.ingestion_paths, site.stopping.clone());
    let service = Arc::new(site.service);
    let state = Router::new()
        .route("/config.json", get(config))
        .route("/pipeline/events", get(events::follow).with_state(Arc::new(events)))
        .merge(records::router(site.streams.clone(), site.stopping))
        .merge(object::router(site.streams.clone()))
        .merge(pipeline_page::router(site.pages.clone()))
        .merge(analysis::router(site.streams.clone()))
        .merge(monitoring::router(site.streams, site.collector));
    site.pages.serve(state).layer(from_fn_with_state(service, guard)).merge(edge).layer(map_response(with_headers))
}

/// The configuration of the page's scripts. In the cloud it is a file, without the last URL.
async fn config(Extension(service): Extension<PageServiceUrl>) -> Json<Value> {
    Json(json!({ "mysfitsUrl": service.url, "clicksUrl": "/clicks", "pipelineUrl": "/pipeline/" }))
}

/// The content security policy is of the pages only.
async fn with_headers(response: Response) -> impl IntoResponse {
    let headers = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    ];
    (headers, response)
}

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

async fn guard(State(service): State<Arc<ServiceAddress>>, mut request: Request, next: Next) -> Response {
    let service = host(request.headers()).map(|host| service.for_host(&host));
    let response = match &service {
        // A folder's redirect would lead to another host: a browser reads `//pipeline/` as one.
        _ if request.uri().path().starts_with("//") => error(StatusCode::NOT_FOUND, "unknown page"),
        Some(service) => {
            request.extensions_mut().insert(service.clone());
            next.run(request).await
        }
        None => error(StatusCode::MISDIRECTED_REQUEST, "invalid Host; accepted are localhost and IP addresses"),
    };
    // Fails closed. A host, an origin and a nonce have valid characters of a header only.
    let policy = content_security_policy(service.as_ref(), response.extensions().get());
    let Ok(policy) = HeaderValue::try_from(policy) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        // For a developer, whose files change.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, response).into_response()
}

fn content_security_policy(service: Option<&PageServiceUrl>, nonce: Option<&StyleNonce>) -> String {
    let service = service.map(|service| format!(" {}", service.origin)).unwrap_or_default();
    let nonce = nonce.map(|StyleNonce(nonce)| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{nonce}; img-src 'self'; connect-src 'self'{service}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests;
