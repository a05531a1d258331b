#![doc = include_str!("../README.md")]

mod command;
mod edge;
mod error;
mod input;
mod interrupts;
mod output;
mod packages;
mod progress;
#[cfg(feature = "aws")]
mod redrive;
mod replay;
mod server;
mod service;
mod site;
mod up;
#[cfg(not(feature = "aws"))]
mod without_aws;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

#[cfg(feature = "aws")]
use ::redrive::RedriveError;
use clap::Parser;
use object_storage::BucketError;
#[cfg(not(feature = "aws"))]
use object_storage::Destination;
use serde::Serialize;
use tokio::runtime::Runtime;

use self::command::{Cli, Command, Up};
use self::error::UsageError;
use self::interrupts::Interrupts;
#[cfg(feature = "aws")]
use self::redrive::{Redrive, ReportTable};
use self::replay::Replay;
use self::up::settings::Settings;
#[cfg(not(feature = "aws"))]
use self::without_aws::NeedsAws;

const GRACE: Duration = Duration::from_secs(5);

/// Runs the command line, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        #[cfg(not(feature = "aws"))]
        Err(error) if error.is::<NeedsAws>() => without_aws::run_with_aws(),
        Err(error) => {
            progress::print(&format!("error: {error:#}"));
            ExitCode::from(if is_usage(&error) { 2 } else { 1 })
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    progress::print_events();
    let runtime = Runtime::new()?;
    let result = runtime.block_on(async {
        match command {
            Command::Replay(arguments) => replay(arguments).await,
            #[cfg(feature = "aws")]
            Command::Redrive(arguments) => redrive(arguments).await,
            #[cfg(not(feature = "aws"))]
            Command::Redrive(_) => Err(NeedsAws.into()),
            Command::Up(arguments) => up(&arguments).await,
        }
    });
    // Stops the functions of aborted invocations. Everything else has finished.
    runtime.shutdown_timeout(GRACE);
    result
}

fn is_usage(error: &anyhow::Error) -> bool {
    #[cfg(feature = "aws")]
    if error.downcast_ref().is_some_and(RedriveError::is_usage) {
        return true;
    }
    error.is::<UsageError>() || matches!(error.downcast_ref(), Some(BucketError::NoCredentials(_)))
}

async fn replay(arguments: Replay) -> anyhow::Result<ExitCode> {
    let (json, allow_failed) = (arguments.json, arguments.allow_failed);
    let replayed = replay::run(arguments, Interrupts::listen()?.next()).await?;
    print(&replayed.report, json)?;
    if let Some(error) = replayed.error {
        return Err(error);
    }
    Ok(match replayed.report.records.failed {
        _ if replayed.report.interrupted => ExitCode::from(130),
        _ if replayed.report.skipped > 0 => ExitCode::FAILURE,
        failed if failed > 0 && !allow_failed => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

#[cfg(feature = "aws")]
async fn redrive(arguments: Redrive) -> anyhow::Result<ExitCode> {
    let json = arguments.json;
    let redriven = redrive::run(arguments.try_into()?, Interrupts::listen()?).await?;
    let printed = print(&ReportTable(&redriven.report), json);
    if let Some(error) = redriven.error {
        return Err(error.into());
    }
    printed?;
    Ok(match redriven.report {
        report if report.interrupted => ExitCode::from(130),
        report if report.requires_attention() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

async fn up(arguments: &Up) -> anyhow::Result<ExitCode> {
    let settings = Settings::read(&arguments.pipeline, &arguments.stream, arguments.config.as_deref())?;
    #[cfg(not(feature = "aws"))]
    if settings.streams.iter().any(|stream| matches!(stream.destination, Destination::S3 { .. })) {
        return Err(NeedsAws.into());
    }
    up::run(settings, &mut Interrupts::listen()?).await
}

fn print(report: &(impl Display + Serialize), json: bool) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string_pretty(report)? + "\n" } else { report.to_string() };
    match io::stdout().write_all(text.as_bytes()) {
        // The reader has closed the pipe, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
