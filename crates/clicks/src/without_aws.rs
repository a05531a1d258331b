//! A build without the AWS SDKs, as of `cargo clicks`. What needs them is run by a build with them.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use clap::Args;

use crate::packages;

#[derive(Debug, thiserror::Error)]
#[error("this build is without the feature `aws`")]
pub(crate) struct NeedsAws;

/// Puts records from Firehose's error output back into the stream, each record once.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Redrive {
    /// See `clicks redrive --help`, which a build with the AWS SDKs prints
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Returns only if there is no workspace, or if cargo can't be run.
pub(crate) fn run_with_aws() -> ExitCode {
    let Some(workspace) = packages::workspace() else {
        tracing::error!("{NeedsAws}; install one with the default features");
        return ExitCode::FAILURE;
    };
    let mut cargo = packages::cargo("run", "clicks");
    cargo.arg("--manifest-path").arg(workspace.join("Cargo.toml")).arg("--").args(std::env::args_os().skip(1));
    let error = cargo.exec();
    let program = cargo.get_program().display();
    tracing::error!("{NeedsAws}, and could not run {program} to build one with it: {error}");
    ExitCode::FAILURE
}
