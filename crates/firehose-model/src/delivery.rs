//! What Firehose does with a function's reply, fault by fault.
//!
//! The sources, in falling order of trust: the Firehose developer guide; probes of a real Firehose; error objects seen in
//! public; captures that others describe. Each arm of [`evaluate`] and each [`Fault`] says which one it follows, or that it is an
//! assumption.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::event::Record;
use crate::excerpt::excerpt;
use crate::prefix::ErrorOutputType;

/// How much of a bad reply a message shows.
const EXCERPT_CHARS: usize = 80;

/// What becomes of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its bytes, as the function wrote them, go to the destination.
    Delivered {
        /// The bytes.
        data: Vec<u8>,
        /// `metadata.partitionKeys`, for dynamic partitioning.
        keys: PartitionKeys,
    },
    /// The function did not want it.
    Dropped,
    /// Its original bytes go to the error output.
    Failed(Fault),
}

impl Fate {
    /// To the destination, without partition keys.
    pub fn delivered(data: impl Into<Vec<u8>>) -> Self {
        Self::Delivered { data: data.into(), keys: PartitionKeys::new() }
    }
}

/// Partition keys and their values. A value that is no string is as good as none: an assumption, as the developer guide asks
/// for strings and does not say what becomes of others.
pub type PartitionKeys = BTreeMap<String, String>;

/// Why a record failed, as Firehose names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The function said so (probed).
    ProcessingFailed,
    /// The reply has no such record (developer guide).
    MissingRecordId,
    /// The reply has it more than once (developer guide).
    DuplicatedRecordId,
    /// `Ok`, and nothing to deliver (probed).
    InvalidReturnFormat,
    /// The invocation failed, or its reply can't be read (captured).
    FunctionError,
    /// The invocation took too long (seen in a public error object).
    FunctionTimedOut,
    /// A key that the prefix is made of is missing or empty (code and message seen in public).
    NoPartition,
    /// The record's partition would be one too many (the code is in a public README, the message is of the developer guide's
    /// "Buffer data for dynamic partitioning").
    TooManyPartitions,
}

impl Fault {
    /// The `errorCode` of an error object.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ProcessingFailed => "Lambda.ProcessingFailedStatus",
            Self::MissingRecordId => "Lambda.MissingRecordId",
            Self::DuplicatedRecordId => "Lambda.DuplicatedRecordId",
            Self::InvalidReturnFormat => "Lambda.InvalidReturnFormat",
            Self::FunctionError => "Lambda.FunctionError",
            Self::FunctionTimedOut => "Lambda.FunctionTimedOut",
            Self::NoPartition => "DynamicPartitioning.MetadataExtractionFailed",
            Self::TooManyPartitions => "DynamicPartitioning.ActivePartitionsLimitExceeded",
        }
    }

    /// The `errorMessage` of an error object, as public objects have it; of a duplicate and of missing data as a probe saw it.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::ProcessingFailed => "ProcessingFailed status set for record",
            Self::MissingRecordId => {
                "One or more record Ids were not returned. \
                 Ensure that the Lambda function returns all received record Ids."
            }
            Self::DuplicatedRecordId => {
                "Multiple records were returned with the same record Id. \
                 Ensure that the Lambda function returns a unique record Id for each record."
            }
            Self::InvalidReturnFormat => {
                "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and processing \
                 result is Ok. The value field cannot be null when the SourceType is MSKAsSource and processing result is Ok."
            }
            Self::FunctionError => "The Lambda function was successfully invoked but it returned an error result.",
            Self::FunctionTimedOut => {
                "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function."
            }
            Self::NoPartition => "partitionKeys values must not be null or empty",
            Self::TooManyPartitions => "The number of active partitions has exceeded the limit.",
        }
    }

    /// What the error prefix calls it.
    #[must_use]
    pub fn output_type(self) -> ErrorOutputType {
        match self {
            Self::NoPartition => ErrorOutputType::PartitioningFailed,
            Self::TooManyPartitions => ErrorOutputType::ActivePartitionExceeded,
            _ => ErrorOutputType::ProcessingFailed,
        }
    }
}

/// What an attempt comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Firehose has a reply: each record's fate, in the records' order. It is final.
    Settled(Vec<Fate>),
    /// Firehose has a reply that it can't use, and why: every record has this fault. It is final, too (probed: a malformed
    /// reply is not retried).
    Spoiled(Fault, String),
    /// The invocation failed: it is tried again, and after the last attempt every record has this fault.
    Failed(Fault),
}

