//! A function: invokes its process, and replaces a process that has exited.

use std::path;

use tokio::time::Instant;
use uuid::Uuid;

use crate::environment::Environment;
use crate::invocation::{Invocation, InvokeError, MAX_EVENT_BYTES, Outcome, Request};
use crate::settings::FunctionSettings;

/// One execution environment. Dropping it kills the process group.
#[derive(Debug)]
pub struct Function {
    settings: FunctionSettings,
    environment: Option<Environment>,
    leftover: Vec<String>,
}

impl Function {
    /// A function without a process: the first [`invoke`](Self::invoke) starts it.
    pub fn new(mut settings: FunctionSettings) -> Result<Self, InvokeError> {
        // Resolved once, so that a new process has the same executable and directory even if the current folder changes.
        settings.command =
            path::absolute(&settings.command).map_err(|source| InvokeError::Spawn(settings.command.clone(), source))?;
        if let Some(directory) = &mut settings.directory {
            let absolute = path::absolute(&*directory);
            *directory = absolute.map_err(|source| InvokeError::Spawn(settings.command.clone(), source))?;
        }
        Ok(Self { settings, environment: None, leftover: Vec::new() })
    }

    /// Starts the process. The first [`invoke`](Self::invoke) reports an early exit.
    pub async fn start(settings: FunctionSettings) -> Result<Self, InvokeError> {
        let mut function = Self::new(settings)?;
        function.ensure_process().await?;
        Ok(function)
    }

    /// Invokes the function with one event, and waits for the outcome.
    ///
    /// Not cancel-safe: the process keeps the event. Call [`stop`](Self::stop) or drop the function after cancelling.
    pub async fn invoke(&mut self, request: impl Into<Request>) -> Result<Invocation, InvokeError> {
        let request = request.into();
        let bytes = request.event.len();
        if bytes > MAX_EVENT_BYTES {
            return Err(InvokeError::EventTooLarge(bytes));
        }
        self.ensure_process().await?;
        let Some(environment) = &mut self.environment else { unreachable!("ensured") };

        let request_id = Uuid::new_v4().to_string();
        let cold = std::mem::take(&mut environment.fresh);
        let ended_early = environment.wait_until_idle(self.settings.init_timeout).await?;
        let started = Instant::now();
        let (received, outcome) = match ended_early {
            None => (true, environment.run(&request_id, request, &self.settings).await?),
            Some(outcome) => (false, outcome),
        };
        let duration = started.elapsed();

        let (has_exited, accept_error) = match &outcome {
            Outcome::Reply(_) | Outcome::Error { .. } => {
                let ended = environment.wait_until_idle(self.settings.settle_timeout).await?;
                (matches!(ended, Some(Outcome::Exited(_))), None)
            }
            Outcome::TimedOut | Outcome::Exited(_) => {
                environment.kill().await;
                (true, environment.api.take_accept_error())
            }
        };
        self.leftover.extend(environment.logs.take());
        if has_exited {
            self.environment = None;
        }
        if let Some(cause) = accept_error {
            // The caller repeats the invocation, perhaps for long: what it logs each time is not kept.
            self.leftover.clear();
            return Err(InvokeError::Unreachable(cause));
        }
        let logs = std::mem::take(&mut self.leftover);
        Ok(Invocation { request_id, outcome, duration, cold, received, logs })
    }

    /// The process id, for measurements.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.environment.as_ref()?.process.id()
    }

    /// Kills the process, as Lambda does for a function without extensions, and returns the log lines that belong to no
    /// invocation.
    pub async fn stop(mut self) -> Vec<String> {
        if let Some(environment) = &mut self.environment {
            environment.kill().await;
            self.leftover.extend(environment.logs.take());
        }
        self.leftover
    }

    async fn ensure_process(&mut self) -> Result<(), InvokeError> {
        if let Some(environment) = &mut self.environment {
            // If the first process has already exited, the invocation reports its exit and logs.
            if environment.fresh || !environment.has_exited() {
                return Ok(());
            }
            self.leftover.extend(environment.logs.take());
        }
        self.environment = Some(Environment::start(&self.settings).await?);
        Ok(())
    }
}
