//! Reads the inputs of operations: the constraints of a service's model are those of botocore, as `scripts/service-model` extracts them, and
//! each API says which members it supports.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use fancy_regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::constraints::Constraints;
use super::request::{ApiError, Service, parse};
use firehose_model::excerpt::excerpt;

/// The most characters of a map's key in a message.
const MAX_KEY_CHARS: usize = 128;

/// The supported members of structures, by the name of the structure.
pub(super) type Supported = &'static [(&'static str, &'static [&'static str])];

/// A service model.
pub(super) struct Model {
    service: &'static Service,
    supported: Supported,
    tables: Tables,
}

/// What `scripts/service-model` has extracted.
#[derive(Debug, Default, Deserialize)]
struct Tables {
    operations: BTreeMap<String, String>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
struct Shape {
    r#type: Type,
    /// Each with its shape, in the order of the service model.
    #[serde(default)]
    members: Vec<(String, String)>,
    /// The shape of a list's elements.
    #[serde(default)]
    member: String,
    /// The shapes of a map's keys and values.
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    required: Vec<String>,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<String>,
    /// That of the pattern, from the first text on: to compile it takes longer than a request.
    #[serde(skip)]
    regex: OnceLock<Option<Regex>>,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Structure,
    List,
    Map,
    String,
    Integer,
    Double,
    Boolean,
    Timestamp,
    Blob,
}

impl Model {
    /// `json` is what `scripts/service-model` has written for the service.
    pub(super) fn new(service: &'static Service, json: &str, supported: Supported) -> Self {
        Self { service, supported, tables: serde_json::from_str(json).unwrap_or_default() }
    }

    /// Reads the input of an operation. Members that the service model does not have are left out, as AWS ignores them. An error names the
    /// member: of another type, against a constraint, or not supported, in this order.
    pub(super) fn read(&self, operation: &str, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
        let shape = self.tables.operations.get(operation).ok_or_else(|| self.service.unknown_operation(operation))?;
        let input: Value = parse(body)?;
        let mut walk = Walk { model: self, constraints: Constraints::default(), mistyped: None, unsupported: None };
        let kept = walk.value(shape, input, &Place::default());
        if let Some(problem) = walk.mistyped {
            return Err(ApiError::serialization(problem));
        }
        walk.constraints.validate()?;
        if let Some(field) = walk.unsupported {
            return Err(self.unsupported(&field));
        }
        match kept {
            Some(Value::Object(members)) => Ok(members),
            _ => Ok(Map::new()),
        }
    }

    /// The error of a member without an effect.
    pub(super) fn unsupported(&self, field: &str) -> ApiError {
        let service = self.service.short_name;
        ApiError::invalid_argument(format!(
            "{field}: is not supported by this local {service}; accepted is a request without it"
        ))
    }

    fn supports(&self, structure: &str, member: &str) -> bool {
        let listed = self.supported.iter().find(|(name, _)| *name == structure);
        listed.is_none_or(|(_, members)| members.contains(&member))
    }
}

/// Where a value is: as messages of constraints have it (`tags.1.member.key`), and as the API reference has it (`Tags[0].Key`).
#[derive(Debug, Clone, Default)]
struct Place {
    path: String,
    field: String,
}

impl Place {
    fn member(&self, name: &str) -> Self {
        let mut camel = name.to_owned();
        if let Some(first) = camel.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        let joined = |before: &str, name: &str| {
            if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") }
        };
        Self { path: joined(&self.path, &camel), field: joined(&self.field, name) }
    }

    fn element(&self, index: usize) -> Self {
        Self { path: format!("{}.{}.member", self.path, index + 1), field: format!("{}[{index}]", self.field) }
    }

    fn entry(&self, key: &str) -> Self {
        let (Self { path, field }, key) = (self, excerpt(key, MAX_KEY_CHARS));
        Self { path: format!("{path}.{key}.member"), field: format!("{field}.{key}") }
    }
}

struct Walk<'m> {
    model: &'m Model,
    constraints: Constraints,
    mistyped: Option<String>,
    unsupported: Option<String>,
}

