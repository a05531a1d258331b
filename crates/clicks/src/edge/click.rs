//! Validates a click by the JSON schema that API Gateway has in the cloud.

use anyhow::Context;
use axum::http::HeaderMap;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator, draft4};
use serde_json::Value;

use super::error::EdgeError;
use super::reader::is_json;
use firehose_model::fields::{Fields, minified};

/// The model of API Gateway's request validation.
const SCHEMA: &str = include_str!("../../../../infra/click.schema.json");

/// The most errors in one message.
const MOST_ERRORS: usize = 5;

pub(super) struct ClickSchema(Validator);

impl ClickSchema {
    pub(super) fn new() -> anyhow::Result<Self> {
        let schema = serde_json::from_str(SCHEMA).context("infra/click.schema.json is not JSON")?;
        // API Gateway supports draft 4 only.
        draft4::new(&schema).map(Self).context("infra/click.schema.json is not a JSON schema of draft 4")
    }

    /// The record of a request's click: its JSON text without white space around tokens, and without a line's end. API Gateway's
    /// `$input.json('$')` is the same but for escapes in strings, which it normalises.
    pub(super) fn validate(&self, headers: &HeaderMap, body: &[u8]) -> Result<String, EdgeError> {
        if !is_json(headers) {
            return Err(EdgeError::MediaType);
        }
        self.validate_body(body).map_err(EdgeError::Body)
    }

    fn validate_body(&self, body: &[u8]) -> Result<String, String> {
        let text = str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
        let not_json = |error| format!("it is not JSON ({error})");
        let click: Value = serde_json::from_str(text).map_err(not_json)?;
        let errors: Vec<String> = self.0.iter_errors(&click).take(MOST_ERRORS).map(|error| describe(&error)).collect();
        if !errors.is_empty() {
            return Err(errors.join("; "));
        }
        let fields: Fields<'_> = serde_json::from_str(text).map_err(not_json)?;
        // API Gateway validates the last of them. A reader of the record might use the first.
        if fields.names().count() != click.as_object().map_or(0, serde_json::Map::len) {
            return Err("a field is in it twice".to_owned());
        }
        Ok(minified(text))
    }
}

/// What is wrong, without values of the visitor: every name and number is the schema's.
fn describe(error: &ValidationError<'_>) -> String {
    // Only a field of the schema has a path. An unknown field is an error of the whole.
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
