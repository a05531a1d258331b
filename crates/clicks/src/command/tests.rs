//! The documents name what the command line accepts, and the command line accepts what they name.

// Without it, `redrive` has no options.
#![cfg(feature = "aws")]

mod documents;
mod reference;

use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
