//! What fuzzing reaches of this crate, all else of which is private: plain functions over plain values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::input::{Contents, Item};
use firehose_model::source::SourceType;
use firehose_model::delivery::ErrorCode;
use firehose_model::error_object::ErrorLine;
use firehose_model::event::Record;
use firehose_model::prefix::{Compression, ErrorOutputType, ErrorPrefix, Prefix, object_name};
use firehose_model::values::{self, Found, Values};

/// What is in a stream of JSON values.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins.
    pub offset: usize,
    /// Its bytes, with white space in front of them.
    pub bytes: Vec<u8>,
    /// Whether it is a JSON value.
    pub is_value: bool,
}

/// Reads a stream with these bytes, plain or gzip, as replay and redrive do; `None` where it can't be read to its end.
#[must_use]
pub fn pieces(stream: &[u8]) -> Option<Vec<Piece>> {
    let values = Values::open(stream, usize::MAX - 1).ok()?;
    let piece = |piece: values::Piece| Piece {
        offset: usize::try_from(piece.offset).unwrap_or(usize::MAX),
        bytes: piece.bytes,
        is_value: piece.found == Found::Value,
    };
    values.map(|found| found.map(piece).ok()).collect()
}

/// What was read out of a file until its end or the first error.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The base64 of each record, or whatever stood in its place; of an event, its payload.
    pub items: Vec<String>,
    /// Where there is what can't be replayed.
    pub skipped: Vec<u64>,
    /// Why no more was read.
    pub error: Option<String>,
}

/// Reads a file with these bytes, plain or gzip, as `clicks replay` does.
#[must_use]
pub fn replayed(file: Vec<u8>) -> Replayed {
    let mut replayed = Replayed::default();
    let contents = match Contents::of("the file".to_owned(), SourceType::DirectPut, std::io::Cursor::new(file)) {
        Ok(contents) => contents,
        Err(error) => return Replayed { error: Some(error.to_string()), ..replayed },
    };
    for item in contents {
        match item {
            Ok(Item::Record(data)) => replayed.items.push(data),
            Ok(Item::Event(event)) => {
                let payload = event.payload(Uuid::nil()).unwrap_or_default();
                replayed.items.push(String::from_utf8_lossy(&payload).into_owned());
            }
            Ok(Item::Skipped(skipped)) => replayed.skipped.push(skipped.offset),
            Err(error) => replayed.error = Some(error.to_string()),
        }
    }
    replayed
}

/// What `clicks redrive` finds in an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Redriven {
    /// The bytes that it would put back, in order.
    pub records: Vec<Vec<u8>>,
    /// By what it would know their values again.
    pub keys: Vec<u128>,
    /// How many pieces hold no record.
    pub corrupt: usize,
    /// Whether it could be read to its end.
    pub is_whole: bool,
}

/// Reads an object with these bytes, plain or gzip, as `clicks redrive` does.
#[must_use]
pub fn redriven(object: &[u8]) -> Redriven {
    let read = redrive::read("the object", object);
    let (keys, records) = read.records.into_iter().unzip();
    Redriven { records, keys, corrupt: read.bad, is_whole: read.is_whole }
}

/// The lines of an error object for records with this `rawData`, one fault after the other.
#[must_use]
pub fn error_lines(raw_data: &[String]) -> Vec<String> {
    let faults = [
        ErrorCode::ProcessingFailed,
        ErrorCode::MissingRecordId,
        ErrorCode::DuplicatedRecordId,
        ErrorCode::InvalidReturnFormat,
        ErrorCode::FunctionError,
        ErrorCode::FunctionTimedOut,
        ErrorCode::NoPartition,
        ErrorCode::TooManyPartitions,
    ];
    let lines = raw_data.iter().zip(0..).zip(faults.into_iter().cycle()).map(|((data, sequence), fault)| {
        let record = Record::direct_put(sequence, i64::MAX, data.clone());
        serde_json::to_string(&ErrorLine::new(&record, fault, u32::MAX, i64::MIN, "arn:f")).unwrap_or_default()
    });
    lines.collect()
}

/// Bytes as the storage has them where a stream compresses.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    object_storage::gzip(bytes).map(Vec::from).unwrap_or_default()
}

/// An object's name.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// The prefix, evaluated.
    pub prefix: String,
    /// All of it.
    pub name: String,
    /// What `!{firehose:error-output-type}` stands for; nothing in the name of a delivered object.
    pub error: &'static str,
}

/// Why an object has no name.
#[derive(Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// The prefix is refused when a stream is made.
    Prefix(String),
    /// The record belongs to no partition.
    Record(String),
}

/// The name of a delivered object with a record of these partition keys. `random` is asked for each random string, and for the
/// object's id.
///
/// # Errors
/// [`Unnamed`] where the prefix or the record's keys are refused.
pub fn delivered_object(
    prefix: &str,
    keys: &BTreeMap<String, String>,
    stream: &str,
    oldest_arrival: Timestamp,
    mut random: impl FnMut() -> u128,
) -> Result<Named, Unnamed> {
    let parsed = Prefix::parse(prefix, !keys.is_empty()).map_err(|error| Unnamed::Prefix(error.to_string()))?;
    let partition = parsed.partition(keys).map_err(|error| Unnamed::Record(error.to_string()))?;
    let prefix = parsed.evaluate(oldest_arrival, &partition, || Uuid::from_u128(random()));
    let name = object_name(&prefix, stream, oldest_arrival, Uuid::from_u128(random()), Compression::Gzip);
    Ok(Named { prefix, name, error: "" })
}

/// The names of error objects, one for each kind of errors.
///
/// # Errors
/// [`Unnamed::Prefix`] where the prefix is refused.
pub fn error_objects(
    prefix: &str,
    stream: &str,
    oldest_arrival: Timestamp,
    mut random: impl FnMut() -> u128,
) -> Result<Vec<Named>, Unnamed> {
    use ErrorOutputType::{ActivePartitionExceeded, PartitioningFailed, ProcessingFailed};
    let parsed = ErrorPrefix::parse(prefix).map_err(|error| Unnamed::Prefix(error.to_string()))?;
    let named = |error: ErrorOutputType| {
        let prefix = parsed.evaluate(oldest_arrival, error, || Uuid::from_u128(random()));
        let name = object_name(&prefix, stream, oldest_arrival, Uuid::from_u128(random()), Compression::None);
        Named { prefix, name, error: error.as_str() }
    };
    Ok([ProcessingFailed, PartitioningFailed, ActivePartitionExceeded].map(named).into())
}