impl Attempt {
    /// Whether Firehose takes records as failed that the function says failed. The function counts them in an attempt that is
    /// not taken, too.
    #[must_use]
    pub fn takes_failures(&self) -> bool {
        matches!(self, Self::Settled(fates) if fates.contains(&Fate::Failed(Fault::ProcessingFailed)))
    }
}

/// Evaluates the response to one invocation. The records' ids differ: an event where they don't is refused when it is read.
#[must_use]
pub fn evaluate(records: &[Record], response: &[u8]) -> Attempt {
    // No readable `records`: every id is missing (probed).
    let Ok(reply) = serde_json::from_slice::<Reply>(response) else {
        let start = excerpt(&String::from_utf8_lossy(response), EXCERPT_CHARS);
        let why = format!("it is no JSON object with an array `records`: `{start}`");
        return Attempt::Spoiled(Fault::MissingRecordId, why);
    };

    let mut by_id: HashMap<&str, Vec<Returned>> =
        records.iter().map(|record| (record.record_id.as_str(), Vec::new())).collect();
    for (index, value) in reply.records.iter().enumerate() {
        // Order doesn't matter, and unknown ids are ignored (probed). What has no id can't be matched either.
        let id = value.get("recordId").and_then(Value::as_str);
        let Some(returned) = id.and_then(|id| by_id.get_mut(id)) else { continue };
        match Returned::read(value) {
            Ok(read) => returned.push(read),
            // One unreadable record spoils the reply (captured).
            Err(why) => return Attempt::Spoiled(Fault::FunctionError, format!("`records[{index}]`: {why}")),
        }
    }
    let fates = records.iter().map(|record| {
        let mut returned = by_id.remove(record.record_id.as_str()).unwrap_or_default();
        match (returned.pop(), returned.is_empty()) {
            (Some(only), true) => only.fate(),
            // Only that record (probed); captures say the whole batch.
            (Some(_), false) => Fate::Failed(Fault::DuplicatedRecordId),
            (None, _) => Fate::Failed(Fault::MissingRecordId),
        }
    });
    Attempt::Settled(fates.collect())
}

#[derive(Deserialize)]
struct Reply {
    records: Vec<Value>,
}

/// What the function made of one record.
enum Returned {
    Ok(Option<Vec<u8>>, PartitionKeys),
    Dropped,
    ProcessingFailed,
}

impl Returned {
    /// Tells why not where the data is not base64, or the result is outside the three. Data is read with every result: an
    /// assumption, as nobody has told what Firehose does of a dropped record with bad data.
    fn read(value: &Value) -> Result<Self, String> {
        // The reply to Amazon MSK names the data as its event does.
        let there = |name| value.get(name).filter(|value| !value.is_null());
        let data = match there("data").or_else(|| there("kafkaRecordValue")) {
            None => None,
            Some(data) => {
                let decoded = data.as_str().and_then(|data| STANDARD.decode(data).ok());
                Some(decoded.ok_or_else(|| format!("its data {} is not base64", shown(data)))?)
            }
        };
        match value.get("result") {
            Some(Value::String(result)) if result == "Ok" => Ok(Self::Ok(data, partition_keys(value))),
            Some(Value::String(result)) if result == "Dropped" => Ok(Self::Dropped),
            Some(Value::String(result)) if result == "ProcessingFailed" => Ok(Self::ProcessingFailed),
            Some(other) => Err(format!("its result is {}; known are Ok, Dropped, ProcessingFailed", shown(other))),
            None => Err("it has no result; known are Ok, Dropped, ProcessingFailed".to_owned()),
        }
    }

    fn fate(self) -> Fate {
        match self {
            Self::Ok(Some(data), keys) => Fate::Delivered { data, keys },
            Self::Ok(None, _) => Fate::Failed(Fault::InvalidReturnFormat),
            Self::Dropped => Fate::Dropped,
            Self::ProcessingFailed => Fate::Failed(Fault::ProcessingFailed),
        }
    }
}

fn partition_keys(value: &Value) -> PartitionKeys {
    let keys = value.pointer("/metadata/partitionKeys").and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    keys.into_iter().flatten().filter_map(text).collect()
}

fn shown(value: &Value) -> String {
    format!("`{}`", excerpt(&value.to_string(), EXCERPT_CHARS))
}

#[cfg(test)]
mod tests;
