//! DescribeStreamSummary.

use serde::{Deserialize, Serialize};

use super::which::Which;
use crate::api::constraint::Constraints;
use crate::api::input::parse;
use crate::api::refusal::{Refusal, json};
use crate::api::seconds::Seconds;
use crate::stream::{DataStream, DataStreamSettings};
use firehose_model::kinesis::MAX_RECORD_BYTES;

/// How long Kinesis keeps records where nobody has asked for longer (Kinesis API reference, "StreamDescriptionSummary"). Here
/// they are kept until they are delivered.
const RETENTION_HOURS: u32 = 24;

/// Reads the call.
pub(super) fn asked(body: &[u8]) -> Result<Which, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        stream_name: Option<String>,
        #[serde(rename = "StreamARN")]
        stream_arn: Option<String>,
    }

    let input: Input = parse(body)?;
    let mut constraints = Constraints::default();
    let asked = Which::checked(input.stream_name, input.stream_arn, &mut constraints);
    constraints.judge()?;
    asked.which()
}

/// What is answered.
pub(super) fn answer(stream: &DataStream) -> Result<Vec<u8>, Refusal> {
    json(&Answer {
        stream_description_summary: Summary {
            stream_name: stream.name(),
            stream_arn: stream.arn(),
            stream_status: ACTIVE,
            stream_mode_details: Mode::of(stream.settings()),
            retention_period_hours: RETENTION_HOURS,
            stream_creation_timestamp: Seconds { ms: stream.since().as_millisecond() },
            enhanced_monitoring: [Monitoring { shard_level_metrics: [] }],
            encryption_type: "NONE",
            open_shard_count: stream.shards().count(),
            consumer_count: 0,
            max_record_size_in_kib: MAX_RECORD_BYTES / 1024,
        },
    })
}

/// The state of every stream here.
pub(super) const ACTIVE: &str = "ACTIVE";

/// How a stream's shards come about.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Mode {
    stream_mode: &'static str,
}

impl Mode {
    /// A stream's mode.
    pub(super) fn of(settings: &DataStreamSettings) -> Self {
        Self { stream_mode: if settings.provisioned.is_some() { "PROVISIONED" } else { "ON_DEMAND" } }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
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
    stream_creation_timestamp: Seconds,
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
