//! The function's process group, which is killed as a whole.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Why a function could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No port, pipe or socket is available for the Runtime API.
    #[error("could not serve the Lambda Runtime API on 127.0.0.1")]
    Serve(#[from] io::Error),
    /// The executable could not be run.
    #[error("could not run {}", .0.display())]
    Spawn(PathBuf, #[source] io::Error),
}

impl StartError {
    /// Whether the host has no descriptors, processes, memory or ports left. The function is not at fault, and may start later. `ETXTBSY` means
    /// that the executable is being written.
    pub(crate) fn is_host_exhausted(&self) -> bool {
        const EXHAUSTED: [Errno; 7] =
            [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM, Errno::TXTBSY, Errno::ADDRINUSE, Errno::NOBUFS];
        let (Self::Serve(source) | Self::Spawn(_, source)) = self;
        Errno::from_io_error(source).is_some_and(|error| EXHAUSTED.contains(&error))
    }
}

/// A process that leads its own group, which Ctrl-C in a terminal does not reach, so that the caller can complete the event in flight.
/// Dropping it kills the group, but no child process that has moved to another one.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    /// `None` once the group has exited, because its id may be reused.
    group: Option<Pid>,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { child, group: Some(group) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_host_resources_are_not_the_functions_fault() {
        let spawn = |source: io::Error| StartError::Spawn(PathBuf::from("function"), source);
        for (error, expected) in [
            (StartError::Serve(Errno::MFILE.into()), true),
            (StartError::Serve(Errno::ADDRINUSE.into()), true),
            (StartError::Serve(Errno::NOBUFS.into()), true),
            (StartError::Serve(Errno::ACCESS.into()), false),
            (StartError::Serve(Errno::ADDRNOTAVAIL.into()), false),
            (spawn(Errno::MFILE.into()), true),
            (spawn(Errno::NFILE.into()), true),
            (spawn(Errno::AGAIN.into()), true),
            (spawn(Errno::NOMEM.into()), true),
            (spawn(Errno::TXTBSY.into()), true),
            (spawn(Errno::NOENT.into()), false),
            (spawn(Errno::ACCESS.into()), false),
            (spawn(Errno::NOEXEC.into()), false),
            (spawn(io::ErrorKind::NotFound.into()), false),
        ] {
            assert_eq!(error.is_host_exhausted(), expected, "{error:?}");
        }
    }
}
