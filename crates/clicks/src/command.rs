//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[cfg(feature = "aws")]
use crate::redrive::Redrive;
use crate::replay::Replay;
use crate::serve::Serve;
use crate::up::options::{PipelineOptions, StreamOptions};
#[cfg(not(feature = "aws"))]
use crate::without_aws::Redrive;

/// Runs the click processor on this machine, with the transformation of Amazon Data Firehose.
#[derive(Parser)]
#[command(name = "clicks", version)]
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
}

/// Runs the whole pipeline on this machine: the page, a local Firehose, the function, and the storage.
///
/// Every option can also be in the file of `--config`, by the same name without dashes: in [pipeline], for options that exist
/// once; in [defaults], for options of every stream; or in [streams.NAME], for options of one stream. The command line overrides
/// [streams.NAME], which overrides [defaults]. See `fixtures/up.toml`, and `fixtures/ingestion.toml` for data streams and the
/// collector. Functions of streams that are created at run time are in [functions.NAME], as for `clicks serve --config`.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 stopped by Ctrl-C, SIGTERM or SIGHUP, with all records delivered; 1 an error, or a destination \
                        that has accepted no object (--stop-seconds); 2 wrong usage; 130 aborted by a second interrupt."
)]
pub(crate) struct Up {
    // This order puts the group "Other" last in the help.
    #[command(flatten)]
    pub(crate) stream: StreamOptions,

    #[command(flatten)]
    pub(crate) pipeline: PipelineOptions,

    /// A TOML file with options; relative paths in it are relative to the current folder [default: none]
    #[arg(long, value_name = "FILE", help_heading = "Other")]
    pub(crate) config: Option<PathBuf>,
}
