//! TagDeliveryStream, UntagDeliveryStream and ListTagsForDeliveryStream.

use serde_json::{Map, Value, json};

use super::model::{self, text};
use super::refusal::error;
use crate::api::request::ApiError;
use crate::control::{Control, StreamKind, Tags};
use firehose_model::scope::Scope;

/// The most tags of a page, and the default (API reference, "ListTagsForDeliveryStream").
const MAX_LISTED: usize = 50;

pub(super) async fn tag(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let mut input = model::read("TagDeliveryStream", body)?;
    let name = text(&mut input, "DeliveryStreamName");
    let tags = from(input.remove("Tags"));
    control.tag(StreamKind::Delivery, &name, tags).await.map_err(|refusal| error(refusal, &name, caller))?;
    Ok(json!({}))
}

pub(super) async fn untag(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let mut input = model::read("UntagDeliveryStream", body)?;
    let name = text(&mut input, "DeliveryStreamName");
    let keys: Vec<String> =
        elements(input.remove("TagKeys")).filter_map(|key| Some(key.as_str()?.to_owned())).collect();
    control.untag(StreamKind::Delivery, &name, &keys).await.map_err(|refusal| error(refusal, &name, caller))?;
    Ok(json!({}))
}

pub(super) fn list(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let mut input = model::read("ListTagsForDeliveryStream", body)?;
    let name = text(&mut input, "DeliveryStreamName");
    let after = text(&mut input, "ExclusiveStartTagKey");
    let limit = input.get("Limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    let tags = control.tags(StreamKind::Delivery, &name).map_err(|refusal| error(refusal, &name, caller))?;
    // A key has at least one character, so each is after an empty one.
    let mut wanted = tags.into_iter().filter(|(key, _)| *key > after);
    let listed: Vec<Value> = wanted.by_ref().take(limit.unwrap_or(MAX_LISTED)).map(described).collect();
    Ok(json!({ "Tags": listed, "HasMoreTags": wanted.next().is_some() }))
}

fn described((key, value): (String, Option<String>)) -> Value {
    let mut tag = Map::from_iter([("Key".to_owned(), Value::String(key))]);
    tag.extend(value.map(|value| ("Value".to_owned(), Value::String(value))));
    Value::Object(tag)
}

/// Tags of a request.
pub(super) fn from(tags: Option<Value>) -> Tags {
    let tag = |tag: Value| {
        let Value::Object(mut tag) = tag else { return None };
        let key = text(&mut tag, "Key");
        let value = tag.remove("Value").and_then(|value| Some(value.as_str()?.to_owned()));
        Some((key, value))
    };
    elements(tags).filter_map(tag).collect()
}

fn elements(list: Option<Value>) -> impl Iterator<Item = Value> {
    let elements = if let Some(Value::Array(elements)) = list { elements } else { Vec::new() };
    elements.into_iter()
}
