//! CreateStream, DeleteStream, IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod.

use std::num::NonZeroU32;

use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::error;
use super::stream_ref::{MAX_NAME_CHARACTERS, StreamMembers};
use super::tags;
use crate::api::constraints::Constraints;
use crate::api::request::{ApiError, parse};
use crate::control::{Control, MAX_HOURS, MIN_HOURS, RetentionChange, Tags};
use firehose_model::kinesis::MAX_RECORD_BYTES;
use firehose_model::scope::Scope;

/// The most shards of a stream: the default quota of an account in the largest regions (Kinesis developer guide, "Quotas and limits").
const MAX_SHARDS: i64 = 500;
const PROVISIONED: &str = "PROVISIONED";
const ON_DEMAND: &str = "ON_DEMAND";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    stream_name: Option<String>,
    shard_count: Option<i64>,
    stream_mode_details: Option<ModeDetails>,
    tags: Option<Tags>,
    #[serde(rename = "MaxRecordSizeInKiB")]
    max_record_kib: Option<usize>,
    #[serde(rename = "WarmThroughputMiBps")]
    warm_throughput: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModeDetails {
    stream_mode: Option<String>,
}

pub(super) async fn create(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let CreateInput { stream_name, shard_count, stream_mode_details, tags, max_record_kib, warm_throughput } =
        parse(body)?;
    let mut constraints = Constraints::default();
    let name = constraints.required(stream_name, "streamName");
    constraints.name(name.as_deref(), "streamName", MAX_NAME_CHARACTERS);
    if let Some(count) = shard_count {
        constraints.range(count, "shardCount", 1..=i64::MAX);
    }
    let mode = stream_mode_details.map(|details| {
        let mode = constraints.required(details.stream_mode, "streamModeDetails.streamMode").unwrap_or_default();
        constraints.one_of(&mode, "streamModeDetails.streamMode", &[PROVISIONED, ON_DEMAND]);
        mode
    });
    let tags = tags.unwrap_or_default();
    tags::constrain(&mut constraints, &tags);
    constraints.validate()?;
    tags::validate(&tags)?;
    for (member, is_refused) in [
        ("MaxRecordSizeInKiB", max_record_kib.is_some_and(|kib| kib != MAX_RECORD_BYTES / 1024)),
        ("WarmThroughputMiBps", warm_throughput.is_some()),
    ] {
        if is_refused {
            return Err(ApiError::invalid_argument(format!("{member}: is not supported by this local Kinesis")));
        }
    }
    let (name, shards) = (name.unwrap_or_default(), shards(mode.as_deref(), shard_count)?);
    let created = control.create_data_stream(name.clone(), shards, tags).await;
    created.map_err(|refusal| error(&refusal, &name, caller))?;
    Ok(json!({}))
}

/// The number of shards; none on demand. That Kinesis refuses the two combinations is documented, the texts are assumptions.
fn shards(mode: Option<&str>, count: Option<i64>) -> Result<Option<NonZeroU32>, ApiError> {
    match (mode, count) {
        (Some(ON_DEMAND), None) => Ok(None),
        (Some(ON_DEMAND), Some(_)) => {
            Err(ApiError::invalid_argument("ShardCount: must not be specified for a stream with the mode ON_DEMAND."))
        }
        (_, None) => {
            Err(ApiError::invalid_argument("ShardCount: must be specified for a stream with the mode PROVISIONED."))
        }
        (_, Some(count)) if count > MAX_SHARDS => {
            let message = format!("ShardCount: found {count}; a stream has at most {MAX_SHARDS} shards.");
            Err(ApiError::bad_request("LimitExceededException", message))
        }
        (_, Some(count)) => Ok(u32::try_from(count).ok().and_then(NonZeroU32::new)),
    }
}

pub(super) async fn delete(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    // `EnforceConsumerDeletion` is about enhanced fan-out, of which there is none.
    let name = parse::<StreamMembers>(body)?.read(Constraints::default(), caller)?;
    control.delete_data_stream(&name).await.map_err(|refusal| error(&refusal, &name, caller))?;
    Ok(json!({}))
}

pub(super) async fn set_retention(
    control: &Control,
    change: RetentionChange,
    body: &[u8],
    caller: &Scope,
) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        stream_name: Option<String>,
        #[serde(rename = "StreamARN")]
        stream_arn: Option<String>,
        retention_period_hours: Option<i64>,
    }

    let Input { stream_name, stream_arn, retention_period_hours } = parse(body)?;
    let mut constraints = Constraints::default();
    let hours = constraints.required(retention_period_hours, "retentionPeriodHours").unwrap_or_default();
    let name = StreamMembers { stream_name, stream_arn }.read(constraints, caller)?;
    // The texts were probed on Kinesis by the kinesalite project.
    let refuse = |bound: &str, limit: u32, problem: &str| {
        Err(ApiError::invalid_argument(format!(
            "{bound} allowed retention period is {limit} hours. Requested retention period ({hours} hours) is too {problem}."
        )))
    };
    let hours = match u32::try_from(hours) {
        Ok(hours) if hours > MAX_HOURS => return refuse("Maximum", MAX_HOURS, "long"),
        Ok(hours) if hours >= MIN_HOURS => hours,
        Err(_) if hours > 0 => return refuse("Maximum", MAX_HOURS, "long"),
        _ => return refuse("Minimum", MIN_HOURS, "short"),
    };
    let changed = control.set_retention(&name, hours, change).await;
    changed.map_err(|refusal| error(&refusal, &name, caller))?;
    Ok(json!({}))
}
