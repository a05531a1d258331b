//! CreateStream, DeleteStream, IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod.

use std::num::NonZeroU32;

use serde::Deserialize;
use serde_json::Value;

use super::model;
use super::refusal::error;
use super::stream_ref::StreamMembers;
use super::tags;
use crate::api::request::ApiError;
use crate::control::{Control, MAX_HOURS, MIN_HOURS, RetentionChange, Tags};
use firehose_model::kinesis::MAX_RECORD_BYTES;
use firehose_model::scope::Scope;

/// The most shards of a stream: the default quota of an account in the largest regions (Kinesis developer guide, "Quotas and limits").
const MAX_SHARDS: i64 = 500;
const ON_DEMAND: &str = "ON_DEMAND";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    stream_name: String,
    shard_count: Option<i64>,
    stream_mode_details: Option<ModeDetails>,
    #[serde(default)]
    tags: Tags,
    #[serde(rename = "MaxRecordSizeInKiB")]
    max_record_kib: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModeDetails {
    stream_mode: String,
}

pub(super) async fn create(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let CreateInput { stream_name: name, shard_count, stream_mode_details: mode, tags, max_record_kib } =
        model::read("CreateStream", body)?;
    tags::validate(&tags)?;
    let accepted_kib = MAX_RECORD_BYTES / 1024;
    if let Some(kib) = max_record_kib.filter(|kib| *kib != accepted_kib) {
        let message = format!("MaxRecordSizeInKiB: found {kib}; accepted is {accepted_kib}");
        return Err(ApiError::invalid_argument(message));
    }
    let shards = shards(mode.map(|mode| mode.stream_mode).as_deref(), shard_count)?;
    let created = control.create_data_stream(name.clone(), shards, tags).await;
    created.map_err(|refusal| error(&refusal, &name, caller))?;
    Ok(Value::Null)
}

/// The number of shards; none on demand. That Kinesis refuses the two combinations is documented, the texts are assumptions. Without a mode
/// and a number, it creates four shards (LocalStack's snapshot of AWS, 2022-08-26); that the mode is ON_DEMAND then is an assumption.
fn shards(mode: Option<&str>, count: Option<i64>) -> Result<Option<NonZeroU32>, ApiError> {
    match (mode, count) {
        (Some(ON_DEMAND) | None, None) => Ok(None),
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
    let name = model::read::<StreamMembers>("DeleteStream", body)?.name(caller)?;
    control.delete_data_stream(&name).await.map_err(|refusal| error(&refusal, &name, caller))?;
    Ok(Value::Null)
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
        #[serde(flatten)]
        stream: StreamMembers,
        retention_period_hours: i64,
    }

    let operation = match change {
        RetentionChange::Increase => "IncreaseStreamRetentionPeriod",
        RetentionChange::Decrease => "DecreaseStreamRetentionPeriod",
    };
    let Input { stream, retention_period_hours: hours } = model::read(operation, body)?;
    let name = stream.name(caller)?;
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
    Ok(Value::Null)
}
