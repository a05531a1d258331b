//! AddTagsToStream, RemoveTagsFromStream and ListTagsForStream.

use serde::Deserialize;
use serde_json::{Value, json};

use super::model;
use super::refusal::error;
use super::stream_ref::StreamMembers;
use crate::api::request::ApiError;
use crate::control::{Control, StreamKind, Tags};
use firehose_model::scope::Scope;

/// The most tags of a page, and the default (Kinesis API reference, "ListTagsForStream").
const MAX_LISTED: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    #[serde(flatten)]
    stream: StreamMembers,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    tag_keys: Vec<String>,
    exclusive_start_tag_key: Option<String>,
    limit: Option<usize>,
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

pub(super) fn validate(tags: &Tags) -> Result<(), ApiError> {
    validate_characters(tags.iter().flat_map(|(key, value)| [Some(key), value.as_ref()]).flatten())?;
    match tags.keys().find(|key| key.starts_with("aws:")) {
        Some(key) => Err(ApiError::invalid_argument(format!("Tags: the key {key} is reserved for AWS."))),
        None => Ok(()),
    }
}

pub(super) async fn add(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let Input { stream, tags, .. } = model::read("AddTagsToStream", body)?;
    let name = stream.name(caller)?;
    validate(&tags)?;
    control.tag(StreamKind::Data, &name, tags).await.map_err(|refusal| error(&refusal, &name, caller))?;
    Ok(Value::Null)
}

pub(super) async fn remove(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let Input { stream, tag_keys: keys, .. } = model::read("RemoveTagsFromStream", body)?;
    let name = stream.name(caller)?;
    validate_characters(keys.iter())?;
    control.untag(StreamKind::Data, &name, &keys).await.map_err(|refusal| error(&refusal, &name, caller))?;
    Ok(Value::Null)
}

pub(super) fn list(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let Input { stream, exclusive_start_tag_key: after, limit, .. } = model::read("ListTagsForStream", body)?;
    let name = stream.name(caller)?;
    let tags = control.tags(StreamKind::Data, &name).map_err(|refusal| error(&refusal, &name, caller))?;
    let mut wanted = tags.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let listed: Vec<Value> = wanted
        .by_ref()
        .take(limit.unwrap_or(MAX_LISTED))
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    Ok(json!({ "Tags": listed, "HasMoreTags": wanted.next().is_some() }))
}
