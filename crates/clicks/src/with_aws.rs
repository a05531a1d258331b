//! What needs the AWS SDKs: `redrive`, and S3.

mod redrive;

use std::process::ExitCode;

use ::redrive::{RedriveError, Redriven};
use clap::CommandFactory;
use clap_complete::{Shell, generate};
use object_storage::Destination;

use crate::command::Cli;
use crate::interrupts::Interrupts;
use crate::{exit_code, print, write};

pub(crate) use self::redrive::Redrive;

pub(crate) async fn redrive(arguments: Redrive) -> anyhow::Result<ExitCode> {
    let json = arguments.json;
    let Redriven { report, error } = redrive::run(arguments.try_into()?, Interrupts::listen()?).await?;
    print(&report, &redrive::table(&report), json, error.map(Into::into))?;
    Ok(exit_code(report.interrupted, report.requires_attention()))
}

pub(crate) fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "clicks", &mut script);
    write(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn is_redrive_usage(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(RedriveError::is_usage)
}

#[expect(clippy::unnecessary_wraps, reason = "a build without the AWS SDKs refuses S3")]
pub(crate) fn check_destinations<'a>(_: impl IntoIterator<Item = &'a Destination>) -> anyhow::Result<()> {
    Ok(())
}

/// This build has them, so the error stays.
pub(crate) fn run_with_aws(error: anyhow::Error) -> anyhow::Result<ExitCode> {
    Err(error)
}
