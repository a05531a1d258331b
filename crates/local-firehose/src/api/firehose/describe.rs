//! DescribeDeliveryStream.

mod destination;

use serde::{Deserialize, Serialize};

use self::destination::{DESTINATION_ID, Destination, role_arn};
use super::description::StreamDescription;
use super::list::{DIRECT_PUT, KINESIS};
use crate::api::constraints::Constraints;
use crate::api::error::ApiError;
use crate::api::json::{json, parse, seconds};

/// The request of DescribeDeliveryStream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DescribeRequest {
    pub(super) stream: String,
    /// `ExclusiveStartDestinationId`
    after: Option<String>,
}

pub(super) fn request(body: &[u8]) -> Result<DescribeRequest, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        delivery_stream_name: Option<String>,
        limit: Option<i64>,
        exclusive_start_destination_id: Option<String>,
    }

    let input: Input = parse(body)?;
    let mut constraints = Constraints::default();
    let stream = constraints.delivery_stream_name(input.delivery_stream_name);
    constraints.number(input.limit.unwrap_or(1), "limit", &(1..=10_000));
    let after = input.exclusive_start_destination_id;
    if let Some(id) = &after {
        constraints.text(id, "exclusiveStartDestinationId", 100, |char| char == '-', "[a-zA-Z0-9-]+");
    }
    constraints.validate()?;
    Ok(DescribeRequest { stream, after })
}

/// Has all members of the API reference's sample, in its order.
pub(super) fn response(stream: &StreamDescription, request: &DescribeRequest) -> Result<Vec<u8>, ApiError> {
    let wanted = request.after.as_deref().is_none_or(|after| DESTINATION_ID > after);
    json(&Response {
        delivery_stream_description: Description {
            delivery_stream_type: if stream.data_stream_arn.is_some() { KINESIS } else { DIRECT_PUT },
            has_more_destinations: false,
            // Settings do not change while a stream runs.
            version_id: "1",
            create_timestamp: seconds(stream.created),
            delivery_stream_arn: &stream.arn,
            delivery_stream_status: "ACTIVE",
            delivery_stream_name: &stream.name,
            // A data stream has its own (Firehose API reference, "StartDeliveryStreamEncryption").
            delivery_stream_encryption_configuration: stream
                .data_stream_arn
                .is_none()
                .then_some(Encryption { status: "DISABLED" }),
            source: stream.data_stream_arn.as_deref().map(|kinesis_stream_arn| SourceDescription {
                kinesis_stream_source_description: KinesisStreamSource {
                    kinesis_stream_arn,
                    role_arn: role_arn(),
                    delivery_start_timestamp: seconds(stream.created),
                },
            }),
            destinations: wanted.then(|| Destination::of(stream)).into_iter().collect(),
        },
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response<'a> {
    delivery_stream_description: Description<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description<'a> {
    delivery_stream_type: &'static str,
    has_more_destinations: bool,
    version_id: &'static str,
    create_timestamp: f64,
    #[serde(rename = "DeliveryStreamARN")]
    delivery_stream_arn: &'a str,
    delivery_stream_status: &'static str,
    delivery_stream_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_stream_encryption_configuration: Option<Encryption>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceDescription<'a>>,
    destinations: Vec<Destination<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SourceDescription<'a> {
    kinesis_stream_source_description: KinesisStreamSource<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KinesisStreamSource<'a> {
    #[serde(rename = "KinesisStreamARN")]
    kinesis_stream_arn: &'a str,
    #[serde(rename = "RoleARN")]
    role_arn: String,
    delivery_start_timestamp: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Encryption {
    status: &'static str,
}

#[cfg(test)]
mod tests;
