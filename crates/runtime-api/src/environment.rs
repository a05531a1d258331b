//! One process and its Runtime API.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::invocation::{InvokeError, Outcome, Request};
use crate::logs::Logs;
use crate::server::{Api, Event, Progress};
use crate::settings::FunctionSettings;

/// Leads its own process group: Ctrl-C in a terminal does not reach it, so that the caller can complete the event in flight. Dropping it
/// kills the group, but no child process that has moved to another one.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) process: Child,
    /// `None` once the group has exited, because its id may be reused.
    group: Option<Pid>,
    pub(crate) api: Arc<Api>,
    server: JoinHandle<()>,
    events: mpsc::Sender<Event>,
    calls: mpsc::UnboundedReceiver<Progress>,
    pub(crate) logs: Logs,
    /// It has had no invocation yet.
    pub(crate) fresh: bool,
    idle: bool,
}

impl Environment {
    pub(crate) async fn start(settings: &FunctionSettings) -> Result<Self, InvokeError> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let (writer, logs) = Logs::new()?;
        let error_writer = writer.try_clone()?;

        let mut command = Command::new(&settings.command);
        settings.set_environment(&mut command, &address.to_string());
        command.args(&settings.args).stdin(Stdio::null()).stdout(writer).stderr(error_writer).process_group(0);
        let failed = |source| InvokeError::Spawn(settings.command.clone(), source);
        let process = command.spawn().map_err(failed)?;
        let group = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));

        let (events, event_receiver) = mpsc::channel(1);
        let (call_sender, calls) = mpsc::unbounded_channel();
        let api = Api::new(event_receiver, call_sender);
        let server = tokio::spawn(Arc::clone(&api).serve(socket));
        Ok(Self { process, group, api, server, events, calls, logs, fresh: true, idle: false })
    }

    /// Cancel-safe.
    async fn progress(&mut self, limit: Instant) -> Result<Progress, InvokeError> {
        let progress = async {
            tokio::select! {
                // A call before the exit is returned first.
                biased;
                Some(call) = self.calls.recv() => Ok(call),
                status = self.process.wait() => {
                    self.kill_group();
                    status.map(|status| Progress::Ended(Outcome::Exited(status))).map_err(InvokeError::Wait)
                }
            }
        };
        timeout_at(limit, progress).await.unwrap_or(Ok(Progress::Ended(Outcome::TimedOut)))
    }

    pub(crate) fn has_exited(&mut self) -> bool {
        let has_exited = matches!(self.process.try_wait(), Ok(Some(_)));
        if has_exited {
            self.kill_group();
        }
        has_exited
    }

    pub(crate) async fn kill(&mut self) {
        self.kill_group();
        // Fails only if the operating system has lost track of the process.
        let _lost = self.process.wait().await;
    }

    fn kill_group(&mut self) {
        if let Some(group) = self.group.take() {
            // Fails only for a group that has already exited.
            let _exited = kill_process_group(group, Signal::KILL);
        }
    }

    /// Returns the outcome if it exits instead, reports an error, or makes no call in time.
    pub(crate) async fn wait_until_idle(&mut self, within: Duration) -> Result<Option<Outcome>, InvokeError> {
        let _earlier = self.api.take_accept_error();
        let limit = Instant::now() + within;
        while !self.idle {
            match self.progress(limit).await? {
                Progress::Next => self.idle = true,
                // The response to an event whose invocation was cancelled.
                Progress::Response(_) => {}
                Progress::InitError(outcome) | Progress::Ended(outcome) => return Ok(Some(outcome)),
            }
        }
        Ok(None)
    }

    pub(crate) async fn run(
        &mut self,
        request_id: &str,
        request: Request,
        settings: &FunctionSettings,
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
        let _earlier = self.api.take_accept_error();
        // Fails only if the server has stopped, and with it the process. The loop below detects that.
        let _closed = self.events.send(event).await;
        let limit = Instant::now() + timeout;
        loop {
            match self.progress(limit).await? {
                Progress::Response(outcome) | Progress::Ended(outcome) => return Ok(outcome),
                Progress::Next | Progress::InitError(_) => {}
            }
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.server.abort();
        self.kill_group();
    }
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The X-Ray header of a request that is not sampled.
fn new_trace_id() -> String {
    let random = Uuid::new_v4().simple().to_string();
    let seconds = unix_ms(SystemTime::now()) / 1000;
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &random[..24], &random[16..])
}
