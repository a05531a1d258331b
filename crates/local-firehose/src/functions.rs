//! The processes of a function: one for each concurrent invocation, as Lambda scales.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime_api::{Function, InvokeError, Settings};
use tokio::time::timeout;

use crate::outage::Outage;
use firehose_model::excerpt::excerpt;

const GRACE: Duration = Duration::from_secs(5);

/// The idle processes, and how to start another.
#[derive(Debug)]
pub struct Functions {
    settings: Settings,
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
        let (idle, processes) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        Self { settings, log, idle, processes, outage: Outage::default() }
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

/// A log file that each run appends to.
#[derive(Debug)]
pub struct FunctionLog {
    file: Mutex<File>,
    shown: bool,
}

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("could not open {} (`--function-log`)", .0.display())]
pub struct FunctionLogError(PathBuf, #[source] io::Error);

impl FunctionLog {
    /// Opens the file, or creates it with its folder. `shown`: lines are reported through `tracing`, too.
    pub fn open(path: &Path, shown: bool) -> Result<Self, FunctionLogError> {
        let opened = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            File::options().append(true).create(true).open(path)
        };
        let file = opened().map_err(|source| FunctionLogError(path.to_owned(), source))?;
        Ok(Self { file: Mutex::new(file), shown })
    }

    /// Appends the lines of one invocation.
    pub fn write(&self, lines: &[String]) {
        if self.shown {
            for line in lines {
                tracing::info!("{}", excerpt(line, usize::MAX));
            }
        }
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        // A full disk is no reason to stop a delivery.
        let _unwritten = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn every_run_appends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/function.log");
        for _run in 0..2 {
            let log = FunctionLog::open(&path, false).unwrap();
            log.write(&lines(&["one", "two"]));
            log.write(&[]);
            // The file has lines as they were written.
            log.write(&lines(&["\u{1b}[31mthree", ""]));
        }
        assert_eq!(fs::read_to_string(path).unwrap(), "one\ntwo\n\u{1b}[31mthree\n\n".repeat(2));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_reported_with_its_option() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.join("function.log"), folder.path().to_owned()] {
            let error = FunctionLog::open(&path, false).unwrap_err();
            assert_eq!(error.to_string(), format!("could not open {} (`--function-log`)", path.display()));
            assert!(std::error::Error::source(&error).is_some());
        }
    }
}
