//! The signals that stop this process: SIGINT, SIGTERM and SIGHUP.

use std::fs;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) struct Interrupts {
    ctrl_c: Signal,
    terminate: Signal,
    hang_up: Option<Signal>,
}

impl Interrupts {
    pub(crate) fn listen() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        // As under `nohup`.
        let hang_up = if has_ignored_hang_up(&status) { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { ctrl_c: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hang_up })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.terminate.recv() => {}
            Some(()) = async { self.hang_up.as_mut()?.recv().await } => {}
        }
    }
}

/// The first bit of Linux' ignored signals is SIGHUP (proc_pid_status(5), "SigIgn").
fn has_ignored_hang_up(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap_or_default();
    u64::from_str_radix(ignored, 16).is_ok_and(|signals| signals & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_hang_up_is_in_the_status() {
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
            assert_eq!(has_ignored_hang_up(&status), expected, "{ignored}");
        }
    }
}
