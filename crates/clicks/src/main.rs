//! Runs the click processor on this machine as Amazon Data Firehose would.
//!
//! ```text
//! files ─▶ input ─▶ batch ─▶ event ─▶ the function's process ─▶ delivery ─▶ output: delivered lines, error objects
//!          (told apart     (Firehose's      (runtime-api)        (what Firehose  ─▶ report: the table
//!           by content)     buffer)                               does of a reply)
//! ```
//!
//! [`command`] is what was asked; [`replay`] goes this way; every other module is a plain function or value of it.

mod command;
mod excerpt;
mod fields;
mod firehose;
mod input;
mod metrics;
mod output;
mod processor;
mod progress;
mod replay;
mod report;

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use self::command::{Cli, Command, Replay};
use self::replay::ReplayError;
use self::report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command: Command::Replay(arguments) } = Cli::parse();
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            progress::print(&format!("error: {error:#}"));
            let usage = error.downcast_ref().is_some_and(ReplayError::is_usage);
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

async fn run(arguments: Replay) -> anyhow::Result<ExitCode> {
    let (json, allow_failed) = (arguments.json, arguments.allow_failed);
    let replayed = replay::run(arguments.into(), interrupt()?).await?;
    print(&replayed.report, json)?;
    if let Some(error) = replayed.error {
        return Err(error.into());
    }
    Ok(match replayed.report.records.failed {
        _ if replayed.report.interrupted => ExitCode::from(130),
        failed if failed > 0 && !allow_failed => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// Ends with the first signal that asks for an end: by Ctrl-C, by `kill`, or by a terminal that was closed.
fn interrupt() -> io::Result<impl Future<Output = ()>> {
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let mut kill = signal(SignalKind::terminate())?;
    let mut hang_up = if outlives_its_terminal() { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        tokio::select! {
            _ = ctrl_c.recv() => {}
            _ = kill.recv() => {}
            Some(()) = async { hang_up.as_mut()?.recv().await } => {}
        }
    })
}

/// Whether the caller has SIGHUP ignored, as `nohup` does: the first bit in Linux's own words.
fn outlives_its_terminal() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap_or_default();
    u64::from_str_radix(ignored, 16).is_ok_and(|signals| signals & 1 == 1)
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string_pretty(report)? + "\n" } else { report.to_string() };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads it has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
