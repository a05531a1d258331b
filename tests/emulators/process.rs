//! Processes that run in the background until their test ends.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::tools::words;

/// The longest wait: more than a cold build on a slow machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(10);

/// How long a process may take to stop its children and itself, before it is killed.
const LIMIT_OF_ENDING: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(50);

/// A process with child processes. Dropping it stops them all.
pub(crate) struct Background {
    child: Child,
    output: NamedTempFile,
    what: String,
}

impl Background {
    pub(crate) fn start(mut command: Command) -> Self {
        let output = NamedTempFile::new().unwrap();
        let writer = |file: &File| Stdio::from(file.try_clone().unwrap());
        command.stdin(Stdio::null()).stdout(writer(output.as_file())).stderr(writer(output.as_file()));
        let what = words(&command);
        let child = command.process_group(0).spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        Self { child, output, what }
    }

    /// All of its output so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.output.path()).unwrap()).into_owned()
    }

    /// Retries until `attempt` returns a value, while the process runs.
    pub(crate) async fn until<T>(&mut self, mut attempt: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(something) = attempt(self).await {
                return something;
            }
            let exited = self.child.try_wait().unwrap();
            assert!(exited.is_none(), "{} exited with {exited:?}:\n{}", self.what, self.output());
            assert!(started.elapsed() < LIMIT, "{} is not ready:\n{}", self.what, self.output());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sends a signal to the process group.
    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        // Fails only for a group that has already stopped.
        let _ended = Command::new("kill").args(["-s", signal, "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // An emulator starts its function in another group, and stops it on SIGTERM.
        self.signal("TERM");
        let started = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && started.elapsed() < LIMIT_OF_ENDING {
            sleep(PAUSE);
        }
        self.signal("KILL");
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
