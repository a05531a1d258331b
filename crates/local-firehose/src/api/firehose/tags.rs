//! The tags of requests, and ListTagsForDeliveryStream.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::model::text;
use crate::control::Tags;

/// The most tags of a page, and the default (API reference, "ListTagsForDeliveryStream").
const MAX_LISTED: usize = 50;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

/// `Tags` of a request.
pub(super) fn from(tags: Option<Value>) -> Tags {
    let tags: Vec<Tag> = tags.and_then(|tags| serde_json::from_value(tags).ok()).unwrap_or_default();
    tags.into_iter().map(|Tag { key, value }| (key, value)).collect()
}

/// The page that a request asks for.
pub(super) fn page(tags: Tags, input: &mut Map<String, Value>) -> Value {
    let after = text(input, "ExclusiveStartTagKey");
    let limit = input.get("Limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    // A key has at least one character, so each is after an empty one.
    let mut wanted = tags.into_iter().filter(|(key, _)| *key > after).map(|(key, value)| Tag { key, value });
    let listed: Vec<Tag> = wanted.by_ref().take(limit.unwrap_or(MAX_LISTED)).collect();
    json!({ "Tags": listed, "HasMoreTags": wanted.next().is_some() })
}
