//! The service of a demo or a replay: fixed JSON responses by path.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower_http::cors::{Any, CorsLayer};

use crate::error::UsageError;
use local_firehose::http::HttpServer;

const MYSFITS: &str = include_str!("../../../fixtures/mysfits.json");

const IN_LIST: [&str; 6] = ["mysfitId", "name", "goodevil", "lawchaos", "species", "thumbImageUri"];

/// The most files of a folder, and their size: they are in memory.
const MAX_FILES: usize = 100_000;
const MAX_BYTES: usize = 64 << 20;

pub(crate) type Responses = BTreeMap<String, Bytes>;

pub(crate) struct MysfitsFileServer {
    pub(crate) server: HttpServer,
    files: Arc<Files>,
}

struct Files {
    responses: Responses,
    latency: Duration,
    count: AtomicU64,
}

impl MysfitsFileServer {
    pub(crate) async fn start(responses: Responses, listen: SocketAddr, latency: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let files = Arc::new(Files { responses, latency, count: AtomicU64::new(0) });
        // The page is on another port, which is another origin.
        let cors = CorsLayer::new().allow_origin(Any).allow_methods([Method::GET]).vary([]);
        let app = Router::new().fallback(respond).layer(cors).with_state(Arc::clone(&files));
        Ok(Self { server: HttpServer::start(listener, app)?, files })
    }

    pub(crate) fn requests(&self) -> u64 {
        self.files.count.load(Ordering::Relaxed)
    }
}

async fn respond(State(files): State<Arc<Files>>, method: Method, uri: Uri) -> Response {
    sleep(files.latency).await;
    files.count.fetch_add(1, Ordering::Relaxed);
    let error = |status, message| (status, Json(json!({ "message": message }))).into_response();
    // A query selects nothing: a list's may have one, such as `?limit=1000`.
    match files.responses.get(uri.path()) {
        _ if method != Method::GET => error(StatusCode::METHOD_NOT_ALLOWED, "only GET"),
        Some(json) => ([(header::CONTENT_TYPE, "application/json")], json.clone()).into_response(),
        None => error(StatusCode::NOT_FOUND, "nothing has this path"),
    }
}

/// The JSON files of a folder by their path, without hidden ones; without a folder, the mysfits, as the workshop's service responds.
pub(crate) fn responses(folder: Option<&Path>) -> anyhow::Result<Responses> {
    let Some(folder) = folder else { return Ok(mysfits()?) };
    let mut found = Responses::new();
    add_files(folder, "", &mut found, &mut 0)?;
    if found.is_empty() {
        return Err(problem(folder, "found no .json file").into());
    }
    Ok(found)
}

fn problem(path: &Path, problem: impl Display) -> UsageError {
    UsageError(format!("`service-files`: {}: {problem}", path.display()))
}

fn add_files(folder: &Path, prefix: &str, found: &mut Responses, bytes: &mut usize) -> Result<(), UsageError> {
    for entry in fs::read_dir(folder).map_err(|error| problem(folder, error))? {
        let path = entry.map_err(|error| problem(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        let is_folder = path.is_dir();
        let Some(part) = name.strip_suffix(".json").or(is_folder.then_some(&*name)) else { continue };
        if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return Err(problem(
                &path,
                "found a name that a URL would encode; accepted: characters of [A-Za-z0-9._~-]",
            ));
        }
        let url_path = format!("{prefix}/{part}");
        if is_folder {
            add_files(&path, &url_path, found, bytes)?;
            continue;
        }
        let json = fs::read(&path).map_err(|error| problem(&path, error))?;
        serde_json::from_slice::<IgnoredAny>(&json)
            .map_err(|error| problem(&path, format_args!("not JSON: {error}")))?;
        *bytes += json.len();
        found.insert(url_path, json.into());
        if *bytes > MAX_BYTES || found.len() > MAX_FILES {
            return Err(problem(&path, format_args!("found more than {MAX_FILES} files or {MAX_BYTES} bytes so far")));
        }
    }
    Ok(())
}

fn mysfits() -> Result<Responses, serde_json::Error> {
    let mut mysfits: Vec<Value> = serde_json::from_str(MYSFITS)?;
    let mut by_path = Responses::new();
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
        let ours = MysfitsFileServer::start(responses(None).unwrap(), ANY_PORT, Duration::ZERO).await.unwrap();
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
    async fn files_are_served_by_their_path() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("shop/products.json", "[1]");
        write("shop/products/7.json", "{\"id\":7}");
        write("shop/notes.txt", "no JSON");
        write(".git/config.json", "no JSON");
        let files = responses(Some(folder.path())).unwrap();
        let service = MysfitsFileServer::start(files, ANY_PORT, Duration::ZERO).await.unwrap();
        for (path, expected) in [
            ("/shop/products", Some("[1]")),
            ("/shop/products?limit=9", Some("[1]")),
            ("/shop/products/7", Some("{\"id\":7}")),
            ("/shop/products/8", None),
            ("/shop/products.json", None),
            ("/shop/notes", None),
            ("/shop/../shop/products", None),
        ] {
            let response = block_in_place(|| Connection::open(&service.server.url()).get(path, "localhost"));
            assert_eq!((response.status == 200).then_some(&*response.body), expected, "{path}");
        }
    }

    #[test]
    fn a_folder_that_is_no_service_is_refused() {
        for (file, text, message) in [
            ("a.txt", "", "found no .json file"),
            ("a.json", "{", "a.json: not JSON: EOF while parsing an object at line 1 column 1"),
            (
                "a b.json",
                "{}",
                "a b.json: found a name that a URL would encode; accepted: characters of [A-Za-z0-9._~-]",
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(file), text).unwrap();
            let error = responses(Some(folder.path())).unwrap_err().to_string();
            assert!(error.starts_with("`service-files`: /") && error.ends_with(message), "{error}");
        }
        assert!(responses(Some(Path::new("/nowhere"))).is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn other_paths_and_methods_are_refused() {
        let service = MysfitsFileServer::start(responses(None).unwrap(), ANY_PORT, Duration::ZERO).await.unwrap();
        let url = service.server.url();
        for (method, path, status) in
            [("GET", "/mysfits/unknown", 404), ("GET", "/mysfits/", 404), ("GET", "/", 404), ("PUT", "/mysfits", 405)]
        {
            let response = block_in_place(|| Connection::open(&url).ask(method, path, "", ""));
            assert_eq!((response.status, response.json()["message"].is_string()), (status, true), "{method} {path}");
        }
    }
}
