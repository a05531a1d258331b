//! The endpoints of the Runtime API (Lambda developer guide, "Using the Lambda runtime API", version 2018-06-01).

use std::io;
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
use serde::Deserialize;
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
pub(crate) enum Call {
    /// It requests an event, so it has finished the last one.
    Next,
    Response(Outcome),
    InitError(Outcome),
}

/// The phase of the process, which determines the valid calls.
#[derive(Debug, PartialEq)]
enum Phase {
    /// It has not requested an event yet.
    Starting,
    /// It has no event.
    Idle,
    /// It has the event with this id.
    Running(String),
}

#[derive(Debug)]
pub(crate) struct Api {
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    calls: mpsc::UnboundedSender<Call>,
    phase: Mutex<Phase>,
}

impl Api {
    pub(crate) fn new(events: mpsc::Receiver<Event>, calls: mpsc::UnboundedSender<Call>) -> Self {
        Self { events: tokio::sync::Mutex::new(events), calls, phase: Mutex::new(Phase::Starting) }
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(Arc::new(self))
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes an event, once.
    fn complete(&self, id: &str, outcome: Outcome) -> bool {
        let mut phase = self.phase();
        if !matches!(&*phase, Phase::Running(running) if running == id) {
            return false;
        }
        *phase = Phase::Idle;
        self.send(Call::Response(outcome));
        true
    }

    fn send(&self, call: Call) {
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
    api.send(Call::Next);
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
    api.send(Call::InitError(error_outcome(&headers, &body)));
    accepted(true)
}

/// The body of an error, as documented. All members are optional.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorBody {
    error_type: Option<String>,
    error_message: Option<String>,
}

fn error_outcome(headers: &HeaderMap, body: &[u8]) -> Outcome {
    let body_fields: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let header = headers.get("Lambda-Runtime-Function-Error-Type").and_then(|value| value.to_str().ok());
    Outcome::Error {
        error_type: body_fields.error_type.or(header.map(str::to_owned)).unwrap_or_else(|| "Unhandled".to_owned()),
        message: body_fields.error_message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
    }
}

fn accepted(known: bool) -> Response {
    if known {
        return (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response();
    }
    error_response(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
}

fn error_response(status: StatusCode, error_type: &str, message: &str) -> Response {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type });
    (status, axum::Json(body)).into_response()
}

/// The last error of accepting a connection. A later success does not clear it, because the delay may have used up the process's time.
#[derive(Debug, Clone, Default)]
pub(crate) struct AcceptErrors(Arc<Mutex<Option<io::Error>>>);

impl AcceptErrors {
    /// Takes the last error since the call before.
    pub(crate) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, cause: io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
    }
}

#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) accept_errors: AcceptErrors,
}

impl axum::serve::Listener for Listener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_connection_error(&error) => {}
                Err(error) => {
                    self.accept_errors.set(error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Whether the client closed the connection before it was accepted.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
