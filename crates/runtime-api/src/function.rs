//! A function: events in, outcomes out, and a new process whenever the last one is gone.

use std::path;

use tokio::time::Instant;
use uuid::Uuid;

use crate::environment::{Environment, StartError};
use crate::invocation::{Invocation, MAX_EVENT_BYTES, Outcome, Request};
use crate::settings::Settings;

/// What a function leaves behind.
#[derive(Debug, Clone)]
pub struct Exit {
    /// The lines that no invocation has taken.
    pub logs: Vec<String>,
}

/// Why an event never reached the function.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Lambda answers 413 `RequestEntityTooLarge`.
    #[error("the event has {bytes} bytes; Lambda accepts at most {MAX_EVENT_BYTES}")]
    EventTooLarge {
        /// The event's size.
        bytes: usize,
    },
    /// The process that should replace the last one could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The process is there, and this machine could not accept its connection: no descriptor was left.
    #[error("could not accept the function's connection to the Lambda Runtime API")]
    Unreachable(#[source] std::io::Error),
    /// The operating system lost track of the process.
    #[error("could not wait for the function's process")]
    Wait(#[source] std::io::Error),
}

impl InvokeError {
    /// Whether this machine could not start or reach the function, which is no fault of either the function or the event: the
    /// same invocation may succeed later.
    #[must_use]
    pub fn is_host_exhausted(&self) -> bool {
        match self {
            Self::Start(error) => error.is_host_exhausted(),
            Self::Unreachable(_) => true,
            Self::EventTooLarge { .. } | Self::Wait(_) => false,
        }
    }
}

/// One execution environment. Dropping it kills the process, and all that the process has started.
#[derive(Debug)]
pub struct Function {
    settings: Settings,
    environment: Option<Environment>,
    /// Whether the environment has never been given to an invocation.
    fresh: bool,
    /// Lines of processes that are gone.
    leftover: Vec<String>,
}

impl Function {
    /// A function without a process yet: the first [`invoke`](Self::invoke) starts it.
    pub fn new(mut settings: Settings) -> Result<Self, StartError> {
        // Once: a new process is of the same executable, wherever the caller has moved to.
        settings.command = path::absolute(&settings.command)
            .map_err(|source| StartError::Spawn { command: settings.command.clone(), source })?;
        Ok(Self { settings, environment: None, fresh: true, leftover: Vec::new() })
    }

    /// Starts the process. That it runs is known only with the first [`invoke`](Self::invoke), which tells of an exit
    /// before it.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let mut function = Self::new(settings)?;
        function.revive().await?;
        Ok(function)
    }

    /// Hands one event over and waits for its end.
    ///
    /// Cancelling leaves the event with the process: call [`stop`](Self::stop) or drop the function then.
    pub async fn invoke(&mut self, request: impl Into<Request>) -> Result<Invocation, InvokeError> {
        let request = request.into();
        let bytes = request.event.len();
        if bytes > MAX_EVENT_BYTES {
            return Err(InvokeError::EventTooLarge { bytes });
        }
        self.revive().await?;
        let Some(environment) = &mut self.environment else { unreachable!("revived") };

        let request_id = Uuid::new_v4().to_string();
        let cold = std::mem::take(&mut self.fresh);
        let ready = environment.ready(self.settings.init_timeout).await;
        let started = Instant::now();
        let received = matches!(ready, Ok(None));
        let ended = match ready {
            Ok(None) => environment.run(&request_id, request, &self.settings).await,
            Ok(Some(outcome)) => Ok(outcome),
            Err(error) => Err(error),
        };
        let duration = started.elapsed();
        let outcome = match ended {
            Err(error @ InvokeError::Unreachable(_)) => {
                environment.kill().await;
                self.leftover.extend(environment.logs.take().await);
                self.environment = None;
                return Err(error);
            }
            ended => ended?,
        };

        let gone = match &outcome {
            Outcome::Reply(_) | Outcome::Error { .. } => {
                environment.settle(self.settings.settle_timeout).await.map_err(InvokeError::Wait)?
            }
            Outcome::TimedOut => {
                environment.kill().await;
                true
            }
            Outcome::Exited(_) => true,
        };
        let mut logs = std::mem::take(&mut self.leftover);
        logs.extend(environment.logs.take().await);
        if gone {
            self.environment = None;
        }
        Ok(Invocation { request_id, outcome, duration, cold, received, logs })
    }

    /// The operating system's number of the running process, by which to measure it.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.environment.as_ref()?.process.id()
    }

    /// Kills the process, as Lambda does with one that has no extensions, and tells what is left of it.
    pub async fn stop(mut self) -> Exit {
        let mut logs = std::mem::take(&mut self.leftover);
        if let Some(environment) = &mut self.environment {
            environment.kill().await;
            logs.extend(environment.logs.take().await);
        }
        Exit { logs }
    }

    /// Puts a new process in the place of one that is gone.
    async fn revive(&mut self) -> Result<(), StartError> {
        if let Some(environment) = &mut self.environment {
            // A first process that is gone already has its own story to tell: the exit and the logs of its start.
            if self.fresh || !environment.ended() {
                return Ok(());
            }
            self.leftover.extend(environment.logs.take().await);
        }
        self.environment = Some(Environment::start(&self.settings).await?);
        self.fresh = true;
        Ok(())
    }
}
