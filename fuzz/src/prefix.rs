//! Prefixes of objects and error objects, and their evaluation.
//!
//! The input is a prefix, and for each partition key of the record a line `@NAME=VALUE`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firehose_model::prefix::{Compression, ErrorOutputType, Partition, Prefix, object_name};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use uuid::Uuid;

/// A stream's name has at most 64 characters.
const LONGEST_STREAM: &str = "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss";

/// The first and last second, and changes of names, halves of days and years.
const TIMES: [&str; 7] = [
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "2024-02-29T12:00:00.123456789Z",
    "2026-09-30T22:59:59.999Z",
    "2026-11-20T08:02:01Z",
    "2027-01-01T00:59:59Z",
    "9999-12-30T22:00:00Z",
];

/// Patterns, and their equivalents in C.
const PATTERNS: [(&str, &str); 18] = [
    ("yyyy", "%Y"),
    ("yy", "%y"),
    ("uuuu", "%Y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("DDD", "%j"),
    ("EEEE", "%A"),
    ("EEE", "%a"),
    ("EE", "%a"),
    ("E", "%a"),
    ("HH", "%H"),
    ("hh", "%I"),
    ("a", "%p"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("SSS", "%3f"),
];

/// - An invalid prefix has an error message.
/// - An evaluated prefix has at most 512 characters, and the whole name 1,024 bytes, with any keys at any time.
/// - Text, keys, random strings and common time patterns are evaluated as in the Developer Guide.
/// - Evaluation is deterministic.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split("\n@");
    let prefix = lines.next().unwrap_or_default();
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let keys: BTreeMap<String, String> = lines.filter_map(pair).collect();
    for time in TIMES.into_iter().map(|time| time.parse().unwrap()).chain([some_time(data)]) {
        check_delivered(prefix, &keys, time);
        check_delivered(prefix, &BTreeMap::new(), time);
        check_error(prefix, time);
    }
    // No record arrives at these times, but evaluation must not panic.
    for time in [Timestamp::MIN, Timestamp::MAX] {
        let _ = delivered_object_name(prefix, &keys, LONGEST_STREAM, time, counting());
        let _ = error_object_names(prefix, LONGEST_STREAM, time, counting());
    }
}

fn check_delivered(prefix: &str, keys: &BTreeMap<String, String>, time: Timestamp) {
    let delivered = || delivered_object_name(prefix, keys, LONGEST_STREAM, time, counting());
    let found = delivered();
    assert_eq!(found, delivered());
    let expected = evaluated(prefix, keys, "", time);
    match found {
        Ok(named) => {
            assert_name(&named, time, ".gz");
            let Some((expected, has_folders)) = expected else { return };
            let appended = if has_folders { String::new() } else { time.strftime("%Y/%m/%d/%H/").to_string() };
            assert_eq!(named.prefix, expected + &appended);
        }
        Err(refused) => assert_refused(&refused, prefix, keys, expected.map(|(evaluated, _)| evaluated)),
    }
}

fn check_error(prefix: &str, time: Timestamp) {
    let found = error_object_names(prefix, LONGEST_STREAM, time, counting());
    match found {
        Ok(named) => {
            let mut random = 0;
            for named in named {
                assert_name(&named, time, "");
                // The random strings continue from one name to the next.
                let expected = evaluated_from(random, prefix, &BTreeMap::new(), named.error, time);
                if let Some((expected, _)) = expected {
                    assert_eq!(named.prefix, expected);
                }
                random += 1 + prefix.matches("!{firehose:random-string}").count() as u128;
            }
        }
        Err(NameError::Prefix(message)) => {
            assert!(!message.is_empty());
            let is_plain = !prefix.contains("!{") && (1..300).contains(&prefix.len());
            assert!(!is_plain, "{prefix:?}: {message}");
        }
        Err(NameError::Record) => panic!("an error prefix has no partitions"),
    }
}

fn assert_name(named: &ObjectName, time: Timestamp, extension: &str) {
    let ObjectName { prefix, name, .. } = named;
    assert!(prefix.chars().count() <= 512, "{prefix:?}");
    assert!(name.len() <= 1024, "{} bytes: {name}", name.len());
    let rest = name.strip_prefix(prefix).expect("the prefix is where a name begins");
    let rest = rest.strip_prefix(LONGEST_STREAM).expect("the stream follows");
    let start = time.strftime("-1-%Y-%m-%d-%H-%M-%S-").to_string();
    let id = rest.strip_prefix(&start).and_then(|rest| rest.strip_suffix(extension)).expect("the time, an id, the end");
    assert_eq!(id.len(), 36);
}

/// An error has a message, and a prefix that the oracle understands is invalid only for its length or keys.
fn assert_refused(refused: &NameError, prefix: &str, keys: &BTreeMap<String, String>, evaluated: Option<String>) {
    assert_ne!(refused, &NameError::Prefix(String::new()));
    let is_partitioned = prefix.contains("!{partitionKeyFromLambda:");
    if let Some(evaluated) = evaluated
        && is_partitioned != keys.is_empty()
        && !prefix.contains("!{firehose:error-output-type}")
    {
        assert!(evaluated.len() > 400, "{prefix:?}: {refused:?}");
    }
}

/// A prefix with these keys, and whether its expressions keep Firehose from appending folders; `None` if the oracle does not understand it.
fn evaluated(prefix: &str, keys: &BTreeMap<String, String>, error: &str, time: Timestamp) -> Option<(String, bool)> {
    evaluated_from(0, prefix, keys, error, time)
}

fn evaluated_from(
    mut random: u128,
    prefix: &str,
    keys: &BTreeMap<String, String>,
    error: &str,
    time: Timestamp,
) -> Option<(String, bool)> {
    let mut pieces = prefix.split("!{");
    let mut text = pieces.next()?.to_owned();
    let mut has_folders = false;
    for piece in pieces {
        let (expression, after) = piece.split_once('}')?;
        match expression.split_once(':')? {
            ("timestamp", pattern) => {
                has_folders = true;
                text.push_str(&formatted(pattern, time)?);
            }
            ("firehose", "random-string") => {
                random += 1;
                write!(text, "{random:08x}-00").unwrap();
            }
            ("firehose", "error-output-type") => text.push_str(error),
            ("partitionKeyFromLambda", key) => {
                has_folders = true;
                text.push_str(keys.get(key).filter(|value| !value.is_empty())?);
            }
            _ => return None,
        }
        text.push_str(after);
    }
    Some((text, has_folders))
}

/// A pattern of fields and slashes, dots and dashes.
fn formatted(mut pattern: &str, time: Timestamp) -> Option<String> {
    let mut text = String::new();
    while let Some(first) = pattern.chars().next() {
        let rest = pattern.trim_start_matches(first);
        let (field, rest) = pattern.split_at(pattern.len() - rest.len());
        if first.is_ascii_alphabetic() {
            let (_, in_c) = PATTERNS.iter().find(|(known, _)| *known == field)?;
            text.push_str(&time.strftime(in_c).to_string());
        } else if matches!(first, '/' | '.' | '-' | '=') {
            text.push_str(field);
        } else {
            return None;
        }
        pattern = rest;
    }
    Some(text).filter(|text| !text.is_empty())
}

/// Random strings that start with 00000001, 00000002 and so on.
fn counting() -> impl FnMut() -> Uuid {
    let mut count = 0;
    move || {
        count += 1;
        Uuid::from_u128(count << 96)
    }
}

/// A time derived from the input, within the supported years.
fn some_time(data: &[u8]) -> Timestamp {
    let (first, last) = (-62_135_596_800_i64, 253_402_207_199);
    let hash = data.iter().fold(17_i64, |hash, byte| hash.wrapping_mul(1_099_511_628_211) ^ i64::from(*byte));
    Timestamp::new(first + hash.rem_euclid(last - first), i32::from(data.first().copied().unwrap_or_default())).unwrap()
}

#[derive(Debug, PartialEq)]
struct ObjectName {
    prefix: String,
    /// The whole name.
    name: String,
    /// The value of `!{firehose:error-output-type}`; empty for a delivered object.
    error: &'static str,
}

/// Why an object has no name.
#[derive(Debug, PartialEq)]
enum NameError {
    /// The prefix is invalid.
    Prefix(String),
    /// The record belongs to no partition.
    Record,
}

/// The name of a delivered object with a record of these partition keys. Random strings and the object's id come from `random`.
fn delivered_object_name(
    prefix: &str,
    keys: &BTreeMap<String, String>,
    stream: &str,
    oldest_arrival: Timestamp,
    mut random: impl FnMut() -> Uuid,
) -> Result<ObjectName, NameError> {
    let parsed = Prefix::parse(prefix, !keys.is_empty()).map_err(NameError::Prefix)?;
    let partition = parsed.partition(keys, &BTreeMap::new()).ok_or(NameError::Record)?;
    let prefix = parsed.evaluate(&utc(oldest_arrival), &partition, "", &mut random);
    let name = object_name(&prefix, (stream, 1), &utc(oldest_arrival), random(), Compression::Gzip.extension());
    Ok(ObjectName { prefix, name, error: "" })
}

fn utc(time: Timestamp) -> Zoned {
    time.to_zoned(TimeZone::UTC)
}

/// The names of error objects, one for each error output type.
fn error_object_names(
    prefix: &str,
    stream: &str,
    oldest_arrival: Timestamp,
    mut random: impl FnMut() -> Uuid,
) -> Result<Vec<ObjectName>, NameError> {
    use ErrorOutputType::{ActivePartitionExceeded, DecompressionFailed, PartitioningFailed, ProcessingFailed};
    let parsed = Prefix::for_errors(prefix).map_err(NameError::Prefix)?;
    let name = |error: ErrorOutputType| {
        let prefix = parsed.evaluate(&utc(oldest_arrival), &Partition::default(), error.as_str(), &mut random);
        let name = object_name(&prefix, (stream, 1), &utc(oldest_arrival), random(), Compression::None.extension());
        ObjectName { prefix, name, error: error.as_str() }
    };
    Ok([ProcessingFailed, DecompressionFailed, PartitioningFailed, ActivePartitionExceeded].map(name).into())
}
