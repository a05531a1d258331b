use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Version};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::*;
use crate::http::HttpServer;
use crate::http::server::GRACE;

async fn start() -> HttpServer {
    let app = Router::new().fallback(|body: String| async move { body });
    HttpServer::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), app).unwrap()
}

async fn http2_client(address: SocketAddr) -> SendRequest<Body> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (client, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The version and the body of the response to a request with this body.
async fn post(client: &mut SendRequest<Body>, body: &str) -> (Version, String) {
    let request = Request::post("http://localhost/").body(Body::from(body.to_owned())).unwrap();
    let response = client.send_request(request).await.unwrap();
    let version = response.version();
    let bytes = to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap();
    (version, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn both_versions_are_served_at_one_port() {
    let server = start().await;
    let mut client = http2_client(server.address()).await;
    for body in ["", "a", &"b".repeat(100_000)] {
        assert_eq!(post(&mut client, body).await, (Version::HTTP_2, body.to_owned()));
    }
    let mut connection = TcpStream::connect(server.address()).await.unwrap();
    // The first letter of both.
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nc";
    connection.write_all(request).await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\nc"), "{response}");
    server.stop().await;
}

/// The clock jumps while all wait.
#[tokio::test(start_paused = true)]
async fn an_http2_connection_without_a_request_is_closed() {
    let server = start().await;
    // The second one has a frame with settings, which is empty (RFC 9113, section 6.5).
    for frames in ["", "\0\0\0\u{4}\0\0\0\0\0"] {
        let mut connection = TcpStream::connect(server.address()).await.unwrap();
        let preface = format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{frames}");
        connection.write_all(preface.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        connection.read_to_end(&mut received).await.unwrap();
        // The server's settings.
        assert_eq!(received.get(3), Some(&4), "{received:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_idle_connections() {
    let server = start().await;
    let _silent = TcpStream::connect(server.address()).await.unwrap();
    let mut client = http2_client(server.address()).await;
    post(&mut client, "a").await;
    let started = Instant::now();
    server.stop().await;
    assert!(started.elapsed() < GRACE, "{:?}", started.elapsed());
}

/// The clock jumps while all wait. The buffers of both ends have less than the response.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_disconnected() {
    const BYTES: usize = 64 * 1024 * 1024;
    let app = Router::new().fallback(|| async { vec![b' '; BYTES] });
    let server = HttpServer::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), app).unwrap();
    let mut connection = TcpStream::connect(server.address()).await.unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    sleep(UNREAD_TIMEOUT + Duration::from_secs(1)).await;
    let mut received = Vec::new();
    let _reset = connection.read_to_end(&mut received).await;
    assert!((1..BYTES).contains(&received.len()), "{}", received.len());
    server.stop().await;
}

/// The window of the client has less than the response, which h2 has whole at once.
#[tokio::test]
async fn an_http2_client_may_pause_longer_than_an_idle_connection_but_not_for_long() {
    const BYTES: usize = 8 * 1024 * 1024;
    let app = Router::new().fallback(|| async { vec![b' '; BYTES] });
    let server = HttpServer::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), app).unwrap();
    for (pause, is_whole) in [(HEAD_TIMEOUT * 2, true), (REQUEST_TIMEOUT + HEAD_TIMEOUT, false)] {
        let mut client = http2_client(server.address()).await;
        let request = Request::get("http://localhost/").body(Body::empty()).unwrap();
        let response = client.send_request(request).await.unwrap();
        tokio::time::pause();
        sleep(pause).await;
        tokio::time::resume();
        let read = to_bytes(Body::new(response.into_body()), usize::MAX).await.ok();
        assert_eq!(read.map(|bytes| bytes.len()), is_whole.then_some(BYTES), "{pause:?}");
    }
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_do_not_end_are_dropped() {
    let requests = Requests::default();
    let started = Instant::now();
    requests.execute(pending());
    requests.execute(async { panic!("in a handler") });
    requests.idle().await;
    let elapsed = started.elapsed();
    assert!((REQUEST_TIMEOUT + HEAD_TIMEOUT..REQUEST_TIMEOUT * 2).contains(&elapsed), "{elapsed:?}");
}
