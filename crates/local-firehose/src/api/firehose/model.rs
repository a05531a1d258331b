//! The service model of Firehose: the constraints of botocore, as `scripts/service-model` extracts them, and which members are
//! supported here.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use fancy_regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::SERVICE;
use crate::api::constraints::Constraints;
use crate::api::request::{ApiError, parse};

static MODEL: LazyLock<Model> =
    LazyLock::new(|| serde_json::from_str(include_str!("service-model.json")).unwrap_or_default());

/// The supported members of a structure. Every member of other structures is supported.
static SUPPORTED: [(&str, &[&str]); 8] = [
    (
        "CreateDeliveryStreamInput",
        &[
            "DeliveryStreamName",
            "DeliveryStreamType",
            "ExtendedS3DestinationConfiguration",
            "KinesisStreamSourceConfiguration",
            "S3DestinationConfiguration",
            "Tags",
        ],
    ),
    (
        "UpdateDestinationInput",
        &[
            "CurrentDeliveryStreamVersionId",
            "DeliveryStreamName",
            "DestinationId",
            "ExtendedS3DestinationUpdate",
            "S3DestinationUpdate",
        ],
    ),
    ("ExtendedS3DestinationConfiguration", &EXTENDED),
    ("ExtendedS3DestinationUpdate", &EXTENDED),
    ("S3DestinationConfiguration", &S3),
    ("S3DestinationUpdate", &S3),
    // What DescribeDeliveryStream returns without encryption and conversion.
    ("EncryptionConfiguration", &["NoEncryptionConfig"]),
    ("DataFormatConversionConfiguration", &["Enabled"]),
];
const S3: [&str; 8] = [
    "BucketARN",
    "BufferingHints",
    "CloudWatchLoggingOptions",
    "CompressionFormat",
    "EncryptionConfiguration",
    "ErrorOutputPrefix",
    "Prefix",
    "RoleARN",
];
const EXTENDED: [&str; 16] = [
    "BucketARN",
    "BufferingHints",
    "CloudWatchLoggingOptions",
    "CompressionFormat",
    "CustomTimeZone",
    "DataFormatConversionConfiguration",
    "DynamicPartitioningConfiguration",
    "EncryptionConfiguration",
    "ErrorOutputPrefix",
    "FileExtension",
    "Prefix",
    "ProcessingConfiguration",
    "RoleARN",
    "S3BackupConfiguration",
    "S3BackupMode",
    "S3BackupUpdate",
];
/// The one member of a structure that is not in [`SUPPORTED`]: uploads are retried without an end.
const UNSUPPORTED: (&str, &str) = ("DynamicPartitioningConfiguration", "RetryOptions");

#[derive(Debug, Default, Deserialize)]
struct Model {
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

/// Reads the input of an operation. Members that the service model does not have are left out, as AWS ignores them. An error names the
/// member: of another type, against a constraint, or not supported, in this order.
pub(super) fn read(operation: &str, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let shape = MODEL.operations.get(operation).ok_or_else(|| SERVICE.unknown_operation(operation))?;
    let input: Value = parse(body)?;
    let mut walk = Walk::default();
    let kept = walk.value(shape, input, &Place::default());
    if let Some(problem) = walk.mistyped {
        return Err(ApiError::serialization(problem));
    }
    walk.constraints.validate()?;
    if let Some(field) = walk.unsupported {
        return Err(ApiError::invalid_argument(format!("{field}: is not supported by this local Firehose")));
    }
    match kept {
        Some(Value::Object(members)) => Ok(members),
        _ => Ok(Map::new()),
    }
}

/// Removes a text from an input; empty if the member is missing.
pub(super) fn text(input: &mut Map<String, Value>, member: &str) -> String {
    match input.remove(member) {
        Some(Value::String(text)) => text,
        _ => String::new(),
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
}

#[derive(Debug, Default)]
struct Walk {
    constraints: Constraints,
    mistyped: Option<String>,
    unsupported: Option<String>,
}

impl Walk {
    /// The value with the members of its shape; none if it has another type.
    fn value(&mut self, name: &str, value: Value, at: &Place) -> Option<Value> {
        let shape = MODEL.shapes.get(name)?;
        match (shape.r#type, value) {
            (Type::Structure, Value::Object(members)) => Some(self.structure(name, shape, members, at)),
            (Type::List, Value::Array(elements)) => Some(self.list(shape, elements, at)),
            (Type::String, Value::String(text)) => {
                self.text(shape, &text, at);
                Some(Value::String(text))
            }
            (Type::Integer, Value::Number(number)) if number.as_i64().is_some() => {
                self.integer(shape, number.as_i64().unwrap_or_default(), at);
                Some(Value::Number(number))
            }
            // The last three are of members that are not supported, or that the operation reads itself.
            (Type::Double, value @ Value::Number(_))
            | (Type::Boolean, value @ Value::Bool(_))
            | (Type::Map | Type::Timestamp | Type::Blob, value) => Some(value),
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
                Some(_) if !is_supported(name, member) => {
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
        let count = elements.len();
        self.length(shape, count, &format!("{count} members"), at);
        let most = shape.max.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
        let mut kept = Vec::new();
        for (index, element) in elements.into_iter().take(most).enumerate() {
            if self.constraints.is_full() {
                break;
            }
            let place = at.element(index);
            let element = Some(element).filter(|element| !element.is_null());
            if let Some(element) = self.constraints.required(element, &place.path) {
                kept.extend(self.value(&shape.member, element, &place));
            }
        }
        Value::Array(kept)
    }

    fn text(&mut self, shape: &Shape, text: &str, at: &Place) {
        let length = text.chars().count();
        // A text of any length would take the time of its pattern.
        let is_short = shape.max.is_none_or(|max| i64::try_from(length).is_ok_and(|length| length <= max));
        if let Some(pattern) = shape.pattern.as_deref().filter(|_| is_short && !shape.is_match(text)) {
            let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
            self.constraints.violated(text, &at.path, &constraint);
        }
        if !shape.values.is_empty() {
            let values: Vec<&str> = shape.values.iter().map(String::as_str).collect();
            self.constraints.one_of(text, &at.path, &values);
        }
        self.length(shape, length, text, at);
    }

    fn length(&mut self, shape: &Shape, length: usize, value: &str, at: &Place) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        self.bounds(shape, length, value, at, "length");
    }

    fn integer(&mut self, shape: &Shape, number: i64, at: &Place) {
        self.bounds(shape, number, &number.to_string(), at, "value");
    }

    fn bounds(&mut self, shape: &Shape, number: i64, value: &str, at: &Place, what: &str) {
        if let Some(min) = shape.min.filter(|min| number < *min) {
            let constraint = format!("Member must have {what} greater than or equal to {min}");
            self.constraints.violated(value, &at.path, &constraint);
        }
        if let Some(max) = shape.max.filter(|max| number > *max) {
            let constraint = format!("Member must have {what} less than or equal to {max}");
            self.constraints.violated(value, &at.path, &constraint);
        }
    }
}

fn is_supported(structure: &str, member: &str) -> bool {
    let listed = SUPPORTED.iter().find(|(name, _)| *name == structure);
    (structure, member) != UNSUPPORTED && listed.is_none_or(|(_, members)| members.contains(&member))
}

impl Shape {
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
