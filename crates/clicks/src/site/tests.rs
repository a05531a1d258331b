use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::routing::any;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;

/// A site without streams, with a few files.
struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    _web: TempDir,
}

impl Served {
    async fn start() -> Self {
        let web = tempfile::tempdir().unwrap();
        fs::create_dir(web.path().join("pipeline")).unwrap();
        for (name, contents) in [
            ("index.html", "the page"),
            ("pipeline/index.html", "the <link rel=\"stylesheet\" href=\"../style.css\">pipeline"),
            ("clicks.js", "export {}"),
            ("style.css", "a {}"),
            ("mysfit.svg", "<svg/>"),
        ] {
            fs::write(web.path().join(name), contents).unwrap();
        }
        let (stop, stopping) = watch::channel(false);
        let site = Site {
            pages: Pages::Folder(web.path().to_owned()),
            service: ServiceAddress::Local(8002),
            streams: Registry::default(),
            collector: None,
            ingestion_paths: IngestionPaths::default(),
            stopping,
        };
        let edge = Router::new().route("/clicks", any(async || "the edge"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router(site, edge)).await });
        Self { address, stop, _web: web }
    }

    /// Sends a request without reading the response.
    fn request(&self, line: &str, host: &str) -> BufReader<TcpStream> {
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(connection, "{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        BufReader::new(connection)
    }

    fn get(&self, path: &str, host: &str) -> Response {
        Response::read(self.request(&format!("GET {path}"), host))
    }
}

struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Response {
    fn read(mut connection: impl Read) -> Self {
        let mut text = String::new();
        connection.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: format!("{head}\r\n"), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_their_types() {
    let site = Served::start().await;
    for (path, status, content_type, body) in [
        ("/", 200, "text/html", "the page"),
        ("/index.html?v=1", 200, "text/html", "the page"),
        ("/pipeline/index.html", 200, "text/html", "the <link rel=\"stylesheet\" href=\"../style.css\">pipeline"),
        ("/clicks.js", 200, "text/javascript", "export {}"),
        ("/style.css", 200, "text/css", "a {}"),
        ("/mysfit.svg", 200, "image/svg+xml", "<svg/>"),
        ("/nothing", 404, "application/json", r#"{"message":"unknown page"}"#),
        ("/../index.html", 404, "application/json", r#"{"message":"unknown page"}"#),
        ("/%2e%2e/index.html", 404, "application/json", r#"{"message":"unknown page"}"#),
        ("/clicks/", 404, "application/json", r#"{"message":"unknown page"}"#),
    ] {
        let response = site.get(path, "localhost");
        let seen = (response.status, response.header("content-type"), response.body.as_str());
        assert_eq!(seen, (status, Some(content_type), body), "{path}");
    }
    let folder = site.get("/pipeline", "localhost");
    assert_eq!((folder.status, folder.header("location")), (307, Some("/pipeline/")));
    assert_eq!(Response::read(site.request("POST /", "localhost")).status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_has_security_headers() {
    let site = Served::start().await;
    for (path, host, status) in [
        ("/", "localhost:8000", 200),
        ("/nothing", "localhost:8000", 404),
        ("/config.json", "localhost:8000", 200),
        ("/pipeline/object", "localhost:8000", 400),
        ("/", "evil.example", 421),
        ("/clicks", "localhost:8000", 200),
    ] {
        let response = site.get(path, host);
        assert_eq!(response.status, status, "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(response.header(name), Some(value), "{path}: {name}");
        }
        let is_page = path != "/clicks";
        assert_eq!(response.header("cache-control"), is_page.then_some("no-cache"), "{path}");
        let policy = response.header("content-security-policy");
        assert_eq!(policy.is_some_and(|policy| policy.starts_with("default-src 'none'; ")), is_page, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_has_the_url_of_the_service() {
    let site = Served::start().await;
    for (host, origin) in [
        ("localhost:8000", "http://localhost:8002"),
        ("192.168.1.20:8000", "http://192.168.1.20:8002"),
        ("[::1]:8000", "http://localhost:8002"),
    ] {
        let response = site.get("/config.json", host);
        let config = json!({ "mysfitsUrl": origin, "clicksUrl": "/clicks", "pipelineUrl": "/pipeline/" });
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(serde_json::from_str::<Value>(&response.body).unwrap(), config);
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.contains(&format!("connect-src 'self' {origin};")), "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_check_the_host_and_the_edge_does_not() {
    let site = Served::start().await;
    for path in ["/", "/nothing", "/config.json", "/pipeline/events", "/pipeline/object?stream=a&path=b"] {
        let response = site.get(path, "evil.example:8000");
        assert_eq!(response.status, 421, "{path}");
        assert_eq!(response.body, r#"{"message":"invalid Host; accepted are localhost and IP addresses"}"#);
    }
    assert_eq!(site.get("/clicks", "evil.example:8000").body, "the edge");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_leads_to_another_host() {
    let site = Served::start().await;
    for (path, status) in [("/pipeline", 307), ("//pipeline", 404), ("//evil.example/..", 404)] {
        assert_eq!(site.get(path, "localhost").status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_needs_a_stream_and_a_path() {
    let site = Served::start().await;
    let invalid = "invalid query; accepted are the parameters stream and path, whole=true and download=true, each once";
    for (query, status, message) in [
        ("", 400, invalid),
        ("?stream=a", 400, invalid),
        ("?stream=a&path=b&path=c", 400, invalid),
        ("?stream=a&path=b&whole=yes", 400, invalid),
        ("?stream=a&path=b&download=true&download=true", 400, invalid),
        ("?stream=a&path=b&whole=true", 404, "unknown stream"),
        ("?stream=a&path=..%2Fb", 404, "unknown stream"),
    ] {
        let response = site.get(&format!("/pipeline/object{query}"), "localhost");
        assert_eq!((response.status, response.body), (status, format!(r#"{{"message":"{message}"}}"#)), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn event_streams_end_when_the_process_stops() {
    let site = Served::start().await;
    let mut viewers: Vec<_> = (0..64).map(|_| site.request("GET /pipeline/events", "localhost")).collect();
    for viewer in &mut viewers {
        let lines: Vec<String> =
            viewer.lines().map(Result::unwrap).take_while(|line| !line.starts_with("data")).collect();
        assert_eq!(lines[0], "HTTP/1.1 200 OK");
        assert!(lines.contains(&"content-type: text/event-stream".to_owned()), "{lines:?}");
    }
    let refused = site.get("/pipeline/events", "localhost");
    assert_eq!((refused.status, refused.body.as_str()), (503, r#"{"message":"too many event streams are open"}"#));

    // A closed event stream frees its slot, as soon as the server notices.
    drop(viewers.pop());
    let state = loop {
        let mut viewer = site.request("GET /pipeline/events", "localhost");
        let mut status = String::new();
        viewer.read_line(&mut status).unwrap();
        if status == "HTTP/1.1 200 OK\r\n" {
            let data = viewer.by_ref().lines().map(Result::unwrap).find(|line| line.starts_with("data: ")).unwrap();
            viewers.push(viewer);
            break data;
        }
    };
    assert_eq!(state, r#"data: {"streams":[],"collector":null,"stream":null}"#);

    site.stop.send(true).unwrap();
    for mut viewer in viewers {
        viewer.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn the_policy_is_strict() {
    let service = ServiceAddress::external("https://a.example/prod/").unwrap();
    let service = service.for_host("localhost");
    let nonce = StyleNonce("0123456789abcdef".to_owned());
    for (service, connect, nonce, style) in [
        (None, "'self'", None, "'self'"),
        (Some(&service), "'self' https://a.example", None, "'self'"),
        (None, "'self'", Some(&nonce), "'self' 'nonce-0123456789abcdef'"),
    ] {
        assert_eq!(
            content_security_policy(service, nonce),
            format!(
                "default-src 'none'; script-src 'self'; style-src {style}; img-src 'self'; connect-src {connect}; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_page_has_its_styles_with_the_nonce_of_its_policy() {
    let site = Served::start().await;
    let mut nonces: Vec<String> = [(); 2]
        .map(|()| {
            let response = site.get("/pipeline/", "localhost");
            assert_eq!((response.status, response.header("content-type")), (200, Some("text/html")));
            let (_, nonce) = response.body.split_once("nonce=\"").unwrap();
            let (nonce, _) = nonce.split_once('"').unwrap();
            assert_eq!(response.body, format!("the <style nonce=\"{nonce}\">\na {{}}</style>pipeline"));
            let policy = response.header("content-security-policy").unwrap();
            assert!(policy.contains(&format!("; style-src 'self' 'nonce-{nonce}'; ")), "{policy}");
            nonce.to_owned()
        })
        .into();
    assert!(nonces.iter().all(|nonce| nonce.len() == 32), "{nonces:?}");
    nonces.dedup();
    assert_eq!(nonces.len(), 2);
    // The file itself has links.
    let file = site.get("/pipeline/index.html", "localhost");
    assert!(file.body.contains("<link") && !file.header("content-security-policy").unwrap().contains("nonce"));
}
