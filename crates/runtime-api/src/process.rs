//! The function's process group, which is killed as a whole.

use std::io;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A process that leads its own group. Dropping it kills the group.
///
/// Ctrl-C in a terminal does not reach the group, so that the caller can complete the event in flight. A child process that moves to another
/// group is not killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// `None` once the group has exited, because its id may be reused.
    group: Option<Pid>,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { child, group: Some(group) })
    }

    /// The process id; `None` once it has exited.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the process to exit, and kills its group. Cancel-safe.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.kill_group();
        Ok(status)
    }

    /// Whether the process has exited. If so, kills its group.
    pub(crate) fn has_exited(&mut self) -> bool {
        let exited = matches!(self.child.try_wait(), Ok(Some(_)));
        if exited {
            self.kill_group();
        }
        exited
    }

    pub(crate) fn kill(&self) {
        if let Some(group) = self.group {
            // Fails only for a group that has already exited.
            let _exited = kill_process_group(group, Signal::KILL);
        }
    }

    /// Kills the rest of the group, once: its id may be reused afterwards.
    fn kill_group(&mut self) {
        self.kill();
        self.group = None;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
