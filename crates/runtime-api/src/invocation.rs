//! What goes into an invocation, and what comes of it.

use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;

/// The largest event that Lambda accepts of a synchronous call: 6 MB (Lambda quotas).
pub const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// One event, with what a test may want to say about it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The payload.
    pub event: Bytes,
    /// `Lambda-Runtime-Deadline-Ms` as it is; without it, now and the timeout. cargo-lambda sends the constant 600000.
    pub deadline_ms: Option<u64>,
    /// `Lambda-Runtime-Trace-Id`; without it, a new one.
    pub trace_id: Option<String>,
    /// How long this invocation may take; without it, the time in [`Settings`](crate::Settings).
    pub timeout: Option<Duration>,
}

impl<T: Into<Bytes>> From<T> for Request {
    fn from(event: T) -> Self {
        Self { event: event.into(), ..Self::default() }
    }
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function answered.
    Reply(Bytes),
    /// The function said that it failed, or its reply was too large to be taken.
    Error {
        /// The kind of error, such as `Function.ResponseSizeTooLarge`.
        error_type: String,
        /// What the function said about it.
        message: String,
    },
    /// The time was up, and the process was killed.
    TimedOut,
    /// The process ended without an answer.
    Exited(ExitStatus),
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// `Lambda-Runtime-Aws-Request-Id`.
    pub request_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// From handing the event over to its end, without the start of a process.
    pub duration: Duration,
    /// Whether this event was its process's first.
    pub cold: bool,
    /// Whether the process took the event; not so where it ended, or was killed, before it asked for one.
    pub received: bool,
    /// The lines written to standard output and error since the previous invocation.
    pub logs: Vec<String>,
}
