//! The settings of a stream: its Firehose configuration, its function, and its storage.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::tz::TimeZone;

use firehose_model::event::StreamIdentity;
use firehose_model::kinesis::shard::{ON_DEMAND, Shards};
use firehose_model::prefix::{Compression, Prefix};
use firehose_model::processors::Processors;
use firehose_model::scope::Scope;
use object_storage::Destination;

/// The settings of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSettings {
    /// The name of the delivery stream.
    pub name: String,
    /// The region and the account of its ARN in events.
    pub scope: Scope,
    /// Where its records come from.
    pub source: Source,
    /// The number of its configuration, which is in the names of objects: 1, and one more with each update.
    pub version: u64,
    /// The function that transforms records. Without one, they are delivered as they were put.
    pub function: Option<runtime_api::FunctionSettings>,
    /// The ARN of the function as it was configured. `None`: that of `function`. An ARN without `function` is one of a function that does
    /// not exist: each invocation fails.
    pub function_arn: Option<String>,
    /// The buffering hints of the function.
    pub buffer: Buffering,
    /// The most records of an invocation.
    pub buffer_records: usize,
    /// The most concurrent invocations.
    pub concurrency: usize,
    /// How often a failed invocation is retried.
    pub retries: u32,
    /// What is done with records before and after the function.
    pub processors: Processors,
    /// Where objects go.
    pub destination: Destination,
    /// The buffering hints of the destination.
    pub destination_buffer: Buffering,
    /// The prefix of delivered objects.
    pub prefix: Prefix,
    /// The prefix of error objects.
    pub error_prefix: Prefix,
    /// The time zone of delivered objects and error objects: of their prefixes and of their names.
    pub time_zone: TimeZone,
    /// The compression of delivered objects.
    pub compression: Compression,
    /// The end of the names of delivered objects. `None`: that of the compression.
    pub file_extension: Option<String>,
    /// The prefix of the source backup. Without one, there is no backup.
    pub backup_prefix: Option<Prefix>,
    /// The compression of the source backup.
    pub backup_compression: Compression,
    /// Whether records are delivered by partition keys, of the function or of a query.
    pub dynamic_partitioning: bool,
    /// The most bytes in memory of records that are accepted and not delivered.
    pub backlog_bytes: usize,
    /// The fields of delivered JSON lines whose values a snapshot counts.
    pub count_fields: Vec<String>,
}

impl StreamSettings {
    /// The data stream that it reads, if it reads one.
    #[must_use]
    pub fn data_stream(&self) -> Option<&str> {
        match &self.source {
            Source::DirectPut => None,
            Source::Kinesis(_) => Some(&self.name),
            Source::DataStream { name, .. } => Some(name),
        }
    }

    /// The function's ARN as error objects have it, if there is a function.
    #[must_use]
    pub fn arn_of_function(&self) -> Option<String> {
        let latest = || self.function.as_ref().map(|function| format!("{}:$LATEST", function.function_arn()));
        self.function_arn.clone().or_else(latest)
    }

    /// As events have it.
    pub(super) fn identity(&self) -> StreamIdentity {
        let data_stream = self.data_stream().unwrap_or(&self.name).to_owned();
        StreamIdentity { name: self.name.clone(), data_stream, scope: self.scope.clone() }
    }
}

/// The source of a stream's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Firehose's own API.
    DirectPut,
    /// A data stream of the same name, which is configured with the delivery stream.
    Kinesis(DataStreamSettings),
    /// A data stream that a caller has created.
    DataStream {
        /// Its name.
        name: String,
        /// Its settings.
        settings: DataStreamSettings,
    },
}

/// The settings of a data stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataStreamSettings {
    /// The number of shards. `None`: on demand.
    pub provisioned: Option<NonZeroU32>,
    /// The field of a record's JSON that is its partition key, for records that an HTTP edge puts.
    pub partition_key_field: Option<String>,
}

impl DataStreamSettings {
    /// The shards. On demand, Kinesis scales them; here their number stays that of a new stream.
    #[must_use]
    pub fn shards(&self) -> Shards {
        Shards(self.provisioned.unwrap_or(ON_DEMAND))
    }
}

/// Buffering hints: a buffer is flushed when either is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffering {
    /// The size of the data.
    pub bytes: usize,
    /// The time after the first record.
    pub interval: Duration,
}

#[cfg(test)]
mod tests;
