//! Converts an item of the table into the service's JSON, and the seed into items.
//!
//! DynamoDB guarantees only an item's key. An attribute that is missing or of another type is omitted from the response, and a warning has the
//! item and the attribute. So one invalid item neither fails the list nor becomes unknown.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// An item of DynamoDB.
pub type Item = HashMap<String, AttributeValue>;

#[derive(Clone, Copy)]
enum Type {
    Text,
    Number,
    /// A number in the table, and a string in the response, as in the published service.
    NumberAsText,
    Flag,
}

/// In the order of the response: the name in the table, the name in the response, and the type.
const ATTRIBUTES: [(&str, &str, Type); 11] = [
    ("MysfitId", "mysfitId", Type::Text),
    ("Name", "name", Type::Text),
    ("GoodEvil", "goodevil", Type::Text),
    ("LawChaos", "lawchaos", Type::Text),
    ("Species", "species", Type::Text),
    ("ThumbImageUri", "thumbImageUri", Type::Text),
    ("Age", "age", Type::Number),
    ("Description", "description", Type::Text),
    ("ProfileImageUri", "profileImageUri", Type::Text),
    ("Likes", "likes", Type::NumberAsText),
    ("Adopted", "adopted", Type::Flag),
];

/// The list has the first attributes only.
const IN_LIST: usize = 6;

/// A mysfit of a response: names and values.
#[derive(Debug)]
pub struct Mysfit(Vec<(&'static str, Value)>);

impl Mysfit {
    pub(crate) fn in_list(item: &Item) -> Self {
        Self::with(item, &ATTRIBUTES[..IN_LIST])
    }

    pub(crate) fn complete(item: &Item) -> Self {
        Self::with(item, &ATTRIBUTES)
    }

    fn with(item: &Item, attributes: &[(&'static str, &'static str, Type)]) -> Self {
        let (mut values, mut missing) = (Vec::new(), Vec::new());
        for (attribute, name, kind) in attributes {
            match item.get(*attribute).and_then(|value| kind.to_json(value)) {
                Some(value) => values.push((*name, value)),
                None => missing.push(*attribute),
            }
        }
        if !missing.is_empty() {
            let mysfit_id = item.get("MysfitId").and_then(|id| id.as_s().ok()).map_or("", String::as_str);
            let attributes = missing.join(",");
            tracing::warn!(mysfit_id, attributes, "attributes missing or of another type");
        }
        Self(values)
    }
}

impl Serialize for Mysfit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Type {
    fn to_json(self, value: &AttributeValue) -> Option<Value> {
        match (self, value) {
            (Self::Text, AttributeValue::S(text)) | (Self::NumberAsText, AttributeValue::N(text)) => {
                Some(text.as_str().into())
            }
            (Self::Number, AttributeValue::N(digits)) => Some(digits.parse::<i64>().ok()?.into()),
            (Self::Flag, AttributeValue::Bool(flag)) => Some((*flag).into()),
            _ => None,
        }
    }

    #[cfg(feature = "local")]
    fn to_attribute(self, value: &Value) -> Option<AttributeValue> {
        Some(match self {
            Self::Text => AttributeValue::S(value.as_str()?.to_owned()),
            Self::Number | Self::NumberAsText => AttributeValue::N(value.as_i64()?.to_string()),
            Self::Flag => AttributeValue::Bool(value.as_bool()?),
        })
    }
}

#[cfg(feature = "local")]
pub(crate) fn item(mysfit: &Value) -> Item {
    let attributes = ATTRIBUTES.iter();
    attributes
        .filter_map(|(attribute, name, kind)| Some(((*attribute).to_owned(), kind.to_attribute(mysfit.get(name)?)?)))
        .collect()
}

/// Other ids get 404 without a request to DynamoDB.
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}
