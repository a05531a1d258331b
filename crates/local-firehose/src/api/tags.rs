//! Tags in requests and responses.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::control::Tags;

/// The most tags of a page, and the default (Firehose API reference, "ListTagsForDeliveryStream", and Kinesis API reference,
/// "ListTagsForStream").
const MAX_LISTED: usize = 50;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

/// `Tags` of a request to Firehose.
pub(super) fn from(tags: Option<Value>) -> Tags {
    let tags: Vec<Tag> = tags.and_then(|tags| serde_json::from_value(tags).ok()).unwrap_or_default();
    tags.into_iter().map(|Tag { key, value }| (key, value)).collect()
}

/// The tags with keys after `after`; each is after an empty one.
pub(super) fn page(tags: Tags, after: &str, limit: Option<usize>) -> Value {
    let mut wanted = tags.into_iter().filter(|(key, _)| key.as_str() > after).map(|(key, value)| Tag { key, value });
    let listed: Vec<Tag> = wanted.by_ref().take(limit.unwrap_or(MAX_LISTED)).collect();
    json!({ "Tags": listed, "HasMoreTags": wanted.next().is_some() })
}
