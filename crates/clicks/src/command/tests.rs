//! The documents name what the command line accepts, and the command line accepts what they name.

mod documents;
mod reference;

use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
