//! A data stream: `PutRecords`.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use firehose_model::fields::Fields;
use firehose_model::kinesis::{MAX_PARTITION_KEY_CHARACTERS, MAX_RECORD_BYTES};
use firehose_model::source::MAX_KINESIS_RECORD_BYTES;

use super::{Outgoing, PutOutcome, Service, StreamDescription, Target, described, outcome_of, stored};
use crate::error::RedriveError;
use crate::journal::content_key;

pub(super) const SERVICE: Service = Service {
    name: "Kinesis",
    option: "--data-stream",
    endpoint_variable: "AWS_ENDPOINT_URL_KINESIS",
    // Amazon Kinesis Data Streams API Reference, "StreamDescriptionSummary".
    active: &["ACTIVE", "UPDATING"],
    default_record_bytes: MAX_RECORD_BYTES,
    max_record_bytes: MAX_KINESIS_RECORD_BYTES,
    // `PutRecords` allows 10 MiB today and allowed 5 MiB before, which each emulator accepts.
    max_call_bytes: 5 * 1024 * 1024,
};

/// Without a valid value, a hash of the record, which distributes records over the shards.
pub(super) fn partition_key(data: &[u8], field: Option<&str>) -> String {
    let key = field.and_then(|field| {
        let fields: Fields<'_> = serde_json::from_slice(data).ok()?;
        fields.partition_key(field).filter(|key| key.chars().count() <= MAX_PARTITION_KEY_CHARACTERS)
    });
    key.unwrap_or_else(|| format!("{:032x}", content_key(data)))
}

pub(super) async fn describe(client: &Client, target: &Target) -> Result<StreamDescription, RedriveError> {
    let sent = Box::pin(client.describe_stream_summary().stream_name(&target.stream).send()).await;
    let description = |output: DescribeStreamSummaryOutput| {
        let found = output.stream_description_summary?;
        Some(StreamDescription {
            arn: found.stream_arn,
            status: found.stream_status.as_str().to_owned(),
            source: None,
            max_record_kib: found.max_record_size_in_kib,
        })
    };
    described(sent, description, target)
}

/// A record with an error code is not stored ("PutRecordsResultEntry").
pub(super) async fn put(client: &Client, stream: &str, records: impl Iterator<Item = Outgoing>) -> PutOutcome {
    let entry = |Outgoing { data, partition_key }| {
        PutRecordsRequestEntry::builder().data(Blob::new(data)).partition_key(partition_key).build()
    };
    let entries: Result<Vec<PutRecordsRequestEntry>, _> = records.map(entry).collect();
    let Ok(entries) = entries else { return PutOutcome::Failed("a record has no data".to_owned()) };
    let count = entries.len();
    let call = client.put_records().stream_name(stream).set_records(Some(entries));
    match Box::pin(call.send()).await {
        Ok(output) => {
            let entries = output.records().iter();
            stored(entries.map(|entry| (entry.sequence_number(), entry.error_code())), count)
        }
        Err(error) => outcome_of(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_key_is_of_the_field_or_a_hash() {
        let with = |data: &[u8]| partition_key(data, Some("customer"));
        let without = |data: &[u8]| partition_key(data, None);
        let longest = "é".repeat(MAX_PARTITION_KEY_CHARACTERS);
        for (data, expected) in [
            (r#"{"customer":"a b"}"#.to_owned(), Some("a b")),
            (r#"{"customer":7}"#.to_owned(), Some("7")),
            (r#"{"customer":1.50e3}"#.to_owned(), Some("1.50e3")),
            (format!("{{\"customer\":\"{longest}\"}}\n"), Some(longest.as_str())),
            (format!("{{\"customer\":\"{longest}é\"}}"), None),
            (r#"{"customer":""}"#.to_owned(), None),
            (r#"{"customer":null}"#.to_owned(), None),
            (r#"{"customer":{"id":7}}"#.to_owned(), None),
            (r#"{"Customer":"a"}"#.to_owned(), None),
            ("no JSON".to_owned(), None),
            (String::new(), None),
        ] {
            let hash = without(data.as_bytes());
            assert_eq!((hash.len(), without(data.as_bytes()) == hash), (32, true));
            assert_eq!(with(data.as_bytes()), expected.unwrap_or(&hash), "{data}");
        }
        assert_ne!(without(b"a"), without(b"b"));
    }
}
