//! A delivery stream in the units of its description.

use jiff::Timestamp;

use crate::stream::{DeliveryStream, Source};
use firehose_model::batch::MB;
use firehose_model::kinesis::data_stream_arn;
use firehose_model::prefix::Compression;
use object_storage::Destination;

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
            Destination::Folder(_) => "local-folder",
            Destination::S3 { bucket, .. } => bucket,
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
