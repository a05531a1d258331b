//! The error that exits with 2, and that of a port.

use std::io;
use std::net::SocketAddr;

use anyhow::anyhow;

/// The options are wrong, or the files that they name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

pub(crate) fn could_not_listen(option: &str, address: SocketAddr, cause: &io::Error) -> anyhow::Error {
    anyhow!("could not listen on {address} ({cause}); choose another port with `--{option} N`, or 0 for any free one")
}
