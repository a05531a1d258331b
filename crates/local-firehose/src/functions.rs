//! A function's processes: one for each event under way, as Lambda scales.

mod log;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime_api::{Function, Settings, StartError};
use tokio::time::timeout;

use crate::attempts::Shortage;

pub use self::log::{FunctionLog, FunctionLogError};

/// How long a process that is killed may take to be gone.
const GRACE: Duration = Duration::from_secs(5);

/// The processes that wait for an event, and how to start another.
#[derive(Debug)]
pub struct Functions {
    settings: Settings,
    arn: String,
    log: Arc<FunctionLog>,
    idle: Mutex<Vec<Function>>,
    processes: AtomicUsize,
    shortage: Shortage,
}

impl Functions {
    /// No process yet: the first event starts the first.
    pub fn new(settings: Settings, log: Arc<FunctionLog>) -> Self {
        let arn = format!("{}:$LATEST", settings.function_arn());
        Self {
            settings,
            arn,
            log,
            idle: Mutex::new(Vec::new()),
            processes: AtomicUsize::new(0),
            shortage: Shortage::default(),
        }
    }

    /// As it is invoked, with its version, which is how error objects name it.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// What its invocations share while this machine can't run it.
    pub fn shortage(&self) -> &Shortage {
        &self.shortage
    }

    /// Where its log goes.
    pub fn log(&self) -> &FunctionLog {
        &self.log
    }

    /// The one that was busy last, or a new one, whose process starts with its event.
    pub fn take(&self) -> Result<Function, StartError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(function) = idle {
            return Ok(function);
        }
        let function = Function::new(self.settings.clone())?;
        self.processes.fetch_add(1, Ordering::Relaxed);
        Ok(function)
    }

    /// How many there are: as many as there were ever events at once, because none ends before the stream does.
    pub fn processes(&self) -> usize {
        self.processes.load(Ordering::Relaxed)
    }

    /// Takes a process back, for the next event.
    pub fn give_back(&self, function: Function) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(function);
    }

    /// Ends the processes that wait.
    pub async fn stop(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for function in idle {
            // One that the operating system does not let go is killed all the same, and nobody waits for it.
            if let Ok(exit) = timeout(GRACE, function.stop()).await {
                self.log.write(&exit.logs);
            }
        }
    }
}
