//! `PUT` and `OPTIONS /clicks`, as module 5's API Gateway, with validation of the body, a size and a rate.

use std::sync::Arc;

use anyhow::Context;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::put;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governor::Quota;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator, draft4};
use serde_json::{Value, json};

use super::reader::{EdgeError, RequestReader, json_text};
use super::{unknown_method, with_cors};
use firehose_model::fields::{Fields, minified};
use local_firehose::http::BodyMemory;
use local_firehose::stream::DeliveryStream;

/// The largest valid click has 1.6 KiB: all of it escaped, 64 characters as two times `\uXXXX` each and 128 as one.
const LONGEST_CLICK: usize = 8 * 1024;

const SCHEMA: &str = include_str!("../../../../infra/click.schema.json");

const MOST_ERRORS: usize = 5;

struct Clicks {
    stream: DeliveryStream,
    schema: Validator,
    reader: RequestReader,
}

impl Clicks {
    async fn read(&self, request: Request) -> Result<String, EdgeError> {
        let (head, body) = self.reader.read(request).await?;
        validate(&self.schema, &head.headers, &body)
    }
}

pub(super) fn router(stream: DeliveryStream, rate: Quota, memory: &BodyMemory) -> anyhow::Result<Router> {
    let reader = RequestReader::new(rate, LONGEST_CLICK, memory);
    let clicks = Clicks { stream, schema: click_schema()?, reader };
    let routes = put(put_click)
        .options(async |State(clicks): State<Arc<Clicks>>| clicks.reader.preflight())
        .fallback(unknown_method)
        .layer(map_response(async |response: Response| with_cors(response, "OPTIONS,PUT")));
    Ok(Router::new().route("/clicks", routes).with_state(Arc::new(clicks)))
}

async fn put_click(State(clicks): State<Arc<Clicks>>, request: Request) -> Result<Json<Value>, EdgeError> {
    let click = clicks.read(request).await.inspect_err(|refused| clicks.stream.refuse(1, refused.reason()))?;
    clicks.stream.put(vec![STANDARD.encode(click)]).await.pop().ok_or(EdgeError::Unavailable)??;
    Ok(Json(json!({"status": "OK"})))
}

fn click_schema() -> anyhow::Result<Validator> {
    let schema = serde_json::from_str(SCHEMA).context("infra/click.schema.json is not JSON")?;
    // API Gateway supports draft 4 only.
    draft4::new(&schema).context("infra/click.schema.json is not a JSON schema of draft 4")
}

/// The click's JSON without white space around tokens. API Gateway's `$input.json('$')` also normalises escapes in strings.
fn validate(schema: &Validator, headers: &HeaderMap, body: &[u8]) -> Result<String, EdgeError> {
    let text = json_text(headers, body)?;
    let not_json = |error| EdgeError::Body(format!("it is not JSON ({error})"));
    let click: Value = serde_json::from_str(text).map_err(not_json)?;
    let errors: Vec<String> = schema.iter_errors(&click).take(MOST_ERRORS).map(|error| describe(&error)).collect();
    if !errors.is_empty() {
        return Err(EdgeError::Body(errors.join("; ")));
    }
    let fields: Fields<'_> = serde_json::from_str(text).map_err(not_json)?;
    // API Gateway validates the last of them. A reader of the record might use the first.
    if fields.names().count() != click.as_object().map_or(0, serde_json::Map::len) {
        return Err(EdgeError::Body("a field is in it twice".to_owned()));
    }
    Ok(minified(text))
}

/// Without values of the visitor: every name and number is the schema's.
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
