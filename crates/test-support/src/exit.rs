//! How a process exited.

use std::process::{Child, Output};
use std::thread::sleep;
use std::time::Instant;

use serde_json::Value;

use crate::{PATIENCE, PAUSE};

/// A process's exit code and output.
#[derive(Debug)]
pub struct Exit {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// What is left to read of its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl From<Output> for Exit {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Exit {
    /// Waits until a process exits, and kills it after [`PATIENCE`].
    #[must_use]
    pub fn of(mut child: Child) -> Self {
        let patience = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() && Instant::now() < patience {
            sleep(PAUSE);
        }
        child.kill().unwrap();
        Self::from(child.wait_with_output().unwrap())
    }

    /// Sends a signal to a process, and waits until it exits.
    #[must_use]
    #[track_caller]
    pub fn after(signal: &str, child: Child) -> Self {
        crate::signal(signal, child.id());
        Self::of(child)
    }

    /// The standard output as JSON.
    #[must_use]
    #[track_caller]
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).expect(&self.stderr)
    }

    /// Asserts an exit code, a message, and that nothing is on the standard output.
    #[track_caller]
    pub fn refuses(&self, code: i32, message: &str) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stderr.contains(message), "{}", self.stderr);
        assert_eq!(self.stdout, "");
    }
}
