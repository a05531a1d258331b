//! Converts an item of the table into the service's JSON.
//!
//! DynamoDB guarantees only an item's key. An attribute that is missing or of another type is omitted from the response, and a warning has the
//! item and the attribute. So one invalid item neither fails the list nor becomes unknown.

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An item of DynamoDB.
pub type Item = HashMap<String, AttributeValue>;

/// A valid mysfit id. Other ids get 404 without a request to DynamoDB.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct MysfitId(String);

/// The id is invalid.
#[derive(Debug, Error)]
#[error("a mysfit's id has 1 to 128 characters of [A-Za-z0-9_-]")]
pub struct MysfitIdError;

impl MysfitId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MysfitId {
    type Error = MysfitIdError;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if (1..=128).contains(&id.len()) && id.bytes().all(allowed) { Ok(Self(id)) } else { Err(MysfitIdError) }
    }
}

/// A mysfit in the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The hash key.
    pub mysfit_id: String,
    /// The mysfit's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `Good`, `Neutral` or `Evil`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodevil: Option<String>,
    /// `Lawful`, `Neutral` or `Chaotic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lawchaos: Option<String>,
    /// The kind of creature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub species: Option<String>,
    /// The small image: an absolute URL, or a path on the page's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb_image_uri: Option<String>,
}

/// A mysfit with all attributes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mysfit {
    /// The attributes that are also in the list.
    #[serde(flatten)]
    pub summary: Summary,
    /// In years.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<i64>,
    /// A sentence or two about the mysfit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The large image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_image_uri: Option<String>,
    /// A number in the table, and a string in the response, as in the published service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likes: Option<String>,
    /// Whether the mysfit is adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted: Option<bool>,
}

impl From<Item> for Summary {
    fn from(item: Item) -> Self {
        let mut attributes = Attributes::of(item);
        let summary = attributes.summary();
        attributes.warn_of_missing();
        summary
    }
}

impl From<Item> for Mysfit {
    fn from(item: Item) -> Self {
        let mut attributes = Attributes::of(item);
        let mysfit = Self {
            summary: attributes.summary(),
            age: attributes.number("Age"),
            description: attributes.string("Description"),
            profile_image_uri: attributes.string("ProfileImageUri"),
            likes: attributes.number("Likes"),
            adopted: attributes.boolean("Adopted"),
        };
        attributes.warn_of_missing();
        mysfit
    }
}

/// The attributes of one item. Collects those that are missing or of another type.
struct Attributes {
    id: String,
    item: Item,
    missing: Vec<&'static str>,
}

impl Attributes {
    fn of(mut item: Item) -> Self {
        let id = match item.remove("MysfitId") {
            Some(AttributeValue::S(id)) => id,
            // Impossible in a table whose hash key is the string MysfitId.
            _ => String::new(),
        };
        Self { id, item, missing: Vec::new() }
    }

    fn summary(&mut self) -> Summary {
        Summary {
            mysfit_id: self.id.clone(),
            name: self.string("Name"),
            goodevil: self.string("GoodEvil"),
            lawchaos: self.string("LawChaos"),
            species: self.string("Species"),
            thumb_image_uri: self.string("ThumbImageUri"),
        }
    }

    fn string(&mut self, name: &'static str) -> Option<String> {
        self.take(name, |value| match value {
            AttributeValue::S(text) => Some(text),
            _ => None,
        })
    }

    fn number<T: FromStr>(&mut self, name: &'static str) -> Option<T> {
        self.take(name, |value| match value {
            AttributeValue::N(digits) => digits.parse().ok(),
            _ => None,
        })
    }

    fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.take(name, |value| match value {
            AttributeValue::Bool(flag) => Some(flag),
            _ => None,
        })
    }

    fn take<T>(&mut self, name: &'static str, of_type: impl FnOnce(AttributeValue) -> Option<T>) -> Option<T> {
        let value = self.item.remove(name).and_then(of_type);
        if value.is_none() {
            self.missing.push(name);
        }
        value
    }

    fn warn_of_missing(&self) {
        if !self.missing.is_empty() {
            tracing::warn!(
                mysfit_id = self.id,
                attributes = self.missing.join(","),
                "attributes missing or of another type"
            );
        }
    }
}
