//! What a stream runs by: Firehose's configuration of it, its function, and its place on this machine.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::bucket::Destination;
use crate::firehose::prefix::{Compression, ErrorPrefix, Prefix};
use crate::kinesis::shard::{ON_DEMAND, Shards};

/// Everything that a stream runs by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StreamSettings {
    /// Its name.
    pub(crate) name: String,
    /// Where its records come from.
    pub(crate) source: Source,
    /// What records are put through; without it, they are delivered as they come.
    pub(crate) function: Option<FunctionSettings>,
    /// When a batch goes to the function, besides `buffer_records`.
    pub(crate) buffer: Buffering,
    /// The most records of a batch.
    pub(crate) buffer_records: usize,
    /// How many invocations may be on their way at once.
    pub(crate) concurrency: usize,
    /// How often a failed invocation is tried again.
    pub(crate) retries: u32,
    /// Where objects go.
    pub(crate) destination: Destination,
    /// When an object is written.
    pub(crate) destination_buffer: Buffering,
    /// What the names of delivered objects begin with.
    pub(crate) prefix: Prefix,
    /// What the names of error objects begin with.
    pub(crate) error_prefix: ErrorPrefix,
    /// How objects are compressed.
    pub(crate) compression: Compression,
    /// What the names of the source records' objects begin with; without it, there are none.
    pub(crate) backup_prefix: Option<Prefix>,
    /// Whether records are delivered by the partition keys that the function returns.
    pub(crate) dynamic_partitioning: bool,
    /// The most data that is accepted and not delivered.
    pub(crate) backlog_bytes: usize,
}

/// Where a stream's records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// From whoever puts them into it.
    DirectPut,
    /// From a data stream of the same name.
    Kinesis(DataStreamSettings),
}

/// What a data stream runs by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DataStreamSettings {
    /// How many shards it has; without a number, it is on demand.
    pub(crate) provisioned: Option<NonZeroU32>,
    /// The field of a record's JSON that the edge takes for its partition key.
    pub(crate) partition_key_field: Option<String>,
}

impl DataStreamSettings {
    /// Its shards. On demand, Kinesis adds more as they are needed; here it stays with those that it begins with.
    pub(crate) fn shards(&self) -> Shards {
        Shards::new(self.provisioned.unwrap_or(ON_DEMAND))
    }
}

/// When a buffer is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Buffering {
    /// With so much data.
    pub(crate) bytes: usize,
    /// So long after its first record.
    pub(crate) interval: Duration,
}

/// How a stream's function is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionSettings {
    /// What is run; without it, the processor of this workspace.
    pub(crate) command: Option<Command>,
    /// Its environment, besides the service's URL: each variable once, by name.
    pub(crate) env: Vec<(String, String)>,
    /// The memory that it is told it has.
    pub(crate) memory_mb: u32,
    /// How long an invocation may take.
    pub(crate) timeout: Duration,
}

/// A command of somebody's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// The executable, by an absolute path.
    pub(crate) executable: PathBuf,
    /// What follows it.
    pub(crate) args: Vec<OsString>,
}
