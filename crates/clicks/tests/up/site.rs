//! The page's port: files, the state of the pipeline, and security headers.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use test_support::files::files;
use test_support::http::{Connection, Response};
use test_support::up::{STREAM, Up};

pub(crate) const CLICK: &str = r#"{"userId":"guest","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#;

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web")
}

fn port(url: &str) -> &str {
    url.trim_end_matches('/').rsplit(':').next().unwrap()
}

pub(crate) fn get(up: &Up, path: &str) -> Response {
    Connection::open(up.page()).get(path, "localhost")
}

pub(crate) fn click(up: &Up, body: &str) {
    let response = Connection::open(up.page()).ask("PUT", "/clicks", "Content-Type: application/json\r\n", body);
    response.is(200);
}

#[test]
fn the_service_has_the_host_of_the_page() {
    let up = Up::start(&[]);
    let service = port(up.address("mysfits")).to_owned();
    let mut connection = Connection::open(up.page());
    for (host, origin) in [
        ("127.0.0.1", format!("http://127.0.0.1:{service}")),
        ("127.0.0.1:8000", format!("http://127.0.0.1:{service}")),
        ("localhost:8000", format!("http://localhost:{service}")),
        // A policy can't have this address.
        ("[::1]:8000", format!("http://localhost:{service}")),
    ] {
        let response = connection.get("/config.json", host);
        let config: Value = serde_json::from_str(&response.body).unwrap();
        let expected = json!({ "mysfitsUrl": origin, "clicksUrl": "/clicks", "pipelineUrl": "/pipeline/" });
        assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")), "{response:?}");
        assert_eq!(config, expected, "{host}");
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.contains(&format!("connect-src 'self' {origin};")), "{policy}");
    }
    // The service allows requests of a page at localhost.
    let mysfits = Connection::open(up.address("mysfits")).get("/mysfits", "localhost");
    assert_eq!((mysfits.status, mysfits.header("access-control-allow-origin")), (200, Some("*")), "{mysfits:?}");

    let external = Up::start(&["--service", "https://mysfits.example/prod/"]);
    let response = Connection::open(external.page()).get("/config.json", "localhost");
    assert!(response.body.contains(r#""mysfitsUrl":"https://mysfits.example/prod","#), "{}", response.body);
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.contains("connect-src 'self' https://mysfits.example;"), "{policy}");
}

#[test]
fn other_hosts_are_refused() {
    let up = Up::start(&[]);
    let mut connection = Connection::open(up.page());
    let pages = ["/", "/site.js", "/config.json", "/pipeline/", "/nothing"];
    let state = [
        "/pipeline/events",
        "/pipeline/object",
        "/pipeline/history",
        "/pipeline/ranking",
        "/pipeline/sql",
        "/metrics",
        "/health",
    ];
    for path in pages.into_iter().chain(state) {
        let response = connection.get(path, "evil.example:8000");
        assert_eq!(
            (response.status, response.header("content-type")),
            (421, Some("application/json")),
            "{path}: {response:?}"
        );
        assert!(
            response.body.starts_with(r#"{"message":"invalid Host; accepted are localhost"#),
            "{path}: {}",
            response.body
        );
    }
}

/// The end of `style-src`, if it has a nonce.
fn nonce_of(response: &Response) -> Option<String> {
    let (_, nonce) = response.header("content-security-policy")?.split_once("style-src 'self' ")?;
    nonce.split_once(';').map(|(nonce, _)| format!(" {nonce}"))
}

#[test]
fn every_response_has_security_headers() {
    let up = Up::start(&[]);
    let service = port(up.address("mysfits")).to_owned();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' http://localhost:{service}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    for (path, status) in [
        ("/", 200),
        ("/site.js", 200),
        ("/pipeline/", 200),
        ("/pipeline/index.html", 200),
        ("/config.json", 200),
        ("/nothing", 404),
        ("/pipeline/object?stream=a&path=b", 404),
        ("/pipeline/object", 400),
        ("/pipeline/history?stream=a", 404),
        ("/metrics", 200),
        ("/health", 200),
        // An endless response, of which only the head is read.
        ("/pipeline/events", 200),
    ] {
        let mut connection = Connection::open(up.page());
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        let response = connection.head();
        assert_eq!(response.status, status, "{path}: {response:?}");
        let nonce = nonce_of(&response);
        assert_eq!(nonce.is_some(), path == "/pipeline/", "{path}: {response:?}");
        let policy = policy.replace("style-src 'self'", &format!("style-src 'self'{}", nonce.unwrap_or_default()));
        for (name, value) in [
            ("content-security-policy", policy.as_str()),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(response.header(name), Some(value), "{path}: {name}");
        }
        // Scripts of other origins may not read it.
        assert_eq!(response.header("access-control-allow-origin"), None, "{path}");
    }
}

#[test]
fn each_file_has_its_content_type() {
    has_each_file(Up::start(&[]).page());
}

