//! The processors besides the function.
//!
//! Firehose de-aggregates before the function (developer guide, "Apply dynamic partitioning to aggregated data"). That it decompresses
//! before that, and appends the delimiter after the function, are assumptions: nothing else makes sense of either. The order in a
//! configuration does not matter: AWS CDK's integration tests, which run on AWS, have a delimiter before a function.

use std::io::Read;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::MultiGzDecoder;
use memchr::memmem;
use serde_json::Deserializer;
use serde_json::value::RawValue;

use crate::MAX_PAYLOAD_BYTES;
use crate::delivery::ErrorCode;
use crate::event::{Record, encode};
use crate::query::Query;

/// The most sub-records of a record (developer guide, "Apply dynamic partitioning to aggregated data"). That a record with more fails is
/// an assumption: the guide says that de-aggregation is "capped at 500 per record".
pub const MAX_SUB_RECORDS: usize = 500;

/// What is done with records before and after the function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processors {
    /// `Decompression`: records are gzip members, as CloudWatch Logs sends them.
    pub decompression: bool,
    /// `RecordDeAggregation`.
    pub deaggregation: Option<Deaggregation>,
    /// `MetadataExtraction`: partition keys by a query, after the function.
    pub query: Option<Query>,
    /// `AppendDelimiterToRecord`: the bytes after each delivered record. Without the processor, none.
    pub delimiter: Vec<u8>,
}

/// How a record is split into sub-records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deaggregation {
    /// Consecutive JSON objects, without a delimiter or on lines.
    Json,
    /// Data between delimiters. That empty data is none, and that the delimiter belongs to no sub-record, are assumptions.
    Delimited(Vec<u8>),
}

impl Processors {
    /// The records that the function gets for one record, at least one. An error is that of the record as it was put.
    pub fn prepare(&self, record: &Record) -> Result<Vec<Record>, ErrorCode> {
        // It was validated when the record was accepted. Nothing is neither a gzip member nor a sub-record.
        let mut data = STANDARD.decode(&record.data).unwrap_or_default();
        let mut original = None;
        if self.decompression {
            data = decompress(&data).ok_or(ErrorCode::DecompressionFailed)?;
            original = Some(Arc::from(record.data.as_str()));
        }
        let part = |record_id: String, data: &[u8]| Record {
            record_id,
            arrival_ms: record.arrival_ms,
            data: encode(data),
            kinesis: record.kinesis.clone(),
            original: original.clone(),
        };
        let Some(deaggregation) = &self.deaggregation else {
            return Ok(vec![part(record.record_id.clone(), &data)]);
        };
        let sub_records = deaggregation.split(&data).ok_or(ErrorCode::DeaggregationFailed)?;
        // The form of the ids is an assumption. They are unique, as those of all records are equally long.
        let id = |index: usize| format!("{}{index:03}", record.record_id);
        Ok(sub_records.into_iter().enumerate().map(|(index, data)| part(id(index), data)).collect())
    }
}

/// No documentation has a limit: this one, of an invocation, keeps a small record from filling the memory.
fn decompress(gzip: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    let read = MultiGzDecoder::new(gzip).take(MAX_PAYLOAD_BYTES as u64 + 1).read_to_end(&mut data);
    (read.is_ok() && !gzip.is_empty() && data.len() <= MAX_PAYLOAD_BYTES).then_some(data)
}

impl Deaggregation {
    /// None if the data cannot be split, has no sub-record or too many. That such a record fails as a whole is an assumption.
    fn split<'a>(&self, data: &'a [u8]) -> Option<Vec<&'a [u8]>> {
        let sub_records = match self {
            Self::Json => json_objects(data)?,
            Self::Delimited(delimiter) => delimited(data, delimiter),
        };
        (1..=MAX_SUB_RECORDS).contains(&sub_records.len()).then_some(sub_records)
    }
}

/// An array of objects "is not a valid input" (the same page of the guide).
fn json_objects(data: &[u8]) -> Option<Vec<&[u8]>> {
    let values = Deserializer::from_slice(data).into_iter::<&RawValue>().take(MAX_SUB_RECORDS + 1);
    let objects = values.map(|value| value.ok().map(RawValue::get).filter(|json| json.starts_with('{')));
    objects.map(|json| json.map(str::as_bytes)).collect()
}

