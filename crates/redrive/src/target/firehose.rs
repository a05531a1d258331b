//! A delivery stream: `PutRecordBatch`.

use aws_sdk_firehose::Client;
use aws_sdk_firehose::operation::describe_delivery_stream::DescribeDeliveryStreamOutput;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use firehose_model::batch::MAX_PUT_BYTES;
use firehose_model::source::MAX_RECORD_BYTES;

use super::{Outgoing, PutOutcome, Service, StreamDescription, Target, described, not_described, outcome_of, stored};
use crate::error::RedriveError;

pub(super) const DIRECT_PUT: &str = "DirectPut";

pub(super) const SERVICE: Service = Service {
    name: "Firehose",
    option: "--stream",
    endpoint_variable: "AWS_ENDPOINT_URL_FIREHOSE",
    active: &["ACTIVE"],
    default_record_bytes: MAX_RECORD_BYTES,
    max_record_bytes: MAX_RECORD_BYTES,
    max_call_bytes: MAX_PUT_BYTES,
};

pub(super) async fn describe(client: &Client, target: &Target) -> Result<StreamDescription, RedriveError> {
    // Boxed: the SDK's futures are too deeply nested for the compiler.
    let sent = Box::pin(client.describe_delivery_stream().delivery_stream_name(&target.stream).send()).await;
    let description = |output: DescribeDeliveryStreamOutput| {
        let found = output.delivery_stream_description?;
        Some(StreamDescription {
            arn: found.delivery_stream_arn,
            status: found.delivery_stream_status.as_str().to_owned(),
            source: Some(found.delivery_stream_type.as_str().to_owned()),
            max_record_kib: None,
        })
    };
    let described = described(sent, description, target)?;
    if described.source.is_none() {
        return Err(not_described(&target.name(), "the response has no DeliveryStreamType"));
    }
    Ok(described)
}

pub(super) async fn put(client: &Client, stream: &str, records: impl Iterator<Item = Outgoing>) -> PutOutcome {
    let entries: Result<Vec<Record>, _> =
        records.map(|record| Record::builder().data(Blob::new(record.data)).build()).collect();
    let Ok(entries) = entries else { return PutOutcome::Failed("a record has no data".to_owned()) };
    let count = entries.len();
    let call = client.put_record_batch().delivery_stream_name(stream).set_records(Some(entries));
    match Box::pin(call.send()).await {
        Ok(output) => {
            let entries = output.request_responses().iter();
            stored(entries.map(|entry| (entry.record_id(), entry.error_code())), count)
        }
        Err(error) => outcome_of(&error),
    }
}
