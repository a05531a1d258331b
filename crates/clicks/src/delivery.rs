//! What Firehose does with a function's reply, fault by fault.
//!
//! The sources, in falling order of trust: the Firehose developer guide; probes of a real Firehose; error objects seen in
//! public; captures that others describe. Each arm of [`apply`] and each [`Fault`] says which one it follows.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use runtime_api::Outcome;
use serde::Deserialize;
use serde_json::Value;

use crate::event::Record;

/// What becomes of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its bytes, as the function wrote them, go to the destination.
    Delivered(Vec<u8>),
    /// The function did not want it.
    Dropped,
    /// Its original bytes go to the error output.
    Failed(Fault),
}

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
        }
    }
}

/// What an attempt comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Firehose has a reply: each record's fate, in the records' order. It is final (probed: a malformed reply is not
    /// retried).
    Settled(Vec<Fate>),
    /// The invocation failed: it is tried again, and after the last attempt every record has this fault.
    Failed(Fault),
}

/// Judges one invocation.
#[must_use]
pub fn judge(records: &[Record], outcome: &Outcome) -> Attempt {
    match outcome {
        Outcome::Reply(reply) => Attempt::Settled(apply(records, reply)),
        Outcome::Error { .. } | Outcome::Exited(_) => Attempt::Failed(Fault::FunctionError),
        Outcome::TimedOut => Attempt::Failed(Fault::FunctionTimedOut),
    }
}

/// Each record's fate, in the records' order, whatever the reply is.
#[must_use]
pub fn apply(records: &[Record], reply: &[u8]) -> Vec<Fate> {
    let all = |fault| records.iter().map(|_| Fate::Failed(fault)).collect();
    // No readable `records`: every id is missing (probed).
    let Ok(reply) = serde_json::from_slice::<Reply>(reply) else {
        return all(Fault::MissingRecordId);
    };

    // None: the id came more than once.
    let mut by_id: HashMap<&str, Option<Output>> = HashMap::with_capacity(reply.records.len());
    for value in &reply.records {
        // One unreadable record spoils the reply (captured).
        let Some(output) = Output::read(value) else {
            return all(Fault::FunctionError);
        };
        // What has no id can't be matched, so that its record is missing. Order doesn't matter, and unknown ids are ignored
        // (probed).
        if let Some(id) = value.get("recordId").and_then(Value::as_str) {
            by_id.entry(id).and_modify(|output| *output = None).or_insert(Some(output));
        }
    }
    let fates = records.iter().map(|record| match by_id.remove(record.record_id.as_str()) {
        Some(Some(output)) => output.fate(),
        // Only that record (probed); captures say the whole batch.
        Some(None) => Fate::Failed(Fault::DuplicatedRecordId),
        None => Fate::Failed(Fault::MissingRecordId),
    });
    fates.collect()
}

#[derive(Deserialize)]
struct Reply {
    records: Vec<Value>,
}

/// What the function made of one record.
enum Output {
    Ok(Option<Vec<u8>>),
    Dropped,
    ProcessingFailed,
}

impl Output {
    /// None where the data is not base64, or the result is outside the three. Data is read with every result, because
    /// Firehose reads the reply before it looks at results.
    fn read(value: &Value) -> Option<Self> {
        // The reply to Amazon MSK names the data as its event does.
        let data = match value.get("data").or_else(|| value.get("kafkaRecordValue")) {
            None | Some(Value::Null) => None,
            Some(data) => Some(STANDARD.decode(data.as_str()?).ok()?),
        };
        match value.get("result")?.as_str()? {
            "Ok" => Some(Self::Ok(data)),
            "Dropped" => Some(Self::Dropped),
            "ProcessingFailed" => Some(Self::ProcessingFailed),
            _ => None,
        }
    }

    fn fate(self) -> Fate {
        match self {
            Self::Ok(Some(data)) => Fate::Delivered(data),
            Self::Ok(None) => Fate::Failed(Fault::InvalidReturnFormat),
            Self::Dropped => Fate::Dropped,
            Self::ProcessingFailed => Fate::Failed(Fault::ProcessingFailed),
        }
    }
}

#[cfg(test)]
mod tests;
