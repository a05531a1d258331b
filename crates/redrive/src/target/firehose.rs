//! A delivery stream: `PutRecordBatch`.

use aws_config::SdkConfig;
use aws_sdk_firehose::Client;
use aws_sdk_firehose::error::ProvideErrorMetadata;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
pub(super) use firehose_model::batch::MAX_PUT_BYTES as MAX_CALL_BYTES;
use firehose_model::source::MAX_RECORD_BYTES;
use serde::Deserialize;

use super::{Outgoing, PutOutcome, StreamDescription, TargetError, cause, minimal, outcome_of, shown, stored};

/// The statuses of a stream that accepts records.
pub(super) const ACTIVE: &[&str] = &["ACTIVE"];

const DIRECT_PUT: &str = "DirectPut";

#[derive(Debug)]
pub(super) struct Firehose {
    client: Client,
    stream: String,
}

/// A response of `DescribeDeliveryStream`.
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

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    pub(super) async fn describe(&self, target: &str) -> Result<StreamDescription, TargetError> {
        let target = target.to_owned();
        // Boxed: the SDK's futures are too deeply nested for the compiler.
        let sent = Box::pin(self.client.describe_delivery_stream().delivery_stream_name(&self.stream).send()).await;
        let described = match sent {
            Ok(output) => output.delivery_stream_description.map(|found| Description {
                delivery_stream_arn: found.delivery_stream_arn,
                delivery_stream_status: found.delivery_stream_status.as_str().to_owned(),
                delivery_stream_type: found.delivery_stream_type.as_str().to_owned(),
            }),
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                return Err(TargetError::Missing { target, option: "--stream" });
            }
            Err(error) => match minimal(&error) {
                Some(Output { delivery_stream_description }) => Some(delivery_stream_description),
                None => return Err(TargetError::Describe { target, cause: cause(&error) }),
            },
        };
        let Some(Description { delivery_stream_arn, delivery_stream_status, delivery_stream_type }) = described else {
            return Err(TargetError::Describe { target, cause: "the response has no description".to_owned() });
        };
        if delivery_stream_type != DIRECT_PUT {
            return Err(TargetError::NotDirectPut { target, found: shown(&delivery_stream_type) });
        }
        Ok(StreamDescription {
            arn: delivery_stream_arn,
            status: delivery_stream_status,
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
