//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::aws::Redrive;
use crate::examples::{TEMPLATE, examples};
use crate::replay::Replay;
use crate::serve::Serve;
use crate::tap::Tap;
use crate::up::options::{PipelineOptions, StreamOptions};

/// Runs the click processor on this machine, with the transformation of Amazon Data Firehose.
#[derive(Parser)]
#[command(
    name = "clicks",
    version = env!("CLICKS_VERSION"),
    help_template = TEMPLATE,
    before_help = examples(&[
        ("The demo: a page, its clicks, and their objects", "clicks up"),
        ("Only the APIs of Firehose and Kinesis, for your own tests", "clicks serve"),
        ("Its failed records, as they fail", "clicks tap --failed"),
        ("Files through the function", "clicks replay fixtures/clicks.jsonl"),
        ("Failed records back into a stream", "clicks redrive s3://BUCKET/errors --stream NAME --dry-run"),
    ])
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Replay(Replay),
    Redrive(Redrive),
    Serve(Box<Serve>),
    Up(Box<Up>),
    Tap(Tap),
    Completions(Completions),
}

/// Runs the whole pipeline on this machine: the page, a local Firehose, the function, and the storage.
///
/// Every option can also be in the file of `--config`, by the same name without dashes: in [pipeline], for options that exist
/// once; in [defaults], for options of every stream; or in [streams.NAME], for options of one stream. The command line overrides
/// [streams.NAME], which overrides [defaults]. See `fixtures/up.toml`, and `fixtures/ingestion.toml` for data streams and the
/// collector. Functions of streams that are created at run time are in [functions.NAME], as for `clicks serve --config`.
#[derive(Args)]
#[command(
    help_template = TEMPLATE,
    before_help = examples(&[
        ("The demo, with the pages at http://127.0.0.1:8000/", "clicks up"),
        ("Options in a file, with several streams", "clicks up --config fixtures/up.toml"),
        ("A function in any language", "clicks up --function \"python3 -m awslambdaric app.handler\""),
        ("Accepted records survive a kill", "clicks up --state out/state"),
        ("Objects in S3", "clicks up --destination s3://BUCKET --s3-endpoint http://127.0.0.1:9000"),
    ]),
    after_help = "Exit codes: 0 stopped by Ctrl-C, SIGTERM or SIGHUP, with all records delivered; 1 an error, or a destination \
                        that has accepted no object (--stop-seconds); 2 wrong usage; 130 aborted by a second interrupt."
)]
pub(crate) struct Up {
    /// A TOML file with options; relative paths in it are relative to the current folder [default: none]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) pipeline: PipelineOptions,

    #[command(flatten)]
    pub(crate) stream: StreamOptions,
}

/// Prints the completions of a shell.
#[derive(Args)]
#[command(
    help_template = TEMPLATE,
    before_help = examples(&[
        ("For this shell", "source <(clicks completions bash)"),
        ("For each new one", "clicks completions fish > ~/.config/fish/completions/clicks.fish"),
    ])
)]
pub(crate) struct Completions {
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[cfg(test)]
mod tests;
