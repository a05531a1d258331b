//! What a stream runs by: Firehose's configuration of it, its function, and its place on this machine.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use firehose_model::kinesis::shard::{ON_DEMAND, Shards};
use firehose_model::prefix::{Compression, ErrorPrefix, Prefix};
use object_storage::Destination;

/// Everything that a stream runs by.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSettings {
    /// Its name.
    pub name: String,
    /// Where its records come from.
    pub source: Source,
    /// What records are put through; without it, they are delivered as they come.
    pub function: Option<FunctionSettings>,
    /// When a batch goes to the function, besides `buffer_records`.
    pub buffer: Buffering,
    /// The most records of a batch.
    pub buffer_records: usize,
    /// How many invocations may be on their way at once.
    pub concurrency: usize,
    /// How often a failed invocation is tried again.
    pub retries: u32,
    /// Where objects go.
    pub destination: Destination,
    /// When an object is written.
    pub destination_buffer: Buffering,
    /// What the names of delivered objects begin with.
    pub prefix: Prefix,
    /// What the names of error objects begin with.
    pub error_prefix: ErrorPrefix,
    /// How objects are compressed.
    pub compression: Compression,
    /// What the names of the source records' objects begin with; without it, there are none.
    pub backup_prefix: Option<Prefix>,
    /// Whether records are delivered by the partition keys that the function returns.
    pub dynamic_partitioning: bool,
    /// The most data that is accepted and not delivered.
    pub backlog_bytes: usize,
}

#[cfg(test)]
impl StreamSettings {
    /// A stream without a function, into a folder.
    #[must_use]
    pub(crate) fn untransformed(name: &str, folder: &std::path::Path) -> Self {
        const MB: usize = firehose_model::batch::MB;
        let error_prefix = ErrorPrefix::parse("errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/");
        Self {
            name: name.to_owned(),
            source: Source::DirectPut,
            function: None,
            buffer: Buffering { bytes: MB, interval: Duration::from_secs(1) },
            buffer_records: firehose_model::batch::DEFAULT_BUFFER_RECORDS as usize,
            concurrency: 5,
            retries: 3,
            destination: Destination::Folder(folder.to_owned()),
            destination_buffer: Buffering { bytes: 5 * MB, interval: Duration::from_secs(3) },
            prefix: Prefix::parse("firehose/", false).unwrap(),
            error_prefix: error_prefix.unwrap(),
            compression: Compression::None,
            backup_prefix: None,
            dynamic_partitioning: false,
            backlog_bytes: 256 * MB,
        }
    }
}

/// Where a stream's records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// From whoever puts them into it.
    DirectPut,
    /// From a data stream of the same name.
    Kinesis(DataStreamSettings),
}

/// What a data stream runs by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataStreamSettings {
    /// How many shards it has; without a number, it is on demand.
    pub provisioned: Option<NonZeroU32>,
    /// The field of a record's JSON that the edge takes for its partition key.
    pub partition_key_field: Option<String>,
}

impl DataStreamSettings {
    /// Its shards. On demand, Kinesis adds more as they are needed; here it stays with those that it begins with.
    #[must_use]
    pub fn shards(&self) -> Shards {
        Shards::new(self.provisioned.unwrap_or(ON_DEMAND))
    }
}

/// When a buffer is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffering {
    /// With so much data.
    pub bytes: usize,
    /// So long after its first record.
    pub interval: Duration,
}

/// How a stream's function is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSettings {
    /// What is run; without it, the processor of this workspace.
    pub command: Option<Command>,
    /// Its environment, besides the service's URL: each variable once, by name.
    pub env: Vec<(String, String)>,
    /// The memory that it is told it has.
    pub memory_mb: u32,
    /// How long an invocation may take.
    pub timeout: Duration,
}

/// A command of somebody's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The executable, by an absolute path.
    pub executable: PathBuf,
    /// What follows it.
    pub args: Vec<OsString>,
}
