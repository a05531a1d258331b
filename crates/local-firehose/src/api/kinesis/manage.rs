//! The operations on data streams, but for puts.

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde_json::Value;

use super::consume::{self, ShardIterator};
use super::model::{self, Input};
use super::{SERVICE, describe, stream_ref};
use crate::api::refusal::error;
use crate::api::request::ApiError;
use crate::api::tags;
use crate::control::{Control, MAX_HOURS, MIN_HOURS, Refusal, RetentionChange, StreamKind, Tags};
use firehose_model::kinesis::MAX_RECORD_BYTES;
use firehose_model::scope::Scope;

/// The most shards of a stream: the default quota of an account in the largest regions (Kinesis developer guide, "Quotas and limits").
const MAX_SHARDS: i64 = 500;
const ON_DEMAND: &str = "ON_DEMAND";
const MAX_RECORD_KIB: usize = MAX_RECORD_BYTES / 1024;

pub(super) async fn call(control: &Control, operation: &str, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let mut input = model::read(operation, body)?;
    let now = Timestamp::now();
    // A token and an iterator name the stream.
    match operation {
        "ListStreams" => return Ok(describe::streams(&input, &control.data_streams(), caller)),
        "ListShards" => describe::resume(&mut input)?,
        "GetRecords" => input.stream_name = Some(ShardIterator::read(&input.shard_iterator, now)?.stream),
        _ => {}
    }
    let name = stream_ref::name(input.stream_name.take(), input.stream_arn.as_deref(), caller)?;
    let refused = |refusal: Refusal| error(StreamKind::Data, &refusal, &name, caller);
    let find = || control.data_stream(&name).ok_or(Refusal::NotFound).map_err(refused);
    match operation {
        "CreateStream" => {
            validate_tags(&input.tags)?;
            if let Some(kib) = input.max_record_kib.filter(|kib| *kib != MAX_RECORD_KIB) {
                let message = format!("MaxRecordSizeInKiB: found {kib}; accepted is {MAX_RECORD_KIB}");
                return Err(ApiError::invalid_argument(message));
            }
            let shards = shards(&input)?;
            control.create_data_stream(name.clone(), shards, input.tags).await.map_err(refused)?;
        }
        // `EnforceConsumerDeletion` is about enhanced fan-out, of which there is none.
        "DeleteStream" => control.delete_data_stream(&name).await.map_err(refused)?,
        "IncreaseStreamRetentionPeriod" => {
            let hours = hours(input.retention_period_hours)?;
            control.set_retention(&name, hours, RetentionChange::Increase).await.map_err(refused)?;
        }
        "DecreaseStreamRetentionPeriod" => {
            let hours = hours(input.retention_period_hours)?;
            control.set_retention(&name, hours, RetentionChange::Decrease).await.map_err(refused)?;
        }
        "AddTagsToStream" => {
            validate_tags(&input.tags)?;
            control.tag(StreamKind::Data, &name, input.tags).await.map_err(refused)?;
        }
        "RemoveTagsFromStream" => {
            validate_characters(input.tag_keys.iter())?;
            control.untag(StreamKind::Data, &name, &input.tag_keys).await.map_err(refused)?;
        }
        "ListTagsForStream" => {
            let tags = control.tags(StreamKind::Data, &name).map_err(refused)?;
            return Ok(tags::page(tags, &input.exclusive_start_tag_key, input.limit));
        }
        "DescribeStream" => {
            let (stream, status) = find()?;
            return Ok(describe::stream(&stream, status, &input, caller));
        }
        "DescribeStreamSummary" => {
            let (stream, status) = find()?;
            return Ok(describe::summary(&stream, status, caller));
        }
        "ListShards" => return Ok(describe::shards(&find()?.0, &input)),
        "GetShardIterator" => return consume::iterator(&find()?.0, &input, caller, now),
        "GetRecords" => return consume::records(&find()?.0, &input, now),
        _ => return Err(SERVICE.unknown_operation(operation)),
    }
    Ok(Value::Null)
}

/// The number of shards; none on demand. That Kinesis refuses the two combinations is documented, the texts are assumptions. Without a mode
/// and a number, it creates four shards (LocalStack's snapshot of AWS, 2022-08-26); that the mode is ON_DEMAND then is an assumption.
fn shards(input: &Input) -> Result<Option<NonZeroU32>, ApiError> {
    match (input.stream_mode_details.as_ref().map(|details| &*details.stream_mode), input.shard_count) {
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

/// The texts were probed on Kinesis by the kinesalite project.
fn hours(hours: i64) -> Result<u32, ApiError> {
    let refuse = |bound: &str, limit: u32, problem: &str| {
        Err(ApiError::invalid_argument(format!(
            "{bound} allowed retention period is {limit} hours. Requested retention period ({hours} hours) is too {problem}."
        )))
    };
    match u32::try_from(hours) {
        Ok(hours) if (MIN_HOURS..=MAX_HOURS).contains(&hours) => Ok(hours),
        _ if hours < i64::from(MIN_HOURS) => refuse("Minimum", MIN_HOURS, "short"),
        _ => refuse("Maximum", MAX_HOURS, "long"),
    }
}

/// The characters are those of `TagKey` in AWS's tagging rules. Code and first text were probed on Kinesis by the kinesalite project, which
/// found that a tab is refused; there the text has no colon, and a percent sign that is refused all the same.
fn validate_characters<'a>(mut texts: impl Iterator<Item = &'a String>) -> Result<(), ApiError> {
    let is_space = |char: char| char.is_whitespace() && !char.is_control();
    let is_allowed = |char: char| char.is_alphanumeric() || is_space(char) || "_./:=+-@".contains(char);
    if texts.all(|text| text.chars().all(is_allowed)) {
        return Ok(());
    }
    Err(ApiError::invalid_argument(
        "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . : / = + - @.",
    ))
}

fn validate_tags(tags: &Tags) -> Result<(), ApiError> {
    validate_characters(tags.iter().flat_map(|(key, value)| [Some(key), value.as_ref()]).flatten())?;
    match tags.keys().find(|key| key.starts_with("aws:")) {
        Some(key) => Err(ApiError::invalid_argument(format!("Tags: the key {key} is reserved for AWS."))),
        None => Ok(()),
    }
}
