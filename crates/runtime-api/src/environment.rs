//! One process and its Runtime API.

use std::io;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::invocation::{InvokeError, Outcome, Request};
use crate::logs::Logs;
use crate::process::{Process, StartError};
use crate::server::{AcceptErrors, Api, Call, Event, Listener};
use crate::settings::Settings;

enum ProcessEvent {
    Call(Call),
    /// The process exited, or made no call in time.
    Ended(Outcome),
}

/// A running process. Dropping it kills the process group.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) process: Process,
    server: JoinHandle<()>,
    accept_errors: AcceptErrors,
    events: mpsc::Sender<Event>,
    calls: mpsc::UnboundedReceiver<Call>,
    pub(crate) logs: Logs,
    /// The process has requested an event, so it has finished its start or its last event.
    idle: bool,
}

impl Environment {
    /// Serves a new Runtime API, and starts the process.
    pub(crate) async fn start(settings: &Settings) -> Result<Self, StartError> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let accept_errors = AcceptErrors::default();
        let listener = Listener { socket, accept_errors: accept_errors.clone() };
        let (writer, logs) = Logs::new()?;
        let error_writer = writer.try_clone()?;

        let mut command = Command::new(&settings.command);
        command
            .args(&settings.args)
            .env_clear()
            .envs(settings.environment(&address.to_string()))
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(error_writer);
        let process =
            Process::spawn(&mut command).map_err(|source| StartError::Spawn(settings.command.clone(), source))?;

        let (events, event_receiver) = mpsc::channel(1);
        let (call_sender, calls) = mpsc::unbounded_channel();
        let router = Api::new(event_receiver, call_sender).router();
        // Serves until aborted: the listener retries after errors.
        let server = tokio::spawn(async move {
            let _never = axum::serve(listener, router).await;
        });
        Ok(Self { process, server, accept_errors, events, calls, logs, idle: false })
    }

    /// Waits for the next event of the process. Cancel-safe.
    async fn next_event(&mut self, limit: Instant) -> io::Result<ProcessEvent> {
        let event = async {
            tokio::select! {
                // A call before the exit is returned first.
                biased;
                Some(call) = self.calls.recv() => Ok(ProcessEvent::Call(call)),
                status = self.process.wait() => Ok(ProcessEvent::Ended(Outcome::Exited(status?))),
            }
        };
        timeout_at(limit, event).await.unwrap_or(Ok(ProcessEvent::Ended(Outcome::TimedOut)))
    }

    /// Kills the process group, and waits for the process to exit.
    pub(crate) async fn kill(&mut self) {
        self.process.kill();
        // Fails only if the operating system has lost track of the process.
        let _lost = self.process.wait().await;
    }

    /// The outcome of a process that did not respond, unless the host could not accept its connection.
    fn unless_unreachable(&self, outcome: Outcome) -> Result<Outcome, InvokeError> {
        self.accept_errors.take().map_or(Ok(outcome), |cause| Err(InvokeError::Unreachable(cause)))
    }

    /// Waits until the process requests an event. Otherwise returns the outcome.
    pub(crate) async fn wait_until_ready(&mut self, within: Duration) -> Result<Option<Outcome>, InvokeError> {
        let limit = Instant::now() + within;
        let _earlier = self.accept_errors.take();
        while !self.idle {
            match self.next_event(limit).await? {
                ProcessEvent::Call(Call::Next) => self.idle = true,
                ProcessEvent::Call(Call::InitError(outcome)) => return Ok(Some(outcome)),
                // The response to an event whose invocation was cancelled.
                ProcessEvent::Call(Call::Response(_)) => {}
                ProcessEvent::Ended(outcome) => return self.unless_unreachable(outcome).map(Some),
            }
        }
        Ok(None)
    }

    /// Sends an event to an idle process, and waits for the outcome.
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
        let _earlier = self.accept_errors.take();
        // Fails only if the server has stopped, and with it the process. The loop below detects that.
        let _closed = self.events.send(event).await;
        let limit = Instant::now() + timeout;
        loop {
            match self.next_event(limit).await? {
                ProcessEvent::Call(Call::Response(outcome)) => return Ok(outcome),
                ProcessEvent::Call(Call::Next | Call::InitError(_)) => {}
                ProcessEvent::Ended(outcome) => return self.unless_unreachable(outcome),
            }
        }
    }

    /// Waits until the process requests its next event, so that its logs are complete, or exits. Returns whether it has exited.
    pub(crate) async fn settle(&mut self, within: Duration) -> io::Result<bool> {
        let limit = Instant::now() + within;
        while !self.idle {
            match self.next_event(limit).await? {
                ProcessEvent::Call(Call::Next) => self.idle = true,
                ProcessEvent::Call(_) => {}
                ProcessEvent::Ended(outcome) => return Ok(matches!(outcome, Outcome::Exited(_))),
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
