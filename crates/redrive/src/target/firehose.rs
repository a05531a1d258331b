//! A delivery stream: `PutRecordBatch`.

use aws_config::SdkConfig;
use aws_sdk_firehose::Client;
use aws_sdk_firehose::operation::describe_delivery_stream::DescribeDeliveryStreamOutput;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
pub(super) use firehose_model::batch::MAX_PUT_BYTES as MAX_CALL_BYTES;
use firehose_model::source::MAX_RECORD_BYTES;
use serde::Deserialize;

use super::{Outgoing, PutOutcome, StreamDescription, TargetError, described, outcome_of, shown, stored};

pub(super) const ACTIVE: &[&str] = &["ACTIVE"];

const DIRECT_PUT: &str = "DirectPut";

#[derive(Debug)]
pub(super) struct Firehose {
    client: Client,
    pub(super) stream: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    delivery_stream_description: Description,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    #[serde(rename = "DeliveryStreamARN")]
    delivery_stream_arn: String,
    delivery_stream_status: String,
    delivery_stream_type: String,
}

impl Firehose {
    pub(super) fn new(config: &SdkConfig, stream: &str) -> Self {
        Self { client: Client::new(config), stream: stream.to_owned() }
    }

    pub(super) async fn describe(&self, target: &str) -> Result<StreamDescription, TargetError> {
        // Boxed: the SDK's futures are too deeply nested for the compiler.
        let sent = Box::pin(self.client.describe_delivery_stream().delivery_stream_name(&self.stream).send()).await;
        let description = |output: DescribeDeliveryStreamOutput| {
            let found = output.delivery_stream_description?;
            let delivery_stream_description = Description {
                delivery_stream_arn: found.delivery_stream_arn,
                delivery_stream_status: found.delivery_stream_status.as_str().to_owned(),
                delivery_stream_type: found.delivery_stream_type.as_str().to_owned(),
            };
            Some(Output { delivery_stream_description })
        };
        let found = described(sent, description, target.to_owned(), "--stream")?.delivery_stream_description;
        if found.delivery_stream_type != DIRECT_PUT {
            let found = shown(&found.delivery_stream_type);
            return Err(TargetError::NotDirectPut { target: target.to_owned(), found });
        }
        Ok(StreamDescription {
            arn: found.delivery_stream_arn,
            status: found.delivery_stream_status,
            max_record_bytes: MAX_RECORD_BYTES,
        })
    }

    /// One call, with at most 500 records and 4 MiB.
    pub(super) async fn put(&self, records: impl Iterator<Item = Outgoing>) -> PutOutcome {
        let entries: Result<Vec<Record>, _> =
            records.map(|record| Record::builder().data(Blob::new(record.data)).build()).collect();
        let Ok(entries) = entries else { return PutOutcome::Failed("a record has no data".to_owned()) };
        let count = entries.len();
        let call = self.client.put_record_batch().delivery_stream_name(&self.stream).set_records(Some(entries));
        match Box::pin(call.send()).await {
            Ok(output) => {
                let entries = output.request_responses().iter();
                stored(entries.map(|entry| (entry.record_id(), entry.error_code())), count)
            }
            Err(error) => outcome_of(&error),
        }
    }
}
