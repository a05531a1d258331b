//! The processes of a function: one for each concurrent invocation, as Lambda scales.

mod log;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime_api::{Function, InvokeError, Settings};
use tokio::time::timeout;

use crate::outage::Outage;

pub use self::log::{FunctionLog, FunctionLogError};

/// How long a killed process may take to exit.
const GRACE: Duration = Duration::from_secs(5);

/// The idle processes, and how to start another.
#[derive(Debug)]
pub struct Functions {
    settings: Settings,
    /// The ARN with its version, as error objects have it.
    pub arn: String,
    /// The function's log.
    pub log: Arc<FunctionLog>,
    idle: Mutex<Vec<Function>>,
    processes: AtomicUsize,
    /// Ongoing while this machine cannot run the function.
    pub outage: Outage,
}

impl Functions {
    /// Starts no process: the first event does.
    pub fn new(settings: Settings, log: Arc<FunctionLog>) -> Self {
        let arn = format!("{}:$LATEST", settings.function_arn());
        let (idle, processes) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        Self { settings, arn, log, idle, processes, outage: Outage::default() }
    }

    /// The process that was used last, or a new one, which starts with its first event.
    pub fn take(&self) -> Result<Function, InvokeError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(function) = idle {
            return Ok(function);
        }
        let function = Function::new(self.settings.clone())?;
        self.processes.fetch_add(1, Ordering::Relaxed);
        Ok(function)
    }

    /// The number of processes, which is the greatest number of concurrent invocations so far.
    pub fn processes(&self) -> usize {
        self.processes.load(Ordering::Relaxed)
    }

    /// Makes a process available for the next event.
    pub fn give_back(&self, function: Function) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(function);
    }

    /// Stops the idle processes.
    pub async fn stop(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for function in idle {
            // A process that does not exit in time is killed, too, and not waited for.
            if let Ok(exit) = timeout(GRACE, function.stop()).await {
                self.log.write(&exit.logs);
            }
        }
    }
}
