//! Why an operation, or the start of a stream, is refused.

use std::path::PathBuf;

use super::Status;
use super::processing::FieldError;
use super::store::StoreError;
use super::tags::MAX_TAGS;
use crate::registry::NameTaken;
use crate::stream::StateError;
use object_storage::BucketError;

/// The most streams that callers create: a limit of this server, below the 5,000 of Firehose's quotas. Each has up to three open files
/// with a state, and a process often has 1,024.
pub(super) const MAX_STREAMS: usize = 100;

/// Why streams of an earlier run do not start.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The definitions cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stream is configured, and a caller has created one of its name.
    #[error(
        "the stream {0} is configured, and the folder of `--state` has a stream {0} that a caller created: rename the configured one, \
         or name another folder"
    )]
    Configured(String),
    /// A definition cannot be used.
    #[error("could not start the stream {0} of `--state`")]
    Definition(String, #[source] FieldError),
    /// A stream cannot be started.
    #[error("could not start the stream {0} of `--state`")]
    Start(String, #[source] StartError),
}

/// Why a stream is not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its storage cannot be opened.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// Its records on disk cannot be opened.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its definition cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another stream has the name.
    #[error(transparent)]
    Name(#[from] NameTaken),
    /// A task panicked, and has logged it.
    #[error("a task panicked")]
    Panicked,
}

/// Why an operation is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("the stream does not exist")]
    NotFound,
    #[error("the stream already exists")]
    Exists,
    #[error("the stream is {0}")]
    Busy(Status),
    #[error("the stream is configured at the start of this process")]
    Configured,
    #[error("the version is {current}, not {given}")]
    Version { current: u64, given: String },
    #[error("{} has the records of an earlier stream of this name", .0.display())]
    RecordsLeft(PathBuf),
    #[error("this local Firehose has at most {MAX_STREAMS} streams that are created")]
    TooManyStreams,
    #[error("a stream has at most {MAX_TAGS} tags")]
    TooManyTags,
    /// A change in the other direction than the operation's.
    #[error("the retention is {current} hours, not {given}")]
    Retention { current: u32, given: u32 },
    /// Logged where it happened.
    #[error("the operation failed")]
    Failed,
}
