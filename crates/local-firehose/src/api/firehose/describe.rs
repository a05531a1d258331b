//! DescribeDeliveryStream.

mod destination;

use serde::{Deserialize, Serialize};

use self::destination::{DESTINATION_ID, Destination, role_arn};
use super::list::{DIRECT_PUT, KINESIS};
use crate::api::constraint::Constraints;
use crate::api::input::parse;
use crate::api::refusal::{Refusal, json};
use crate::api::seconds::Seconds;
use crate::stream::{Source, Stream};
use firehose_model::batch::MB;
use firehose_model::kinesis::data_stream_arn;
use firehose_model::prefix::Compression;
use object_storage as bucket;

/// A stream, in the words and units of its description.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Described {
    /// The stream's name.
    pub name: String,
    /// The stream's ARN.
    pub arn: String,
    /// When the stream was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// The ARN of the data stream that it reads, if it reads one.
    pub data_stream_arn: Option<String>,
    /// The bucket's ARN; of a folder, one that says so.
    pub bucket_arn: String,
    /// The prefix of objects, as it was given.
    pub prefix: String,
    /// The prefix of error objects, as it was given.
    pub error_prefix: String,
    /// The destination's buffer.
    pub buffer_mb: u64,
    /// The destination's buffer.
    pub buffer_seconds: u64,
    /// Whether objects are GZIP.
    pub gzip: bool,
    /// The transformation, if there is one.
    pub processing: Option<Processing>,
    /// The prefix of the source backup, if there is one.
    pub backup_prefix: Option<String>,
    /// Whether objects are made by partition keys.
    pub dynamic_partitioning: bool,
}

/// How a stream's records are transformed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Processing {
    /// The function.
    pub lambda_arn: String,
    /// The Lambda buffer.
    pub buffer_mb: f64,
    /// The Lambda buffer.
    pub buffer_seconds: u64,
    /// How often an invocation that failed is tried again.
    pub retries: u32,
}

impl From<&Stream> for Described {
    fn from(stream: &Stream) -> Self {
        let settings = stream.settings();
        let bucket = match &settings.destination {
            // A folder has no ARN, and clients want one.
            bucket::Destination::Folder(_) => "local-folder",
            bucket::Destination::S3 { bucket, .. } => bucket,
        };
        Self {
            name: stream.name().to_owned(),
            arn: stream.arn(),
            created_ms: stream.since().as_millisecond(),
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

/// To a hundredth, which is finer than anybody sets it.
#[expect(clippy::cast_precision_loss, reason = "a buffer has at most 3 MB")]
fn megabytes(bytes: usize) -> f64 {
    (bytes as f64 / MB as f64 * 100.0).round() / 100.0
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) stream: String,
    /// The destinations after this one.
    after: Option<String>,
}

/// Reads the call.
pub(super) fn asked(body: &[u8]) -> Result<Asked, Refusal> {
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
    constraints.judge()?;
    Ok(Asked { stream, after })
}

/// What is answered: all members that the API reference's sample has, and in its order.
pub(super) fn answer(stream: &Described, asked: &Asked) -> Result<Vec<u8>, Refusal> {
    let wanted = asked.after.as_deref().is_none_or(|after| DESTINATION_ID > after);
    json(&Answer {
        delivery_stream_description: Description {
            delivery_stream_type: if stream.data_stream_arn.is_some() { KINESIS } else { DIRECT_PUT },
            has_more_destinations: false,
            // A stream's settings are those of its start.
            version_id: "1",
            create_timestamp: Seconds { ms: stream.created_ms },
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
                    delivery_start_timestamp: Seconds { ms: stream.created_ms },
                },
            }),
            destinations: wanted.then(|| Destination::of(stream)).into_iter().collect(),
        },
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    delivery_stream_description: Description<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description<'a> {
    delivery_stream_type: &'static str,
    has_more_destinations: bool,
    version_id: &'static str,
    create_timestamp: Seconds,
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
    /// Since when records are read.
    delivery_start_timestamp: Seconds,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Encryption {
    status: &'static str,
}

#[cfg(test)]
mod tests;
