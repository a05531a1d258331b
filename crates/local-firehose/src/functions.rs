//! The processes of a function: one for each concurrent invocation, as Lambda scales.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime_api::{Function, FunctionSettings, InvokeError};
use tokio::time::timeout;

use crate::outage::Outage;
use firehose_model::excerpt::excerpt;

const GRACE: Duration = Duration::from_secs(5);

// A handler alone requests no event: in Lambda's managed runtimes the runtime interface client does, whose README has these commands
// (github.com/aws/aws-lambda-python-runtime-interface-client and github.com/aws/aws-lambda-nodejs-runtime-interface-client).
const PYTHON: &str = "a Python handler needs the runtime interface client: `python3 -m awslambdaric MODULE.HANDLER` (PyPI: \
                      awslambdaric)";
const NODE: &str =
    "a Node handler needs the runtime interface client: `npx aws-lambda-ric FILE.HANDLER` (npm: aws-lambda-ric)";
const OTHER: &str = "its command must request events from the Lambda Runtime API at AWS_LAMBDA_RUNTIME_API, as a library such as \
                     lambda_runtime does";
const CLIENTS: [&str; 2] = ["awslambdaric", "aws-lambda-ric"];

/// The idle processes, and how to start another.
#[derive(Debug)]
pub struct FunctionPool {
    settings: FunctionSettings,
    /// The function's log.
    pub log: Arc<FunctionLog>,
    idle: Mutex<Vec<Function>>,
    processes: AtomicUsize,
    /// Ongoing while this machine cannot run the function.
    pub outage: Outage,
}

impl FunctionPool {
    /// Starts no process: the first event does.
    pub fn new(settings: FunctionSettings, log: Arc<FunctionLog>) -> Self {
        let (idle, processes) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        Self { settings, log, idle, processes, outage: Outage::default() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.function_name
    }

    /// How to start the function, for one whose process requests no event. Once for each command, whatever the number of its streams.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let FunctionSettings { command, args, .. } = &self.settings;
        let hint = hint(command, args)?;
        let mut hinted = self.log.hinted.lock().unwrap_or_else(PoisonError::into_inner);
        hinted.insert((command.clone(), args.clone())).then_some(hint)
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
    pub fn put_back(&self, function: Function) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(function);
    }

    /// Stops the idle processes.
    pub async fn stop(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for function in idle {
            // A process that does not exit in time is killed, too, and not waited for.
            if let Ok(logs) = timeout(GRACE, function.stop()).await {
                self.log.write(&logs);
            }
        }
    }
}

/// `None` for a command that has a runtime interface client.
fn hint(command: &Path, args: &[OsString]) -> Option<&'static str> {
    let words =
        || iter::once(command).chain(args.iter().map(Path::new)).filter_map(Path::file_name).filter_map(OsStr::to_str);
    if words().any(|word| CLIENTS.iter().any(|client| word.contains(client))) {
        return None;
    }
    let of_language = |word: &str| match Path::new(word).extension().and_then(OsStr::to_str) {
        Some("py") => Some(PYTHON),
        Some("js" | "mjs" | "cjs") => Some(NODE),
        // Such as `python3.13`.
        _ if word.starts_with("python") => Some(PYTHON),
        _ => matches!(word, "node" | "nodejs" | "npx").then_some(NODE),
    };
    Some(words().find_map(of_language).unwrap_or(OTHER))
}

/// A log file that each run appends to.
#[derive(Debug)]
pub struct FunctionLog {
    file: Mutex<File>,
    shown: bool,
    /// The commands whose hint is reported.
    hinted: Mutex<BTreeSet<(PathBuf, Vec<OsString>)>>,
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
        Ok(Self { file: Mutex::new(file), shown, hinted: Mutex::default() })
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
    fn a_command_gets_the_hint_of_its_language() {
        for (command, expected) in [
            ("/usr/bin/python3 app.py", Some(PYTHON)),
            ("/opt/python3.13 -m app", Some(PYTHON)),
            ("app.py", Some(PYTHON)),
            ("/usr/bin/env LEVEL=1 python3 app.py", Some(PYTHON)),
            ("/usr/bin/node app", Some(NODE)),
            ("/usr/bin/env node app", Some(NODE)),
            ("./app.mjs", Some(NODE)),
            ("/usr/bin/npx tsx app.ts", Some(NODE)),
            ("/bin/true", Some(OTHER)),
            ("/bin/sh -c exit", Some(OTHER)),
            ("/usr/bin/python3 -m awslambdaric app.handler", None),
            ("/usr/bin/npx --yes aws-lambda-ric@3 app.handler", None),
            ("/usr/bin/node node_modules/.bin/aws-lambda-ric app.handler", None),
        ] {
            let mut words = command.split(' ');
            let (first, args) = (words.next().unwrap(), words.map(OsString::from).collect::<Vec<_>>());
            assert_eq!(hint(Path::new(first), &args), expected, "{command}");
        }
    }

    #[test]
    fn a_hint_is_given_once_for_the_streams_of_a_process() {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
        let of = |command: &str| FunctionPool::new(FunctionSettings::new(command), Arc::clone(&log));
        let [first, second, other] = ["a.py", "a.py", "b.py"].map(of);
        assert_eq!([&first, &first, &second, &other].map(FunctionPool::hint), [Some(PYTHON), None, None, Some(PYTHON)]);
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
