//! The check of a click against the JSON schema that the infrastructure gives API Gateway, too.

use axum::http::HeaderMap;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator, draft4};
use serde_json::Value;

use super::body::is_json;
use super::refusal::Refusal;
use firehose_model::fields::{Fields, minified};

/// The model of API Gateway's request validation.
const SCHEMA: &str = include_str!("../../../../infra/click.schema.json");

/// The most faults that one answer names.
const MOST_FAULTS: usize = 5;

/// Why `infra/click.schema.json` can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// It is not JSON.
    #[error("infra/click.schema.json is not JSON")]
    Json(#[from] serde_json::Error),
    /// It is no JSON schema of draft 4, the one that API Gateway knows.
    #[error("infra/click.schema.json is not a JSON schema of draft 4")]
    Schema(#[from] ValidationError<'static>),
}

/// The schema, made ready.
pub(super) struct ClickSchema(Validator);

impl ClickSchema {
    pub(super) fn new() -> Result<Self, SchemaError> {
        Ok(Self(draft4::new(&serde_json::from_str(SCHEMA)?)?))
    }

    /// The record of a request's click: its JSON text as the visitor's page wrote it, less the white space around tokens,
    /// and without a line's end. API Gateway's `$input.json('$')` gives the same but for the escapes in strings, which it
    /// writes anew.
    pub(super) fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<String, Refusal> {
        if !is_json(headers) {
            return Err(Refusal::MediaType);
        }
        self.check_body(body).map_err(Refusal::Body)
    }

    fn check_body(&self, body: &[u8]) -> Result<String, String> {
        let text = str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
        let not_json = |error| format!("it is not JSON ({error})");
        let click: Value = serde_json::from_str(text).map_err(not_json)?;
        let faults: Vec<String> = self.0.iter_errors(&click).take(MOST_FAULTS).map(|error| describe(&error)).collect();
        if !faults.is_empty() {
            return Err(faults.join("; "));
        }
        let fields: Fields<'_> = serde_json::from_str(text).map_err(not_json)?;
        // API Gateway lets the last one count. Who reads the record might let the first one: then it was not checked.
        if fields.names().count() != click.as_object().map_or(0, serde_json::Map::len) {
            return Err("a field is in it twice".to_owned());
        }
        Ok(minified(text))
    }
}

/// What is wrong, without what the visitor sent: every name and number here is the schema's own.
fn describe(error: &ValidationError<'_>) -> String {
    // Only a field that the schema knows has a path: others are faults of the whole.
    let field = match error.instance_path().as_str().trim_start_matches('/') {
        "" => "it",
        field => field,
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => format!("{} is missing", property.as_str().unwrap_or_default()),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("it has fields that a click does not have ({})", unexpected.len())
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(json_type) } => {
            format!("{field} is not of type {json_type}")
        }
        ValidationErrorKind::MaxLength { limit } => format!("{field} is longer than {limit} characters"),
        ValidationErrorKind::Pattern { pattern } => format!("{field} does not match {pattern}"),
        other => format!("{field} is not as the schema's `{}` says", other.keyword()),
    }
}

#[cfg(test)]
mod tests;
