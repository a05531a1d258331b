//! The function's process, and whatever it starts: one group, which ends as one.

use std::io;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A process that leads a group of its own. Dropping it kills the group.
///
/// Ctrl-C in a terminal doesn't reach the group: it is for the caller, who decides what becomes of the event in hand.
/// A process that moves to a group of its own is not reached either.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Pid,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { child, group })
    }

    /// Waits for the process to end; what it has started may go on. Cancelling loses nothing.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Whether the process has ended.
    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Kills the whole group.
    pub(crate) fn kill(&self) {
        // Fails only for a group that has ended already.
        let _ended = kill_process_group(self.group, Signal::KILL);
    }
}

impl Drop for Process {
    /// Where the process has ended by itself too: what it has started may not have.
    fn drop(&mut self) {
        self.kill();
    }
}
