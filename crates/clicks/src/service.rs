//! The service of a demo or a replay: fixed JSON responses by path.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower_http::cors::{Any, CorsLayer};

use crate::server::Server;

const MYSFITS: &str = include_str!("../../../fixtures/mysfits.json");

/// What the list has of a mysfit; an item has everything.
const IN_LIST: [&str; 6] = ["mysfitId", "name", "goodevil", "lawchaos", "species", "thumbImageUri"];

pub(crate) struct LocalService {
    pub(crate) server: Server,
    responses: Arc<Responses>,
}

struct Responses {
    by_path: BTreeMap<String, Bytes>,
    latency: Duration,
    count: AtomicU64,
}

impl LocalService {
    /// Serves the twelve mysfits as the service of the workshop does, from memory. Delays each response by `latency`.
    pub(crate) async fn of_mysfits(listen: SocketAddr, latency: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let responses = Arc::new(Responses { by_path: mysfits()?, latency, count: AtomicU64::new(0) });
        // The page is on another port, which is another origin.
        let cors = CorsLayer::new().allow_origin(Any).allow_methods([Method::GET]).vary([]);
        let app = Router::new().fallback(respond).layer(cors).with_state(Arc::clone(&responses));
        Ok(Self { server: Server::start(listener, app)?, responses })
    }

    pub(crate) fn requests(&self) -> u64 {
        self.responses.count.load(Ordering::Relaxed)
    }
}

async fn respond(State(responses): State<Arc<Responses>>, method: Method, uri: Uri) -> Response {
    sleep(responses.latency).await;
    responses.count.fetch_add(1, Ordering::Relaxed);
    let error = |status, message| (status, Json(json!({ "message": message }))).into_response();
    match responses.by_path.get(uri.path()) {
        _ if method != Method::GET => error(StatusCode::METHOD_NOT_ALLOWED, "only GET"),
        Some(json) => ([(header::CONTENT_TYPE, "application/json")], json.clone()).into_response(),
        None => error(StatusCode::NOT_FOUND, "nothing has this path"),
    }
}

fn mysfits() -> io::Result<BTreeMap<String, Bytes>> {
    let mut mysfits: Vec<Value> = serde_json::from_str(MYSFITS)?;
    let mut by_path = BTreeMap::new();
    for mysfit in &mut mysfits {
        // A number in the table, and a string in the response, as in the published service.
        mysfit["likes"] = mysfit["likes"].to_string().into();
        let path = format!("/mysfits/{}", mysfit["mysfitId"].as_str().unwrap_or_default());
        by_path.insert(path, Bytes::from(mysfit.to_string()));
        if let Value::Object(attributes) = mysfit {
            attributes.retain(|name, _| IN_LIST.contains(&name.as_str()));
        }
    }
    by_path.insert("/mysfits".to_owned(), Bytes::from(json!({ "mysfits": mysfits }).to_string()));
    Ok(by_path)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use test_support::http::Connection;
    use tokio::task::block_in_place;

    use super::*;

    const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn responds_as_the_service_over_dynamodb() {
        let ours = LocalService::of_mysfits(ANY_PORT, Duration::ZERO).await.unwrap();
        let theirs = mysfits_service::LocalService::start_with_latency(ANY_PORT, Duration::ZERO).await.unwrap();
        let paths: Vec<String> = mysfits().unwrap().into_keys().collect();
        assert_eq!(paths.len(), 13);
        for path in &paths {
            let both = [ours.server.url(), theirs.base_url()].map(|url| {
                let response = block_in_place(|| Connection::open(&url).get(path, "localhost"));
                let mut body: Value = response.json();
                if let Some(mysfits) = body["mysfits"].as_array_mut() {
                    mysfits.sort_by_key(ToString::to_string);
                }
                let header = |name| response.header(name).map(str::to_owned);
                (response.status, header("content-type"), header("access-control-allow-origin"), body)
            });
            assert_eq!(both[0], both[1], "{path}");
        }
        assert_eq!(ours.requests(), 13);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn other_paths_and_methods_are_refused() {
        let service = LocalService::of_mysfits(ANY_PORT, Duration::ZERO).await.unwrap();
        let url = service.server.url();
        for (method, path, status) in
            [("GET", "/mysfits/unknown", 404), ("GET", "/mysfits/", 404), ("GET", "/", 404), ("PUT", "/mysfits", 405)]
        {
            let response = block_in_place(|| Connection::open(&url).ask(method, path, "", ""));
            assert_eq!((response.status, response.json()["message"].is_string()), (status, true), "{method} {path}");
        }
    }
}
