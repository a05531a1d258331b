//! DescribeDeliveryStream.

mod destination;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::destination::{DESTINATION_ID, Destination, role_arn};
use super::list::{DIRECT_PUT, KINESIS};
use crate::api::constraints::Constraints;
use crate::api::error::ApiError;
use crate::api::json::{json, parse, seconds};
use crate::stream::{DeliveryStream, Source};
use firehose_model::batch::MB;
use firehose_model::kinesis::data_stream_arn;
use firehose_model::prefix::Compression;
use object_storage as bucket;

/// A stream in the units of its description.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StreamDescription {
    pub name: String,
    pub arn: String,
    pub created: Timestamp,
    pub data_stream_arn: Option<String>,
    pub bucket_arn: String,
    pub prefix: String,
    pub error_prefix: String,
    pub buffer_mb: u64,
    pub buffer_seconds: u64,
    pub gzip: bool,
    pub processing: Option<Processing>,
    pub backup_prefix: Option<String>,
    pub dynamic_partitioning: bool,
}

/// The function of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Processing {
    pub lambda_arn: String,
    pub buffer_mb: f64,
    pub buffer_seconds: u64,
    pub retries: u32,
}

impl From<&DeliveryStream> for StreamDescription {
    fn from(stream: &DeliveryStream) -> Self {
        let settings = stream.settings();
        let bucket = match &settings.destination {
            // A folder has no ARN, but the member is required.
            bucket::Destination::Folder(_) => "local-folder",
            bucket::Destination::S3 { bucket, .. } => bucket,
        };
        Self {
            name: stream.name().to_owned(),
            arn: stream.arn(),
            created: stream.started(),
            data_stream_arn: match settings.source {
                Source::DirectPut => None,
                Source::Kinesis(_) => Some(data_stream_arn(stream.name())),
            },
            bucket_arn: format!("arn:aws:s3:::{bucket}"),
            prefix: settings.prefix.text().to_owned(),
            error_prefix: settings.error_prefix.text().to_owned(),
            buffer_mb: (settings.destination_buffer.bytes / MB) as u64,
            buffer_seconds: settings.destination_buffer.interval.as_secs(),
            gzip: settings.compression == Compression::Gzip,
            processing: stream.function_arn().map(|lambda_arn| Processing {
                lambda_arn: lambda_arn.to_owned(),
                buffer_mb: megabytes(settings.buffer.bytes),
                buffer_seconds: settings.buffer.interval.as_secs(),
                retries: settings.retries,
            }),
            backup_prefix: settings.backup_prefix.as_ref().map(|prefix| prefix.text().to_owned()),
            dynamic_partitioning: settings.dynamic_partitioning,
        }
    }
}

/// Rounded to a hundredth.
#[expect(clippy::cast_precision_loss, reason = "a buffer has at most 3 MB")]
fn megabytes(bytes: usize) -> f64 {
    (bytes as f64 / MB as f64 * 100.0).round() / 100.0
}

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
