//! A build without the AWS SDKs, as of `cargo clicks`. What needs them is run by a build with them.

use std::ffi::OsString;
use std::future::ready;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;
use object_storage::Destination;

use crate::packages;

#[derive(Debug, thiserror::Error)]
#[error("this build is without the feature `aws`")]
struct NeedsAws;

/// Puts records from Firehose's error output back into the stream, each record once.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Redrive {
    /// See `clicks redrive --help`, which a build with the AWS SDKs prints
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn redrive(_: Redrive) -> impl Future<Output = anyhow::Result<ExitCode>> {
    ready(Err(NeedsAws.into()))
}

/// This build does not know the options of `redrive`.
pub(crate) fn completions(_: Shell) -> anyhow::Result<ExitCode> {
    Err(NeedsAws.into())
}

pub(crate) fn is_redrive_usage(_: &anyhow::Error) -> bool {
    false
}

pub(crate) fn check_destinations<'a>(destinations: impl IntoIterator<Item = &'a Destination>) -> anyhow::Result<()> {
    let is_s3 = |destination: &Destination| matches!(destination, Destination::S3 { .. });
    if destinations.into_iter().any(is_s3) { Err(NeedsAws.into()) } else { Ok(()) }
}

/// Runs the command line with a build that has the AWS SDKs, if it needs them.
pub(crate) fn run_with_aws(error: anyhow::Error) -> anyhow::Result<ExitCode> {
    if error.is::<NeedsAws>() { Ok(run_build_with_aws()) } else { Err(error) }
}

/// Returns only if there is no workspace, or if cargo can't be run.
fn run_build_with_aws() -> ExitCode {
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
