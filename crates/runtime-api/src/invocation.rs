//! Invocations: requests and outcomes.

use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;

use crate::process::StartError;

/// The largest event of a synchronous invocation: 6 MB ("Lambda quotas").
pub const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// One event, with optional settings for tests.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The payload.
    pub event: Bytes,
    /// `Lambda-Runtime-Deadline-Ms`; default: now plus the time-out. cargo-lambda sends the constant 600000.
    pub deadline_ms: Option<u64>,
    /// `Lambda-Runtime-Trace-Id`; default: a new one.
    pub trace_id: Option<String>,
    /// The time-out of this invocation; default: that of [`Settings`](crate::Settings).
    pub timeout: Option<Duration>,
}

impl<T: Into<Bytes>> From<T> for Request {
    fn from(event: T) -> Self {
        Self { event: event.into(), ..Self::default() }
    }
}

/// The outcome of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function's response.
    Reply(Bytes),
    /// The function reported an error, or its response was too large.
    Error {
        /// The error type, such as `Function.ResponseSizeTooLarge`.
        error_type: String,
        /// The error message.
        message: String,
    },
    /// The invocation timed out, and the process was killed.
    TimedOut,
    /// The process exited without a response.
    Exited(ExitStatus),
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// `Lambda-Runtime-Aws-Request-Id`.
    pub request_id: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The duration without the start of a process.
    pub duration: Duration,
    /// Whether this was the process's first event.
    pub cold: bool,
    /// Whether the process received the event. It does not if it exited, or was killed, before it requested one.
    pub received: bool,
    /// The lines on standard output and error since the previous invocation.
    pub logs: Vec<String>,
}

/// Why an event was not delivered to the function.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Lambda responds with 413 `RequestEntityTooLarge`.
    #[error("the event has {bytes} bytes; Lambda accepts at most {MAX_EVENT_BYTES}")]
    EventTooLarge {
        /// The event's size.
        bytes: usize,
    },
    /// The process could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The host could not accept the process's connection, because no descriptor was available.
    #[error("could not accept the function's connection to the Lambda Runtime API")]
    Unreachable(#[source] std::io::Error),
    /// The operating system lost track of the process.
    #[error("could not wait for the function's process")]
    Wait(#[from] std::io::Error),
}

impl InvokeError {
    /// Whether the host lacked resources to start or reach the function. Then neither the function nor the event is at fault, and a retry may
    /// succeed.
    #[must_use]
    pub fn is_host_exhausted(&self) -> bool {
        match self {
            Self::Start(error) => error.is_host_exhausted(),
            Self::Unreachable(_) => true,
            Self::EventTooLarge { .. } | Self::Wait(_) => false,
        }
    }
}
