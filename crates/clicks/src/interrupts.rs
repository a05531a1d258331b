//! What asks this process for an end: Ctrl-C, `kill`, or a terminal that was closed.

use std::fs;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The signals, from when they are listened for.
pub(crate) struct Interrupts {
    ctrl_c: Signal,
    kill: Signal,
    hang_up: Option<Signal>,
}

impl Interrupts {
    /// Listens from now on; without it, each of them would end the process at once.
    pub(crate) fn listen() -> io::Result<Self> {
        let hang_up = if outlives_its_terminal() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { ctrl_c: signal(SignalKind::interrupt())?, kill: signal(SignalKind::terminate())?, hang_up })
    }

    /// Counts them from now on.
    pub(crate) fn count(mut self) -> watch::Receiver<u32> {
        let (sender, receiver) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                self.next().await;
                sender.send_modify(|times| *times += 1);
            }
        });
        receiver
    }

    /// Ends with the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.kill.recv() => {}
            Some(()) = async { self.hang_up.as_mut()?.recv().await } => {}
        }
    }
}

/// Whether the caller has SIGHUP ignored, as `nohup` does.
fn outlives_its_terminal() -> bool {
    ignores_hang_up(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// What Linux tells of a process: the first bit of the ignored signals is SIGHUP (proc_pid_status(5), "SigIgn").
fn ignores_hang_up(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap_or_default();
    u64::from_str_radix(ignored, 16).is_ok_and(|signals| signals & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_to_outlive_its_terminal_says_so() {
        for (ignored, expected) in [
            ("SigIgn:\t0000000000000001", true),
            ("SigIgn:\t0000000000001001", true),
            // Others: SIGINT, SIGPIPE.
            ("SigIgn:\t0000000000000002", false),
            ("SigIgn:\t0000000000001000", false),
            ("SigIgn:\t0000000000000000", false),
            ("SigIgn:\t", false),
            ("", false),
        ] {
            let status = format!("Name:\tclicks\nSigBlk:\t0000000000000001\n{ignored}\nSigCgt:\t0000000000000001\n");
            assert_eq!(ignores_hang_up(&status), expected, "{ignored}");
        }
    }
}
