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
    /// None once the process has ended and the group with it: the number may be somebody else's then.
    group: Option<Pid>,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { child, group: Some(group) })
    }

    /// The operating system's number of it; none once it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the process to end, and ends what it has started. Cancelling loses nothing.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.end_group();
        Ok(status)
    }

    /// Whether the process has ended. What it has started ends with it.
    pub(crate) fn ended(&mut self) -> bool {
        let ended = matches!(self.child.try_wait(), Ok(Some(_)));
        if ended {
            self.end_group();
        }
        ended
    }

    /// Kills the whole group.
    pub(crate) fn kill(&self) {
        if let Some(group) = self.group {
            // Fails only for a group that has ended already.
            let _ended = kill_process_group(group, Signal::KILL);
        }
    }

    /// Kills what is left of the group, once: nothing holds its number any more when the last of it is gone.
    fn end_group(&mut self) {
        self.kill();
        self.group = None;
    }
}

impl Drop for Process {
    /// Where nobody has waited for its end.
    fn drop(&mut self) {
        self.kill();
    }
}