/// Whether all files of the pages are served, with their content type.
#[track_caller]
pub(crate) fn has_each_file(page: &str) {
    let mut connection = Connection::open(page);
    let paths = files(&web());
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        let content_type = match path.extension().and_then(|extension| extension.to_str()) {
            Some("html") => "text/html",
            Some("js") => "text/javascript",
            Some("css") => "text/css",
            Some("svg") => "image/svg+xml",
            Some("md") => "text/markdown",
            // The licence of a library.
            None => "application/octet-stream",
            other => panic!("a file without a known content type: {other:?}"),
        };
        let name = path.strip_prefix(web()).unwrap().to_str().unwrap();
        let response = connection.get(&format!("/{name}"), "localhost");
        let seen = (response.status, response.header("content-type"), response.body.as_bytes());
        assert_eq!(seen, (200, Some(content_type), &*fs::read(&path).unwrap()), "{name}");
    }
    assert_eq!(connection.get("/", "localhost").body, fs::read_to_string(web().join("index.html")).unwrap());
}

/// The first paint of the pipeline's page waits for no other file.
#[test]
fn the_pipeline_page_has_its_stylesheets() {
    let up = Up::start(&[]);
    let page = get(&up, "/pipeline/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")), "{page:?}");
    assert!(!page.body.contains("rel=\"stylesheet\""), "{}", page.body);
    for path in ["style.css", "pipeline/pipeline.css"] {
        assert!(page.body.contains(&fs::read_to_string(web().join(path)).unwrap()), "{path}");
    }
}

#[test]
fn no_file_outside_the_folder_is_served() {
    let up = Up::start(&[]);
    // It exists, one folder up.
    assert!(web().join("../Cargo.toml").is_file());
    for path in [
        "/../Cargo.toml",
        "/./../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/%2E%2E%2FCargo.toml",
        "/..%2fCargo.toml",
        "/..%5cCargo.toml",
        "/..%252fCargo.toml",
        "/pipeline/../../Cargo.toml",
        "/pipeline/..%2f..%2fCargo.toml",
        "/images/%2e%2e/%2e%2e/Cargo.toml",
        "//../Cargo.toml",
        "http://localhost/../Cargo.toml",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/%00",
        "/index.html%00",
        "/%ff",
        "../Cargo.toml",
    ] {
        // A connection each, because an invalid request closes it.
        let mut connection = Connection::open(up.page());
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        let response = connection.response();
        assert!([400, 404].contains(&response.status), "{path}: {response:?}");
        assert!(!response.body.contains('['), "{path}: {}", response.body);
    }
}

#[test]
fn the_first_event_has_all_accepted_records() {
    let up = Up::start(&["--buffer-seconds", "900", "--buffer-mb", "3"]);
    // Faster than the events of open pages.
    for accepted in 1..=30 {
        up.put(&["{}"]);
        let view = up.snapshot();
        let buffered = &view["buffered"];
        assert_eq!((&view["accepted"], &buffered["records"]), (&json!(accepted), &json!(accepted)), "{view:#}");
        assert_eq!(buffered["bytes"], 2 * accepted, "{view:#}");
        assert!(buffered["flush_in_ms"].as_u64() > Some(0), "{view:#}");
    }
}

#[test]
fn events_show_the_pipeline_until_the_process_stops() {
    let mut up = Up::start(&[]);
    let mut viewer = Connection::open(up.page());
    viewer.send(b"GET /pipeline/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = viewer.head();
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")), "{head:?}");
    let mut next = || serde_json::from_str::<Value>(&viewer.line_with("data: ")).unwrap()["stream"].take();
    let nothing = |field: &Value| field["records"] == 0 && field["bytes"] == 0 && field["flush_in_ms"].is_null();

    let first = next();
    assert_eq!((&first["stream"], &first["accepted"]), (&json!(STREAM), &json!(0)));
    assert!(nothing(&first["buffered"]) && nothing(&first["waiting"]), "{first:#}");
    click(&up, CLICK);
    let mut seen = vec![next()];
    while seen.last().unwrap()["delivered"] != 1 {
        seen.push(next());
    }
    for view in &seen {
        assert_eq!(view["accepted"], 1);
    }
    let last = seen.last().unwrap();
    assert_eq!((&last["objects"][0]["kind"], &last["objects"][0]["records"]), (&json!("delivered"), &json!(1)));
    assert_eq!(
        (&last["invocations"][0]["outcome"], &last["invocations"][0]["cold"]),
        (&json!("response"), &json!(true))
    );
    assert_eq!(last["values"]["mysfitId"], json!({ "4e53920c-505a-4a90-a694-b9300791f0ae": 1 }));

    up.signal("-TERM");
    // The end of a chunked response, which was not cut off.
    assert!(viewer.rest().ends_with("\r\n0\r\n\r\n"));
    assert_eq!(up.end().code, Some(0));
}
