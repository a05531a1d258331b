//! DescribeStreamSummary.

use serde::{Deserialize, Serialize};

use super::stream_ref::{StreamMembers, StreamRef};
use crate::api::constraints::Constraints;
use crate::api::error::ApiError;
use crate::api::json::{json, parse, seconds};
use crate::stream::{DataStream, DataStreamSettings};
use firehose_model::kinesis::MAX_RECORD_BYTES;

/// The default retention (Kinesis API reference, "StreamDescriptionSummary"). Here, records are kept until they are delivered.
const RETENTION_HOURS: u32 = 24;

pub(super) fn request(body: &[u8]) -> Result<StreamRef, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        stream_name: Option<String>,
        #[serde(rename = "StreamARN")]
        stream_arn: Option<String>,
    }

    let input: Input = parse(body)?;
    let mut constraints = Constraints::default();
    let members = StreamMembers::validated(input.stream_name, input.stream_arn, &mut constraints);
    constraints.validate()?;
    members.stream()
}

pub(super) fn response(stream: &DataStream) -> Result<Vec<u8>, ApiError> {
    json(&Response {
        stream_description_summary: Summary {
            stream_name: stream.name(),
            stream_arn: stream.arn(),
            stream_status: ACTIVE,
            stream_mode_details: Mode::of(stream.settings()),
            retention_period_hours: RETENTION_HOURS,
            stream_creation_timestamp: seconds(stream.started()),
            enhanced_monitoring: [Monitoring { shard_level_metrics: [] }],
            encryption_type: "NONE",
            open_shard_count: stream.shards().count(),
            consumer_count: 0,
            max_record_size_in_kib: MAX_RECORD_BYTES / 1024,
        },
    })
}

/// The status of each stream.
pub(super) const ACTIVE: &str = "ACTIVE";

/// The `StreamModeDetails`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Mode {
    stream_mode: &'static str,
}

impl Mode {
    pub(super) fn of(settings: &DataStreamSettings) -> Self {
        Self { stream_mode: if settings.provisioned.is_some() { "PROVISIONED" } else { "ON_DEMAND" } }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response<'a> {
    stream_description_summary: Summary<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    stream_name: &'a str,
    #[serde(rename = "StreamARN")]
    stream_arn: String,
    stream_status: &'static str,
    stream_mode_details: Mode,
    retention_period_hours: u32,
    stream_creation_timestamp: f64,
    enhanced_monitoring: [Monitoring; 1],
    encryption_type: &'static str,
    open_shard_count: u32,
    consumer_count: u32,
    #[serde(rename = "MaxRecordSizeInKiB")]
    max_record_size_in_kib: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Monitoring {
    shard_level_metrics: [&'static str; 0],
}
