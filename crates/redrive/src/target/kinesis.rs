//! A data stream: `PutRecords`.

use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use firehose_model::fields::Fields;
use firehose_model::kinesis::{MAX_PARTITION_KEY_CHARACTERS, MAX_RECORD_BYTES};
use serde::Deserialize;

use super::{Outgoing, PutOutcome, StreamDescription, TargetError, described, outcome_of, stored};
use crate::journal::content_key;

/// The statuses of a stream that accepts records (Amazon Kinesis Data Streams API Reference, "StreamDescriptionSummary").
pub(super) const ACTIVE: &[&str] = &["ACTIVE", "UPDATING"];

/// The most bytes of a call, with partition keys. `PutRecords` allows 10 MiB today and allowed 5 MiB before, which each emulator accepts.
pub(super) const MAX_CALL_BYTES: usize = 5 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Kinesis {
    client: Client,
    pub(super) stream: String,
    partition_key_field: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    stream_description_summary: Summary,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    #[serde(rename = "StreamARN")]
    stream_arn: String,
    stream_status: String,
    #[serde(rename = "MaxRecordSizeInKiB")]
    max_record_size_in_kib: Option<i32>,
}

impl Kinesis {
    pub(super) fn new(config: &SdkConfig, stream: &str, partition_key_field: Option<&str>) -> Self {
        let partition_key_field = partition_key_field.map(str::to_owned);
        Self { client: Client::new(config), stream: stream.to_owned(), partition_key_field }
    }

    /// The field's value, if it can be a key; otherwise a hash of the record, which distributes records over the shards.
    pub(super) fn partition_key(&self, data: &[u8]) -> String {
        let key = self.partition_key_field.as_deref().and_then(|field| {
            let fields: Fields<'_> = serde_json::from_slice(data).ok()?;
            fields.partition_key(field).filter(|key| key.chars().count() <= MAX_PARTITION_KEY_CHARACTERS)
        });
        key.unwrap_or_else(|| format!("{:032x}", content_key(data)))
    }

    pub(super) async fn describe(&self, target: &str) -> Result<StreamDescription, TargetError> {
        let sent = Box::pin(self.client.describe_stream_summary().stream_name(&self.stream).send()).await;
        let description = |output: DescribeStreamSummaryOutput| {
            let found = output.stream_description_summary?;
            let stream_description_summary = Summary {
                stream_arn: found.stream_arn,
                stream_status: found.stream_status.as_str().to_owned(),
                max_record_size_in_kib: found.max_record_size_in_kib,
            };
            Some(Output { stream_description_summary })
        };
        let found = described(sent, description, target.to_owned(), "--data-stream")?.stream_description_summary;
        let max_record_kib = found.max_record_size_in_kib.and_then(|kib| usize::try_from(kib).ok());
        Ok(StreamDescription {
            arn: found.stream_arn,
            status: found.stream_status,
            max_record_bytes: max_record_kib.map_or(MAX_RECORD_BYTES, |kib| kib * 1024),
        })
    }

    /// One call, with at most 500 records and 5 MiB. A record with an error code is not stored ("PutRecordsResultEntry").
    pub(super) async fn put(&self, records: impl Iterator<Item = Outgoing>) -> PutOutcome {
        let entry = |Outgoing { data, partition_key }| {
            PutRecordsRequestEntry::builder().data(Blob::new(data)).partition_key(partition_key).build()
        };
        let entries: Result<Vec<PutRecordsRequestEntry>, _> = records.map(entry).collect();
        let Ok(entries) = entries else { return PutOutcome::Failed("a record has no data".to_owned()) };
        let count = entries.len();
        let call = self.client.put_records().stream_name(&self.stream).set_records(Some(entries));
        match Box::pin(call.send()).await {
            Ok(output) => {
                let entries = output.records().iter();
                stored(entries.map(|entry| (entry.sequence_number(), entry.error_code())), count)
            }
            Err(error) => outcome_of(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;

    use super::*;

    #[test]
    fn a_partition_key_is_of_the_field_or_a_hash() {
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let (with, without) = (Kinesis::new(&config, "s", Some("customer")), Kinesis::new(&config, "s", None));
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
            let hash = without.partition_key(data.as_bytes());
            assert_eq!((hash.len(), without.partition_key(data.as_bytes()) == hash), (32, true));
            assert_eq!(with.partition_key(data.as_bytes()), expected.unwrap_or(&hash), "{data}");
        }
        assert_ne!(without.partition_key(b"a"), without.partition_key(b"b"));
    }
}
