//! A connection: HTTP/1.1, or HTTP/2 by prior knowledge (RFC 9113, section 3.3).
//!
//! The AWS SDK for JavaScript v3 calls Kinesis by HTTP/2 unless it is configured otherwise (`@aws-sdk/client-kinesis`, `runtimeConfig`).
//! A connection has one request at a time by either version, so that the same limits hold.

mod write_timeout;

use std::future::pending;
use std::iter;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use self::write_timeout::WriteTimeout;

/// The time for the first byte of a connection, and then for the head of a request, from that byte or the end of the request before. So
/// an idle connection is closed, too: it would keep a place. Not ten seconds: a client that calls in such a period would meet the close.
const HEAD_TIMEOUT: Duration = Duration::from_secs(9);

/// The time for a request by HTTP/2 with its response, and for the client to read a response by either version, which it can delay without
/// end otherwise. A body has 30 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The time in which a client must read some of a response that its connection cannot buffer. Not the five seconds of bodies: Linux
/// reports a connection as writable only when a third of its buffer is free, which may have 4 MiB (`tcp_wmem`).
const UNREAD_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes of a response by HTTP/2 that may wait to be sent. Twice as many can be unsent when its request ends.
const UNSENT: usize = 64 * 1024;

/// Serves a connection until it is closed, or until the requests in flight have their responses after `stopped` changes or closes.
pub(super) async fn serve(stream: TcpStream, app: Router, mut stopped: watch::Receiver<()>) {
    let mut start = [0; 4];
    let read = tokio::select! {
        read = timeout(HEAD_TIMEOUT, stream.peek(&mut start)) => read,
        _stopped = stopped.changed() => return,
    };
    let Ok(Ok(read)) = read else { return };
    // The first bytes of the preface of HTTP/2 (RFC 9113, section 3.4). No method of HTTP/1.1 begins with them. Clients send the preface
    // in one piece; one that does not is served as one of HTTP/1.1, and refused.
    let is_http2 = start[..read] == *b"PRI ";
    let (stream, service) =
        (TokioIo::new(WriteTimeout::new(stream, UNREAD_TIMEOUT, REQUEST_TIMEOUT)), TowerToHyperService::new(app));
    if is_http2 {
        let requests = Requests::default();
        let mut http = http2::Builder::new(requests.clone());
        http.max_concurrent_streams(1).max_send_buf_size(UNSENT);
        let service = service_fn(move |request: Request<Incoming>| {
            let response = service.call(request);
            async move { response.await.map(streamed) }
        });
        run(http.serve_connection(stream, service), requests.idle(), stopped).await;
    } else {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        run(http.serve_connection(stream, service), pending(), stopped).await;
    }
}

/// A response whose request ends when it is sent: hyper waits before each chunk until less than [`UNSENT`] bytes of the others are unsent,
/// and not after the last one.
fn streamed(response: Response<Body>) -> Response<Body> {
    let chunks = |mut body: Bytes| {
        let next = move || (!body.is_empty()).then(|| Ok::<_, axum::Error>(body.split_to(body.len().min(UNSENT))));
        stream::iter(iter::from_fn(next))
    };
    response.map(|body| Body::from_stream(body.into_data_stream().map_ok(chunks).try_flatten()))
}

async fn run(connection: impl GracefulConnection, idle: impl Future<Output = ()>, mut stopped: watch::Receiver<()>) {
    let mut connection = pin!(connection);
    tokio::select! {
        // An error is the client's: its connection broke, or was closed for a head that did not arrive.
        _ended = connection.as_mut() => return,
        () = idle => return,
        _stopped = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _late = timeout(REQUEST_TIMEOUT, connection).await;
}

/// Runs the requests of an HTTP/2 connection, each until its response is sent, and counts those in flight.
#[derive(Debug, Clone, Default)]
struct Requests(watch::Sender<usize>);

impl Requests {
    /// Waits until there has been no request for [`HEAD_TIMEOUT`].
    async fn idle(&self) {
        let mut in_flight = self.0.subscribe();
        loop {
            drop(in_flight.wait_for(|requests| *requests == 0).await);
            if timeout(HEAD_TIMEOUT, in_flight.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Requests {
    fn execute(&self, request: F) {
        let requests = self.0.clone();
        requests.send_modify(|requests| *requests += 1);
        // In a task of its own, so that one that panics is counted, too.
        let request = tokio::spawn(timeout(REQUEST_TIMEOUT, request));
        tokio::spawn(async move {
            let _ended = request.await;
            requests.send_modify(|requests| *requests -= 1);
        });
    }
}

#[cfg(test)]
mod tests;
