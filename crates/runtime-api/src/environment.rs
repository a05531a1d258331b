//! One process and its Runtime API, from the start of the one to the end of both.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::io::Errno;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::function::InvokeError;
use crate::invocation::{Outcome, Request};
use crate::listener::{Listener, Starvation};
use crate::logs::Logs;
use crate::process::Process;
use crate::server::{Api, Call, Event};
use crate::settings::Settings;

/// Why a function could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No port, pipe or socket was left for the Runtime API.
    #[error("could not serve the Lambda Runtime API on 127.0.0.1")]
    Serve(#[source] io::Error),
    /// The executable could not be run.
    #[error("could not run {}", command.display())]
    Spawn {
        /// What should have been run.
        command: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// Whether this machine has no descriptor, process, memory or port left, which says nothing about the function: it may start
    /// later. `ETXTBSY` is of an executable that is being written at the moment.
    pub(crate) fn is_host_exhausted(&self) -> bool {
        const EXHAUSTED: [Errno; 7] =
            [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM, Errno::TXTBSY, Errno::ADDRINUSE, Errno::NOBUFS];
        let (Self::Serve(source) | Self::Spawn { source, .. }) = self;
        Errno::from_io_error(source).is_some_and(|error| EXHAUSTED.contains(&error))
    }
}

/// What came first.
enum Happened {
    Called(Call),
    Exited(ExitStatus),
}

/// A running process. Dropping it kills the process, and all that the process has started.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) process: Process,
    server: JoinHandle<()>,
    starvation: Starvation,
    events: mpsc::Sender<Event>,
    calls: mpsc::UnboundedReceiver<Call>,
    pub(crate) logs: Logs,
    /// The process has asked for an event, and so has finished its start or its last event.
    idle: bool,
}

impl Environment {
    /// Serves a fresh Runtime API and starts the process that talks to it.
    pub(crate) async fn start(settings: &Settings) -> Result<Self, StartError> {
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(StartError::Serve)?;
        let (address, starvation) = (listener.address().map_err(StartError::Serve)?, listener.starvation());
        let (writer, logs) = Logs::new().map_err(StartError::Serve)?;
        let error_writer = writer.try_clone().map_err(StartError::Serve)?;

        let mut command = Command::new(&settings.command);
        command
            .args(&settings.args)
            .env_clear()
            .envs(settings.environment(&address.to_string()))
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(error_writer);
        let process = Process::spawn(&mut command)
            .map_err(|source| StartError::Spawn { command: settings.command.clone(), source })?;

        let (events, event_receiver) = mpsc::channel(1);
        let (call_sender, calls) = mpsc::unbounded_channel();
        let router = Api::new(event_receiver, call_sender).router();
        // Serving ends only by being aborted: the listener retries what goes wrong with one connection.
        let server = tokio::spawn(async move {
            let _never = axum::serve(listener, router).await;
        });
        Ok(Self { process, server, starvation, events, calls, logs, idle: false })
    }

    /// Waits for what the process does next. Cancelling loses nothing.
    async fn happens(&mut self) -> io::Result<Happened> {
        tokio::select! {
            // A call that came before the exit is told before it.
            biased;
            Some(call) = self.calls.recv() => Ok(Happened::Called(call)),
            status = self.process.wait() => status.map(Happened::Exited),
        }
    }

    /// Whether the process has ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        self.process.ended()
    }

    /// Kills the process and all that it has started, and waits for its end.
    pub(crate) async fn kill(&mut self) {
        self.process.kill();
        // Fails only where the operating system has lost track of the process; then there is nothing to wait for.
        let _lost = self.process.wait().await;
    }

    /// An end without a response of the process: its fault, unless this machine did not accept its connection at once.
    fn silent(&self, outcome: Outcome) -> Result<Outcome, InvokeError> {
        self.starvation.cause().map_or(Ok(outcome), |cause| Err(InvokeError::Unreachable(cause)))
    }

    /// Waits until the process asks for an event; or says why it never will.
    pub(crate) async fn ready(&mut self, within: Duration) -> Result<Option<Outcome>, InvokeError> {
        let limit = Instant::now() + within;
        self.starvation.forget();
        while !self.idle {
            match timeout_at(limit, self.happens()).await {
                Err(_elapsed) => return self.silent(Outcome::TimedOut).map(Some),
                Ok(happened) => match happened.map_err(InvokeError::Wait)? {
                    Happened::Called(Call::Next) => self.idle = true,
                    Happened::Called(Call::InitError(outcome)) => return Ok(Some(outcome)),
                    // To an event whose invocation was cancelled.
                    Happened::Called(Call::Answer(_)) => {}
                    Happened::Exited(status) => return self.silent(Outcome::Exited(status)).map(Some),
                },
            }
        }
        Ok(None)
    }

    /// Gives an idle process an event.
    pub(crate) async fn run(
        &mut self,
        request_id: &str,
        request: Request,
        settings: &Settings,
    ) -> Result<Outcome, InvokeError> {
        let timeout = request.timeout.unwrap_or(settings.timeout);
        let event = Event {
            request_id: request_id.to_owned(),
            deadline_ms: request.deadline_ms.unwrap_or_else(|| unix_ms(SystemTime::now() + timeout)),
            function_arn: settings.function_arn(),
            trace_id: request.trace_id.unwrap_or_else(new_trace_id),
            body: request.event,
        };
        self.idle = false;
        self.starvation.forget();
        // The receiver lives as long as the server; if that is gone, so is the process, which is seen below.
        let _closed = self.events.send(event).await;
        let limit = Instant::now() + timeout;
        loop {
            match timeout_at(limit, self.happens()).await {
                Err(_elapsed) => return self.silent(Outcome::TimedOut),
                Ok(happened) => match happened.map_err(InvokeError::Wait)? {
                    Happened::Called(Call::Answer(outcome)) => return Ok(outcome),
                    Happened::Called(Call::Next | Call::InitError(_)) => {}
                    Happened::Exited(status) => return self.silent(Outcome::Exited(status)),
                },
            }
        }
    }

    /// Waits for a process that has answered to ask for its next event, so that its logs are complete; or to end.
    /// Tells whether it has ended.
    pub(crate) async fn settle(&mut self, within: Duration) -> io::Result<bool> {
        let limit = Instant::now() + within;
        while !self.idle {
            match timeout_at(limit, self.happens()).await {
                Err(_elapsed) => return Ok(false),
                Ok(happened) => match happened? {
                    Happened::Called(Call::Next) => self.idle = true,
                    Happened::Called(_) => {}
                    Happened::Exited(_) => return Ok(true),
                },
            }
        }
        Ok(false)
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// An X-Ray trace header of a request that is not sampled.
fn new_trace_id() -> String {
    let random = Uuid::new_v4().simple().to_string();
    let seconds = unix_ms(SystemTime::now()) / 1000;
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &random[..24], &random[16..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_host_resources_are_not_the_functions_fault() {
        let spawn = |source: io::Error| StartError::Spawn { command: PathBuf::from("function"), source };
        for (error, expected) in [
            (StartError::Serve(Errno::MFILE.into()), true),
            (StartError::Serve(Errno::ADDRINUSE.into()), true),
            (StartError::Serve(Errno::NOBUFS.into()), true),
            (StartError::Serve(Errno::ACCESS.into()), false),
            (StartError::Serve(Errno::ADDRNOTAVAIL.into()), false),
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
