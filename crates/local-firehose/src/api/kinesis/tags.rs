//! AddTagsToStream, RemoveTagsFromStream and ListTagsForStream.

use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::error;
use super::stream_ref::StreamMembers;
use crate::api::constraints::Constraints;
use crate::api::request::{ApiError, parse};
use crate::control::{Control, Tags};
use firehose_model::scope::Scope;

/// The most tags of a request, the most keys of one, and the most characters of a key and a value (the service model).
const MAX_TAGS: usize = 200;
const MAX_KEYS: usize = 50;
const MAX_KEY_CHARACTERS: usize = 128;
const MAX_VALUE_CHARACTERS: usize = 256;
/// The most tags of a page, and the default (Kinesis API reference, "ListTagsForStream").
const MAX_LISTED: i64 = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    tags: Option<Tags>,
    tag_keys: Option<Vec<Option<String>>>,
    exclusive_start_tag_key: Option<String>,
    limit: Option<i64>,
}

pub(super) fn constrain(constraints: &mut Constraints, tags: &Tags) {
    constraints.at_most(tags.len(), MAX_TAGS, format_args!("{} tags", tags.len()), "tags");
    for (key, value) in tags {
        constraints.length(key, "tags.key", MAX_KEY_CHARACTERS);
        let path = format!("tags.{key}.member");
        if let Some(value) = constraints.required(value.as_deref(), &path) {
            constraints.at_most(value.chars().count(), MAX_VALUE_CHARACTERS, value, &path);
        }
    }
}

/// The characters are those of `TagKey` in AWS's tagging rules. Code and first text were probed on Kinesis by the kinesalite project, which
/// found that a tab is refused; there the text has no colon, and a percent sign that is refused all the same.
pub(super) fn validate(tags: &Tags) -> Result<(), ApiError> {
    let is_space = |char: char| char.is_whitespace() && !char.is_control();
    let is_allowed = |char: char| char.is_alphanumeric() || is_space(char) || "_./:=+-@".contains(char);
    let mut texts = tags.iter().flat_map(|(key, value)| [Some(key), value.as_ref()]).flatten();
    if texts.any(|text| !text.chars().all(is_allowed)) {
        return Err(ApiError::invalid_argument(
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . : / = + - @.",
        ));
    }
    match tags.keys().find(|key| key.starts_with("aws:")) {
        Some(key) => Err(ApiError::invalid_argument(format!("Tags: the key {key} is reserved for AWS."))),
        None => Ok(()),
    }
}

pub(super) async fn add(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let Input { stream_name, stream_arn, tags, .. } = parse(body)?;
    let mut constraints = Constraints::default();
    let tags = constraints.required(tags, "tags").unwrap_or_default();
    constrain(&mut constraints, &tags);
    let name = StreamMembers { stream_name, stream_arn }.read(constraints, caller)?;
    validate(&tags)?;
    control.tag_data_stream(&name, tags).await.map_err(|refusal| error(&refusal, &name, caller))?;
    Ok(json!({}))
}

pub(super) async fn remove(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let Input { stream_name, stream_arn, tag_keys, .. } = parse(body)?;
    let mut constraints = Constraints::default();
    let keys = constraints.required(tag_keys, "tagKeys").unwrap_or_default();
    constraints.at_most(keys.len(), MAX_KEYS, format_args!("{} keys", keys.len()), "tagKeys");
    for (index, key) in keys.iter().enumerate() {
        let path = format!("tagKeys.{}.member", index + 1);
        if let Some(key) = constraints.required(key.as_deref(), &path) {
            constraints.length(key, &path, MAX_KEY_CHARACTERS);
        }
    }
    let name = StreamMembers { stream_name, stream_arn }.read(constraints, caller)?;
    let keys: Vec<String> = keys.into_iter().flatten().collect();
    control.untag_data_stream(&name, &keys).await.map_err(|refusal| error(&refusal, &name, caller))?;
    Ok(json!({}))
}

pub(super) fn list(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let Input { stream_name, stream_arn, exclusive_start_tag_key: after, limit, .. } = parse(body)?;
    let mut constraints = Constraints::default();
    let limit = limit.unwrap_or(MAX_LISTED);
    constraints.range(limit, "limit", 1..=MAX_LISTED);
    if let Some(after) = &after {
        constraints.length(after, "exclusiveStartTagKey", MAX_KEY_CHARACTERS);
    }
    let name = StreamMembers { stream_name, stream_arn }.read(constraints, caller)?;
    let tags = control.data_stream_tags(&name).map_err(|refusal| error(&refusal, &name, caller))?;
    let mut wanted = tags.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let limit = usize::try_from(limit).unwrap_or_default();
    let listed: Vec<Value> =
        wanted.by_ref().take(limit).map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "Tags": listed, "HasMoreTags": wanted.next().is_some() }))
}
