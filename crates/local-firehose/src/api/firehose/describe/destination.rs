//! The destination of a stream, in the shapes of the service model.

use runtime_api::ACCOUNT;
use serde::Serialize;

use crate::api::firehose::description::{Processing, StreamDescription};

/// The id of a stream's one destination, as in the API reference's sample.
pub(super) const DESTINATION_ID: &str = "destinationId-000000000001";

/// The default of the partitioning's `DurationInSeconds` (API reference, "RetryOptions").
const PARTITIONING_RETRY_SECONDS: u32 = 300;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Destination<'a> {
    destination_id: &'static str,
    extended_s3_destination_description: ExtendedS3<'a>,
    /// The older form, which Firehose still sends.
    s3_destination_description: S3<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExtendedS3<'a> {
    #[serde(flatten)]
    s3: S3<'a>,
    processing_configuration: ProcessingConfiguration<'a>,
    s3_backup_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3_backup_description: Option<S3<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dynamic_partitioning_configuration: Option<DynamicPartitioning>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct S3<'a> {
    #[serde(rename = "RoleARN")]
    role_arn: String,
    #[serde(rename = "BucketARN")]
    bucket_arn: &'a str,
    prefix: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_output_prefix: Option<&'a str>,
    buffering_hints: BufferingHints,
    compression_format: &'static str,
    encryption_configuration: NoEncryption,
    cloud_watch_logging_options: Logging,
}

#[derive(Serialize)]
struct BufferingHints {
    #[serde(rename = "SizeInMBs")]
    size_mb: u64,
    #[serde(rename = "IntervalInSeconds")]
    interval_seconds: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NoEncryption {
    no_encryption_config: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Logging {
    enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessingConfiguration<'a> {
    enabled: bool,
    processors: Vec<Processor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Processor<'a> {
    r#type: &'static str,
    parameters: Vec<Parameter<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter<'a> {
    parameter_name: &'a str,
    parameter_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DynamicPartitioning {
    enabled: bool,
    retry_options: RetryOptions,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RetryOptions {
    duration_in_seconds: u32,
}

impl<'a> Destination<'a> {
    pub(super) fn of(stream: &'a StreamDescription) -> Self {
        let backup_prefix = stream.backup_prefix.as_deref();
        Self {
            destination_id: DESTINATION_ID,
            extended_s3_destination_description: ExtendedS3 {
                s3: S3::of(stream, &stream.prefix, Some(&stream.error_prefix)),
                processing_configuration: ProcessingConfiguration {
                    enabled: stream.processing.is_some(),
                    processors: stream.processing.iter().map(Processor::of).collect(),
                },
                s3_backup_mode: if backup_prefix.is_some() { "Enabled" } else { "Disabled" },
                s3_backup_description: backup_prefix.map(|prefix| S3::of(stream, prefix, None)),
                dynamic_partitioning_configuration: stream.dynamic_partitioning.then_some(DynamicPartitioning {
                    enabled: true,
                    retry_options: RetryOptions { duration_in_seconds: PARTITIONING_RETRY_SECONDS },
                }),
            },
            s3_destination_description: S3::of(stream, &stream.prefix, Some(&stream.error_prefix)),
        }
    }
}

impl<'a> S3<'a> {
    fn of(stream: &'a StreamDescription, prefix: &'a str, error_output_prefix: Option<&'a str>) -> Self {
        Self {
            role_arn: role_arn(),
            bucket_arn: &stream.bucket_arn,
            prefix,
            error_output_prefix,
            buffering_hints: BufferingHints { size_mb: stream.buffer_mb, interval_seconds: stream.buffer_seconds },
            compression_format: if stream.gzip { "GZIP" } else { "UNCOMPRESSED" },
            encryption_configuration: NoEncryption { no_encryption_config: "NoEncryption" },
            cloud_watch_logging_options: Logging { enabled: false },
        }
    }
}

impl<'a> Processor<'a> {
    fn of(processing: &'a Processing) -> Self {
        let parameter = |parameter_name, parameter_value| Parameter { parameter_name, parameter_value };
        Self {
            r#type: "Lambda",
            parameters: vec![
                parameter("LambdaArn", processing.lambda_arn.clone()),
                parameter("NumberOfRetries", processing.retries.to_string()),
                parameter("RoleArn", role_arn()),
                parameter("BufferSizeInMBs", processing.buffer_mb.to_string()),
                parameter("BufferIntervalInSeconds", processing.buffer_seconds.to_string()),
            ],
        }
    }
}

/// A description must have a role.
pub(super) fn role_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/firehose_delivery_role")
}
