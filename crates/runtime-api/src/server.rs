//! The endpoints of the Runtime API (Lambda developer guide, "Using the Lambda runtime API", version 2018-06-01).

use std::io;
use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::invocation::Outcome;

/// The largest response that Lambda accepts: 6 MB and 100 bytes, as in its own error message.
pub const MAX_REPLY_BYTES: usize = 6_291_556;
/// The longest body that is read, so that the function gets a 413 instead of a closed connection.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// The delay between attempts to accept a connection. axum's own is a second, which is long for a function with 10 s to start.
const PAUSE: Duration = Duration::from_millis(100);
const INVALID_STATE: &str = "InvalidStateTransition";

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) request_id: String,
    pub(crate) deadline_ms: u64,
    pub(crate) function_arn: String,
    pub(crate) trace_id: String,
    pub(crate) body: Bytes,
}

#[derive(Debug)]
pub(crate) enum Progress {
    /// It has finished its start or its last event.
    Next,
    Response(Outcome),
    InitError(Outcome),
    /// It exited, or made no call in time.
    Ended(Outcome),
}

/// Determines the valid calls.
#[derive(Debug, PartialEq)]
enum Phase {
    Starting,
    Idle,
    Running(String),
}

#[derive(Debug)]
pub(crate) struct Api {
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    calls: mpsc::UnboundedSender<Progress>,
    phase: Mutex<Phase>,
    /// The last one. A later success does not clear it, because the delay may have used up the process's time.
    accept_error: Mutex<Option<io::Error>>,
}

impl Api {
    pub(crate) fn new(events: mpsc::Receiver<Event>, calls: mpsc::UnboundedSender<Progress>) -> Arc<Self> {
        let (phase, accept_error) = (Mutex::new(Phase::Starting), Mutex::default());
        Arc::new(Self { events: tokio::sync::Mutex::new(events), calls, phase, accept_error })
    }

    /// Serves until aborted: the listener retries after errors.
    pub(crate) async fn serve(self: Arc<Self>, socket: TcpListener) {
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(Arc::clone(&self));
        let _never = axum::serve(Listener { socket, api: self }, router).await;
    }

    pub(crate) fn take_accept_error(&self) -> Option<io::Error> {
        self.accept_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&self, id: &str, outcome: Outcome) -> bool {
        let mut phase = self.phase();
        if !matches!(&*phase, Phase::Running(running) if running == id) {
            return false;
        }
        *phase = Phase::Idle;
        self.send(Progress::Response(outcome));
        true
    }

    fn send(&self, call: Progress) {
        // Fails only while the environment is being dropped.
        let _closed = self.calls.send(call);
    }
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    {
        let mut phase = api.phase();
        if matches!(*phase, Phase::Running(_)) {
            return error_response(StatusCode::FORBIDDEN, INVALID_STATE, "the last event has no response yet");
        }
        *phase = Phase::Idle;
    }
    api.send(Progress::Next);
    let Some(event) = api.events.lock().await.recv().await else {
        return error_response(StatusCode::GONE, "ShuttingDown", "there will be no more events");
    };
    *api.phase() = Phase::Running(event.request_id.clone());
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("Lambda-Runtime-Aws-Request-Id", event.request_id),
        ("Lambda-Runtime-Deadline-Ms", event.deadline_ms.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", event.function_arn),
        ("Lambda-Runtime-Trace-Id", event.trace_id),
    ];
    (headers, event.body).into_response()
}

async fn response(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match body {
        Ok(reply) if reply.len() <= MAX_REPLY_BYTES => accepted(api.complete(&id, Outcome::Reply(reply))),
        // The process closed the connection early. Its exit is the outcome.
        Err(broken) if broken.status() != StatusCode::PAYLOAD_TOO_LARGE => {
            error_response(StatusCode::BAD_REQUEST, "InvalidRequest", &broken.body_text())
        }
        _ => {
            let message =
                format!("Response payload size exceeded maximum allowed payload size ({MAX_REPLY_BYTES} bytes).");
            let error_type = "Function.ResponseSizeTooLarge".to_owned();
            api.complete(&id, Outcome::Error { error_type, message });
            let message = format!("Exceeded maximum allowed payload size ({MAX_REPLY_BYTES} bytes).");
            error_response(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
        }
    }
}

async fn error(State(api): State<Arc<Api>>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    accepted(api.complete(&id, error_outcome(&headers, &body)))
}

async fn init_error(State(api): State<Arc<Api>>, headers: HeaderMap, body: Bytes) -> Response {
    if *api.phase() != Phase::Starting {
        return error_response(StatusCode::FORBIDDEN, INVALID_STATE, "the function has started already");
    }
    api.send(Progress::InitError(error_outcome(&headers, &body)));
    accepted(true)
}

/// All members of the body are optional.
fn error_outcome(headers: &HeaderMap, body: &[u8]) -> Outcome {
    let members: Value = serde_json::from_slice(body).unwrap_or_default();
    let header = headers.get("Lambda-Runtime-Function-Error-Type").and_then(|value| value.to_str().ok());
    Outcome::Error {
        error_type: members["errorType"].as_str().or(header).unwrap_or("Unhandled").to_owned(),
        message: members["errorMessage"].as_str().map_or_else(|| String::from_utf8_lossy(body).into(), str::to_owned),
    }
}

fn accepted(known: bool) -> Response {
    if known {
        return (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response();
    }
    error_response(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
}

fn error_response(status: StatusCode, error_type: &str, message: &str) -> Response {
    let body = json!({ "errorMessage": message, "errorType": error_type });
    (status, axum::Json(body)).into_response()
}

struct Listener {
    socket: TcpListener,
    api: Arc<Api>,
}

impl axum::serve::Listener for Listener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok(accepted) => return accepted,
                // The process closed the connection before it was accepted.
                Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) => {}
                Err(error) => {
                    *self.api.accept_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}