impl Walk<'_> {
    /// The value with the members of its shape; none if it has another type.
    fn value(&mut self, name: &str, value: Value, at: &Place) -> Option<Value> {
        let shape = self.model.tables.shapes.get(name)?;
        match (shape.r#type, value) {
            (Type::Structure, Value::Object(members)) => Some(self.structure(name, shape, members, at)),
            (Type::List, Value::Array(elements)) => Some(self.list(shape, elements, at)),
            (Type::Map, Value::Object(entries)) => Some(self.map(shape, entries, at)),
            (Type::String, Value::String(text)) => {
                self.text(shape, &text, at);
                Some(Value::String(text))
            }
            (Type::Integer, Value::Number(number)) if number.as_i64().is_some() => {
                let value = number.as_i64().unwrap_or_default();
                self.constraints.bounds("value", value, shape.bounds(), value, &at.path);
                Some(Value::Number(number))
            }
            (Type::Double | Type::Timestamp, value @ Value::Number(_)) | (Type::Boolean, value @ Value::Bool(_)) => {
                Some(value)
            }
            (expected, found) => {
                let place = if at.field.is_empty() { "the request" } else { &at.field };
                let problem = format!("{place}: expected a value of type {expected:?}, found {}", type_of(&found));
                self.mistyped.get_or_insert(problem);
                None
            }
        }
    }

    fn structure(&mut self, name: &str, shape: &Shape, mut members: Map<String, Value>, at: &Place) -> Value {
        let mut kept = Map::new();
        for (member, of) in &shape.members {
            let place = at.member(member);
            match members.remove(member).filter(|value| !value.is_null()) {
                Some(_) if !self.model.supports(name, member) => {
                    self.unsupported.get_or_insert(place.field);
                }
                Some(value) => {
                    if let Some(value) = self.value(of, value, &place) {
                        kept.insert(member.clone(), value);
                    }
                }
                None if shape.required.contains(member) => {
                    let _missing = self.constraints.required(None::<()>, &place.path);
                }
                None => {}
            }
        }
        Value::Object(kept)
    }

    /// Without the elements after the most that a list may have, and without those after the most violations of a message: the request is
    /// refused in any case.
    fn list(&mut self, shape: &Shape, elements: Vec<Value>, at: &Place) -> Value {
        let most = self.most(shape, elements.len(), at);
        let mut kept = Vec::new();
        for (index, element) in elements.into_iter().take(most).enumerate() {
            if self.constraints.is_full() {
                break;
            }
            kept.extend(self.required(&shape.member, element, &at.element(index)));
        }
        Value::Array(kept)
    }

    /// As [`Self::list`].
    fn map(&mut self, shape: &Shape, entries: Map<String, Value>, at: &Place) -> Value {
        let most = self.most(shape, entries.len(), at);
        let mut kept = Map::new();
        for (key, value) in entries.into_iter().take(most) {
            if self.constraints.is_full() {
                break;
            }
            if let Some(of_key) = self.model.tables.shapes.get(&shape.key) {
                self.text(of_key, &key, &at.member("key"));
            }
            let value = self.required(&shape.value, value, &at.entry(&key));
            kept.extend(value.map(|value| (key, value)));
        }
        Value::Object(kept)
    }

    /// The most members that a list or a map may have.
    fn most(&mut self, shape: &Shape, count: usize, at: &Place) -> usize {
        self.length(shape, count, &format!("{count} members"), at);
        shape.max.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX)
    }

    fn required(&mut self, shape: &str, value: Value, at: &Place) -> Option<Value> {
        let value = Some(value).filter(|value| !value.is_null());
        let value = self.constraints.required(value, &at.path)?;
        self.value(shape, value, at)
    }

    fn text(&mut self, shape: &Shape, text: &str, at: &Place) {
        let length = text.chars().count();
        // A text of any length would take the time of its pattern.
        let is_short = shape.max.is_none_or(|max| i64::try_from(length).is_ok_and(|length| length <= max));
        if let Some(pattern) = shape.pattern.as_deref().filter(|_| is_short && !shape.is_match(text)) {
            let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
            self.constraints.violated(text, &at.path, &constraint);
        }
        if !shape.values.is_empty() && !shape.values.iter().any(|value| value == text) {
            let constraint = format!("Member must satisfy enum value set: [{}]", shape.values.join(", "));
            self.constraints.violated(text, &at.path, &constraint);
        }
        self.length(shape, length, text, at);
    }

    fn length(&mut self, shape: &Shape, length: usize, value: &str, at: &Place) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        self.constraints.bounds("length", length, shape.bounds(), value, &at.path);
    }
}

impl Shape {
    fn bounds(&self) -> RangeInclusive<i64> {
        self.min.unwrap_or(i64::MIN)..=self.max.unwrap_or(i64::MAX)
    }

    /// A pattern is one of the whole text. All patterns of the model compile.
    fn is_match(&self, text: &str) -> bool {
        let pattern = self.pattern.as_deref().unwrap_or_default();
        let regex = self.regex.get_or_init(|| Regex::new(&format!("^(?:{pattern})$")).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(text).unwrap_or(false))
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a structure",
    }
}

#[cfg(test)]
mod tests;
