#![doc = include_str!("../README.md")]

#[cfg(feature = "aws")]
#[path = "with_aws.rs"]
mod aws;
#[cfg(not(feature = "aws"))]
#[path = "without_aws.rs"]
mod aws;
mod command;
mod edge;
mod error;
mod examples;
mod flush;
mod function_command;
mod input;
mod interrupts;
mod listen;
mod output;
mod packages;
mod progress;
mod replay;
mod serve;
mod service;
mod site;
mod state;
mod tap;
mod totals;
mod up;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use object_storage::BucketError;
use serde::Serialize;
use tokio::runtime::Runtime;

use self::command::{Cli, Command, Completions, Up};
use self::error::UsageError;
use self::interrupts::Interrupts;
use self::progress::Table;
use self::replay::{Replay, Replayed};
use self::up::settings::Settings;

const GRACE: Duration = Duration::from_secs(5);

/// Runs the command line, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    match run(Cli::parse().command).or_else(aws::run_with_aws) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
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
            Command::Redrive(arguments) => aws::redrive(arguments).await,
            Command::Serve(arguments) => serve::run(&arguments, &mut Interrupts::listen()?).await,
            Command::Up(arguments) => up(&arguments).await,
            Command::Tap(arguments) => tap::run(&arguments, &mut Interrupts::listen()?).await,
            Command::Completions(Completions { shell }) => aws::completions(shell),
        }
    });
    // Stops the functions of aborted invocations. Everything else has finished.
    runtime.shutdown_timeout(GRACE);
    result
}

fn is_usage(error: &anyhow::Error) -> bool {
    let has_no_credentials = matches!(error.downcast_ref(), Some(BucketError::NoCredentials(_)));
    error.is::<UsageError>() || has_no_credentials || aws::is_redrive_usage(error)
}

async fn replay(arguments: Replay) -> anyhow::Result<ExitCode> {
    let (json, allow_failed) = (arguments.json, arguments.allow_failed);
    let Replayed { report, error } = replay::run(arguments, Interrupts::listen()?.next()).await?;
    print(&report, &report.table(), json, error)?;
    let has_failed = report.skipped > 0 || (report.records.failed > 0 && !allow_failed);
    Ok(exit_code(report.interrupted, has_failed))
}

async fn up(arguments: &Up) -> anyhow::Result<ExitCode> {
    let settings = Settings::read(&arguments.pipeline, &arguments.stream, arguments.config.as_deref())?;
    aws::check_destinations(settings.streams.iter().map(|stream| &stream.destination))?;
    up::run(settings, &mut Interrupts::listen()?).await
}

/// Returns the error of the run, or else that of the output.
fn print(report: &impl Serialize, table: &Table, json: bool, error: Option<anyhow::Error>) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string_pretty(report)? + "\n" } else { table.to_string() };
    let written = write(text.as_bytes());
    match error {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}

/// On standard output. Its reader may close the pipe, as `head` does.
fn write(bytes: &[u8]) -> io::Result<()> {
    let written = io::stdout().write_all(bytes);
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

fn exit_code(interrupted: bool, has_failed: bool) -> ExitCode {
    match (interrupted, has_failed) {
        (true, _) => ExitCode::from(130),
        (_, true) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