fn delimited<'a>(data: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let (mut sub_records, mut start) = (Vec::new(), 0);
    for end in memmem::find_iter(data, delimiter).chain([data.len()]) {
        sub_records.push(&data[start..end]);
        start = end + delimiter.len();
    }
    sub_records.retain(|data| !data.is_empty());
    sub_records
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;
    use crate::error_object::ErrorLine;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn record(data: &[u8]) -> Record {
        Record::direct_put(7, 5, encode(data))
    }

    fn data_of(records: &[Record]) -> Vec<Vec<u8>> {
        records.iter().map(|record| STANDARD.decode(&record.data).unwrap()).collect()
    }

    #[track_caller]
    fn assert_split(deaggregation: &Deaggregation, data: &[u8], expected: &[&str]) {
        let processors = Processors { deaggregation: Some(deaggregation.clone()), ..Processors::default() };
        let prepared = processors.prepare(&record(data));
        let shown = String::from_utf8_lossy(data);
        if expected.is_empty() {
            assert_eq!(prepared, Err(ErrorCode::DeaggregationFailed), "{shown}");
        } else {
            let expected: Vec<Vec<u8>> = expected.iter().map(|data| data.as_bytes().to_vec()).collect();
            assert_eq!(data_of(&prepared.unwrap()), expected, "{shown}");
        }
    }

    #[test]
    fn json_objects_are_sub_records() {
        for (data, expected) in [
            // The guide's examples.
            (r#"{"a":1}{"a":2}"#, &[r#"{"a":1}"#, r#"{"a":2}"#][..]),
            ("{\"a\":1}\n{\"a\":2}", &[r#"{"a":1}"#, r#"{"a":2}"#]),
            (r#"[{"a":1}, {"a":2}]"#, &[]),
            (" {\"a\": \"}{\"}\r\n\n", &[r#"{"a": "}{"}"#]),
            (r#"{"a":1}7"#, &[]),
            (r#"{"a":1}{"a":"#, &[]),
            ("{} text", &[]),
            (" ", &[]),
            ("", &[]),
        ] {
            assert_split(&Deaggregation::Json, data.as_bytes(), expected);
        }
        assert_split(&Deaggregation::Json, b"{\"a\":\"\xff\"}", &[]);
        assert_split(&Deaggregation::Json, "{}".repeat(500).as_bytes(), &["{}"; 500]);
        assert_split(&Deaggregation::Json, "{}".repeat(501).as_bytes(), &[]);
    }

    #[test]
    fn data_between_delimiters_is_a_sub_record() {
        let delimited = |delimiter: &str| Deaggregation::Delimited(delimiter.into());
        for (delimiter, data, expected) in [
            ("####", "a####b##c####", &["a", "b##c"][..]),
            ("####", "a", &["a"]),
            ("\n", "\na\n\nb", &["a", "b"]),
            ("aa", "aaaba", &["aba"]),
            ("|", "||", &[]),
            ("|", "", &[]),
        ] {
            assert_split(&delimited(delimiter), data.as_bytes(), expected);
        }
        assert_split(&delimited("|"), "a|".repeat(500).as_bytes(), &["a"; 500]);
        assert_split(&delimited("|"), "a|".repeat(501).as_bytes(), &[]);
    }

    #[test]
    fn gzip_members_are_decompressed() {
        let processors = Processors { decompression: true, ..Processors::default() };
        let log = br#"{"messageType":"DATA_MESSAGE"}"#;
        for (data, expected) in [
            (gzip(log), Some(log.to_vec())),
            ([gzip(b"one,"), gzip(b"two")].concat(), Some(b"one,two".to_vec())),
            (gzip(b""), Some(Vec::new())),
            (gzip(&vec![b'0'; MAX_PAYLOAD_BYTES]), Some(vec![b'0'; MAX_PAYLOAD_BYTES])),
            (gzip(&vec![b'0'; MAX_PAYLOAD_BYTES + 1]), None),
            (gzip(log)[..20].to_vec(), None),
            ([gzip(log), b"more".to_vec()].concat(), None),
            (log.to_vec(), None),
            (Vec::new(), None),
        ] {
            let prepared = processors.prepare(&record(&data));
            let expected = expected.map(|data| vec![data]).ok_or(ErrorCode::DecompressionFailed);
            assert!(prepared.map(|records| data_of(&records)) == expected, "{} bytes", data.len());
        }
    }

    /// The developer guide, "Troubleshoot decompression in Firehose".
    #[test]
    fn the_error_output_has_a_compressed_record_as_it_was_put() {
        let compressed = record(&gzip(b"{}{}"));
        for (deaggregation, expected_ids) in [
            (None, vec![compressed.record_id.clone()]),
            (Some(Deaggregation::Json), ["000", "001"].map(|index| compressed.record_id.clone() + index).to_vec()),
        ] {
            let processors = Processors { decompression: true, deaggregation, ..Processors::default() };
            let prepared = processors.prepare(&compressed).unwrap();
            let ids: Vec<String> = prepared.iter().map(|record| record.record_id.clone()).collect();
            assert_eq!(ids, expected_ids);
            for part in &prepared {
                let line = serde_json::to_value(ErrorLine::new(part, ErrorCode::FunctionError, 4, 7, "arn:f")).unwrap();
                assert_eq!((&line["rawData"], part.arrival_ms), (&serde_json::json!(compressed.data), 5));
                assert_ne!(part.data, compressed.data);
            }
        }
        let plain = record(b"{}{}");
        let processors = Processors { deaggregation: Some(Deaggregation::Json), ..Processors::default() };
        let part = &processors.prepare(&plain).unwrap()[1];
        let line = serde_json::to_value(ErrorLine::new(part, ErrorCode::FunctionError, 4, 7, "arn:f")).unwrap();
        assert_eq!(line["rawData"], encode(b"{}"));
    }

    proptest! {
        #[test]
        fn no_data_causes_a_panic(data: Vec<u8>, delimiter in prop::collection::vec(any::<u8>(), 1..3)) {
            for deaggregation in [None, Some(Deaggregation::Json), Some(Deaggregation::Delimited(delimiter))] {
                for decompression in [false, true] {
                    let processors = Processors { decompression, deaggregation: deaggregation.clone(), ..Processors::default() };
                    if let Ok(records) = processors.prepare(&record(&data)) {
                        prop_assert!((1..=MAX_SUB_RECORDS).contains(&records.len()));
                    }
                }
            }
        }
    }
}
