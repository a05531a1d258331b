//! The endpoints of the Runtime API (Lambda developer guide, "Using the Lambda runtime API", version 2018-06-01).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::invocation::Outcome;

/// The largest reply that Lambda accepts: 6 MB and 100 bytes, as its own error message says.
pub const MAX_REPLY_BYTES: usize = 6_291_556;

/// What is read of a reply at all, so that the function gets its 413 instead of a broken connection.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// The error type of a call that comes at the wrong time.
const INVALID_STATE: &str = "InvalidStateTransition";

/// One event on its way to the process.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) request_id: String,
    pub(crate) deadline_ms: u64,
    pub(crate) function_arn: String,
    pub(crate) trace_id: String,
    pub(crate) body: Bytes,
}

/// What the process did.
#[derive(Debug)]
pub(crate) enum Call {
    /// It asks for an event: it has nothing left to do with the last one.
    Next,
    /// It answered the event that it has.
    Answer(Outcome),
    /// It can't start.
    InitError(Outcome),
}

/// What the process is at, which says what it may call.
#[derive(Debug, PartialEq)]
enum Phase {
    /// It has not asked for an event yet.
    Starting,
    /// It has nothing to answer.
    Free,
    /// It has the event with this id.
    Running(String),
}

/// The shared side of one process's Runtime API.
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

    /// Takes the answer to an event, once.
    fn answer(&self, id: &str, outcome: Outcome) -> bool {
        let mut phase = self.phase();
        if !matches!(&*phase, Phase::Running(running) if running == id) {
            return false;
        }
        *phase = Phase::Free;
        self.tell(Call::Answer(outcome));
        true
    }

    fn tell(&self, call: Call) {
        // Nobody listens any more only while the environment is being torn down.
        let _closed = self.calls.send(call);
    }
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    {
        let mut phase = api.phase();
        if matches!(*phase, Phase::Running(_)) {
            return refusal(StatusCode::FORBIDDEN, INVALID_STATE, "the last event has not been answered");
        }
        *phase = Phase::Free;
    }
    api.tell(Call::Next);
    let Some(event) = api.events.lock().await.recv().await else {
        return refusal(StatusCode::GONE, "ShuttingDown", "there will be no more events");
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
        Ok(reply) if reply.len() <= MAX_REPLY_BYTES => accepted(api.answer(&id, Outcome::Reply(reply))),
        // The process went away before it had sent all. What became of it tells its exit.
        Err(broken) if broken.status() != StatusCode::PAYLOAD_TOO_LARGE => {
            refusal(StatusCode::BAD_REQUEST, "InvalidRequest", &broken.body_text())
        }
        _ => {
            let message =
                format!("Response payload size exceeded maximum allowed payload size ({MAX_REPLY_BYTES} bytes).");
            let error_type = "Function.ResponseSizeTooLarge".to_owned();
            api.answer(&id, Outcome::Error { error_type, message });
            let message = format!("Exceeded maximum allowed payload size ({MAX_REPLY_BYTES} bytes).");
            refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
        }
    }
}

async fn error(State(api): State<Arc<Api>>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    accepted(api.answer(&id, failure(&headers, &body)))
}

async fn init_error(State(api): State<Arc<Api>>, headers: HeaderMap, body: Bytes) -> Response {
    if *api.phase() != Phase::Starting {
        return refusal(StatusCode::FORBIDDEN, INVALID_STATE, "the function has started already");
    }
    api.tell(Call::InitError(failure(&headers, &body)));
    accepted(true)
}

/// The body of an error; what the Runtime API documents, and nothing of it is required.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorBody {
    error_type: Option<String>,
    error_message: Option<String>,
}

fn failure(headers: &HeaderMap, body: &[u8]) -> Outcome {
    let told: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let header = headers.get("Lambda-Runtime-Function-Error-Type").and_then(|value| value.to_str().ok());
    Outcome::Error {
        error_type: told.error_type.or(header.map(str::to_owned)).unwrap_or_else(|| "Unhandled".to_owned()),
        message: told.error_message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
    }
}

fn accepted(known: bool) -> Response {
    if known {
        return (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response();
    }
    refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
}

fn refusal(status: StatusCode, error_type: &str, message: &str) -> Response {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type });
    (status, axum::Json(body)).into_response()
}
