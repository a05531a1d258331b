#![doc = include_str!("../README.md")]

mod command;
mod edge;
mod error;
mod examples;
mod flush;
mod input;
mod interrupts;
mod listen;
mod output;
mod packages;
mod progress;
#[cfg(feature = "aws")]
mod redrive;
mod replay;
mod serve;
mod service;
mod site;
mod state;
mod tap;
mod totals;
mod up;
#[cfg(not(feature = "aws"))]
mod without_aws;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

#[cfg(feature = "aws")]
use ::redrive::{RedriveError, Redriven};
#[cfg(feature = "aws")]
use clap::CommandFactory;
use clap::Parser;
#[cfg(feature = "aws")]
use clap_complete::{Shell, generate};
use object_storage::BucketError;
#[cfg(not(feature = "aws"))]
use object_storage::Destination;
use serde::Serialize;
use tokio::runtime::Runtime;

#[cfg(feature = "aws")]
use self::command::Completions;
use self::command::{Cli, Command, Up};
use self::error::UsageError;
use self::interrupts::Interrupts;
use self::progress::Table;
#[cfg(feature = "aws")]
use self::redrive::Redrive;
use self::replay::{Replay, Replayed};
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
            #[cfg(feature = "aws")]
            Command::Redrive(arguments) => redrive(arguments).await,
            #[cfg(not(feature = "aws"))]
            Command::Redrive(_) => Err(NeedsAws.into()),
            Command::Serve(arguments) => serve::run(&arguments, &mut Interrupts::listen()?).await,
            Command::Up(arguments) => up(&arguments).await,
            Command::Tap(arguments) => tap::run(&arguments, &mut Interrupts::listen()?).await,
            #[cfg(feature = "aws")]
            Command::Completions(Completions { shell }) => completions(shell),
            // It does not know the options of `redrive`.
            #[cfg(not(feature = "aws"))]
            Command::Completions(_) => Err(NeedsAws.into()),
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
    let Replayed { report, error } = replay::run(arguments, Interrupts::listen()?.next()).await?;
    print(&report, &report.table(), json, error)?;
    let has_failed = report.skipped > 0 || (report.records.failed > 0 && !allow_failed);
    Ok(exit_code(report.interrupted, has_failed))
}

#[cfg(feature = "aws")]
async fn redrive(arguments: Redrive) -> anyhow::Result<ExitCode> {
    let json = arguments.json;
    let Redriven { report, error } = redrive::run(arguments.try_into()?, Interrupts::listen()?).await?;
    print(&report, &redrive::table(&report), json, error.map(Into::into))?;
    Ok(exit_code(report.interrupted, report.requires_attention()))
}

async fn up(arguments: &Up) -> anyhow::Result<ExitCode> {
    let settings = Settings::read(&arguments.pipeline, &arguments.stream, arguments.config.as_deref())?;
    #[cfg(not(feature = "aws"))]
    if settings.streams.iter().any(|stream| matches!(stream.destination, Destination::S3 { .. })) {
        return Err(NeedsAws.into());
    }
    up::run(settings, &mut Interrupts::listen()?).await
}

#[cfg(feature = "aws")]
fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "clicks", &mut script);
    write(&script)?;
    Ok(ExitCode::SUCCESS)
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
