//! Invocations: requests and outcomes.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;

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
    /// The time-out of this invocation; default: that of [`FunctionSettings`](crate::FunctionSettings).
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

/// Why a function could not be started, or an event not be delivered to it.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Lambda responds with 413 `RequestEntityTooLarge` to an event of this size.
    #[error("the event has {0} bytes; Lambda accepts at most {MAX_EVENT_BYTES}")]
    EventTooLarge(usize),
    /// No port, pipe or socket is available for the Runtime API.
    #[error("could not serve the Lambda Runtime API on 127.0.0.1")]
    Serve(#[from] io::Error),
    /// The executable could not be run.
    #[error("could not run {}", .0.display())]
    Spawn(PathBuf, #[source] io::Error),
    /// The host could not accept the process's connection, because no descriptor was available.
    #[error("could not accept the function's connection to the Lambda Runtime API")]
    Unreachable(#[source] io::Error),
    /// The operating system lost track of the process.
    #[error("could not wait for the function's process")]
    Wait(#[source] io::Error),
}

impl InvokeError {
    /// Whether the host has no descriptors, processes, memory or ports left. Then neither the function nor the event is at fault, and a retry
    /// may succeed. `ETXTBSY` means that the executable is being written.
    #[must_use]
    pub fn is_host_exhausted(&self) -> bool {
        const EXHAUSTED: [Errno; 7] =
            [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM, Errno::TXTBSY, Errno::ADDRINUSE, Errno::NOBUFS];
        match self {
            Self::Serve(source) | Self::Spawn(_, source) => {
                Errno::from_io_error(source).is_some_and(|error| EXHAUSTED.contains(&error))
            }
            Self::Unreachable(_) => true,
            Self::EventTooLarge(_) | Self::Wait(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_host_resources_are_not_the_functions_fault() {
        let spawn = |source: io::Error| InvokeError::Spawn(PathBuf::from("function"), source);
        for (error, expected) in [
            (InvokeError::Serve(Errno::MFILE.into()), true),
            (InvokeError::Serve(Errno::ADDRINUSE.into()), true),
            (InvokeError::Serve(Errno::NOBUFS.into()), true),
            (InvokeError::Serve(Errno::ACCESS.into()), false),
            (InvokeError::Serve(Errno::ADDRNOTAVAIL.into()), false),
            (spawn(Errno::MFILE.into()), true),
            (spawn(Errno::NFILE.into()), true),
            (spawn(Errno::AGAIN.into()), true),
            (spawn(Errno::NOMEM.into()), true),
            (spawn(Errno::TXTBSY.into()), true),
            (spawn(Errno::NOENT.into()), false),
            (spawn(Errno::ACCESS.into()), false),
            (spawn(Errno::NOEXEC.into()), false),
            (spawn(io::ErrorKind::NotFound.into()), false),
        ] {
            assert_eq!(error.is_host_exhausted(), expected, "{error:?}");
        }
    }
}
