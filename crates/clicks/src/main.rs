//! The command line: what was asked, and the exit code.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clicks::batch::{BUFFER_MB, Limits};
use clicks::function;
use clicks::replay::{self, Options, ReplayError};
use tokio::signal::unix::{SignalKind, signal};

/// Runs the click processor on this machine as Amazon Data Firehose would.
#[derive(Parser)]
#[command(name = "clicks", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Replay(Replay),
}

/// Puts files through the processor, as Firehose would, and writes what Firehose would deliver.
///
/// Takes Firehose events (JSON with `records`), Firehose error objects (lines of JSON with `rawData`, whose original records are
/// put through again) and clicks as lines of JSON; tells them apart by content, also gzipped. Clicks are batched into events as
/// Firehose's buffer does it.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 done; 1 a record failed (see --allow-failed), or the replay did; 2 wrong usage or \
                        unknown input; 130 interrupted by Ctrl-C, with the numbers of what was done."
)]
struct Replay {
    /// Files, folders (walked in order, without hidden files), or `-` for standard input.
    #[arg(required = true, value_name = "FILE|DIR")]
    inputs: Vec<PathBuf>,

    /// The function's executable [default: the processor of this workspace, built when needed]
    #[arg(long, value_name = "PATH")]
    function: Option<PathBuf>,

    /// The mysfits service's base URL [default: a local service that is started]
    #[arg(long, value_name = "URL", value_parser = service_url)]
    service: Option<String>,

    /// What the local service waits before each answer, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "service")]
    service_latency_ms: u64,

    /// A variable of the function's environment; may be given several times. Its own configuration is taken over from this
    /// environment: MYSFITS_*, ON_*, MYSFIT_ATTRIBUTES, CLICK_FIELDS, RECORD_FIELDS, PARTITION_KEYS, AWS_LAMBDA_LOG_LEVEL.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    env: Vec<(String, String)>,

    /// The folder of the delivered and the error objects, new or empty [default: out/replay-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The size of a batch's data, as Firehose's BufferSizeInMBs: 0.2 to 3.
    #[arg(long, value_name = "MB", default_value_t = BUFFER_MB.2, value_parser = buffer_mb)]
    buffer_mb: f64,

    /// The most records of a batch. Firehose documents no such number.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    buffer_records: u32,

    /// How often a failed invocation is tried again, as Firehose's NumberOfRetries.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=300))]
    retries: u32,

    /// The function's timeout in seconds; Firehose waits for 300 at most.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout_seconds: u64,

    /// Exit with 0 although records failed.
    #[arg(long)]
    allow_failed: bool,

    /// Print the numbers as JSON instead of a table.
    #[arg(long)]
    json: bool,

    /// Show the function's log, which is in `function.log` in any case.
    #[arg(long, short)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command: Command::Replay(arguments) } = Cli::parse();
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            let usage = error.downcast_ref().is_some_and(ReplayError::is_usage);
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

async fn run(arguments: Replay) -> anyhow::Result<ExitCode> {
    let (json, allow_failed) = (arguments.json, arguments.allow_failed);
    let options = options(arguments)?;
    // From here on Ctrl-C ends the replay; before, it ends cargo and this process.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let interrupt = async move {
        interrupts.recv().await;
    };
    let replayed = replay::run(options, interrupt).await?;

    let report = replayed.report;
    let text = if json { serde_json::to_string_pretty(&report)? + "\n" } else { report.to_string() };
    io::stdout().write_all(text.as_bytes())?;
    if let Some(error) = replayed.error {
        return Err(error.into());
    }
    Ok(match report.records.failed {
        _ if report.interrupted => ExitCode::from(130),
        failed if failed > 0 && !allow_failed => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn options(arguments: Replay) -> anyhow::Result<Options> {
    let function = match arguments.function {
        Some(path) => path,
        None => function::build()?,
    };
    let mut env = function::inherited(std::env::vars_os());
    env.retain(|(key, _)| key != "MYSFITS_API_URL");
    env.extend(arguments.env);
    Ok(Options {
        inputs: arguments.inputs,
        function,
        service: arguments.service,
        service_latency: Duration::from_millis(arguments.service_latency_ms),
        env,
        out: arguments.out,
        limits: Limits::new(arguments.buffer_mb, arguments.buffer_records as usize),
        retries: arguments.retries,
        timeout: Duration::from_secs(arguments.timeout_seconds),
        verbose: arguments.verbose,
    })
}

fn service_url(text: &str) -> Result<String, String> {
    let known = text.starts_with("http://") || text.starts_with("https://");
    if known { Ok(text.to_owned()) } else { Err("accepted is a URL with http:// or https://".to_owned()) }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("accepted is KEY=VALUE".to_owned()),
    }
}

fn buffer_mb(text: &str) -> Result<f64, String> {
    let (least, most, _) = BUFFER_MB;
    match text.parse() {
        Ok(megabytes) if (least..=most).contains(&megabytes) => Ok(megabytes),
        _ => Err(format!("accepted is a number from {least} to {most}")),
    }
}
