//! Reads the requests, and writes the responses, of AWS's JSON 1.1 protocol and of its CBOR form.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::caller::scope_of;
use super::cbor::{self, CborError};
use crate::http::{BodyError, BodyLimits, BodyMemory, BodyReader};
use firehose_model::excerpt::excerpt;
use firehose_model::scope::Scope;

/// How much of a body that is too large is read, so that its client gets a response instead of a broken connection.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);
const UNKNOWN_OPERATION: &str = "UnknownOperationException";
/// Kinesis has no such limit. Consumers know how to wait after its code for too many reads.
const RESPONSES_FULL: &str =
    "The responses that other clients have not read take all of the memory of this local Kinesis.";
/// The header that names an API and its operation.
pub(super) const TARGET: &str = "x-amz-target";
const CBOR: &str = "application/x-amz-cbor-1.1";
const JSON: &str = "application/x-amz-json-1.1";

pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) short_name: &'static str,
    pub(super) target_prefix: &'static str,
    pub(super) operations: &'static str,
    pub(super) operation: &'static str,
    pub(super) max_body_bytes: usize,
    pub(super) largest_body: &'static str,
    pub(super) page_endpoint: &'static str,
    pub(super) has_cbor: bool,
}

impl Service {
    fn unread_body(&self, error: BodyError) -> ApiError {
        match error {
            // Seen of Firehose: boto3 shows the status in the place of a code, which it does where there is none.
            BodyError::TooLarge => ApiError {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                code: None,
                message: format!("the request's body is larger than {}", self.largest_body),
            },
            BodyError::Timeout(_) | BodyError::TooSlow => {
                ApiError::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", error.to_string())
            }
            // Every SDK retries a 503.
            BodyError::NoMemory => {
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", error.to_string())
            }
            BodyError::Incomplete => ApiError::serialization(error.to_string()),
        }
    }

    pub(super) fn unknown_operation(&self, operation: &str) -> ApiError {
        let Self { short_name, operations, .. } = self;
        let operation = excerpt(operation, 64);
        let message = format!("unsupported operation {operation}: this local {short_name} supports {operations}");
        ApiError::bad_request(UNKNOWN_OPERATION, message)
    }

    /// An operation of AWS that other emulators accept without an effect.
    pub(super) fn unsupported(&self, operation: &str, reason: &str) -> ApiError {
        let name = self.short_name;
        ApiError::invalid_argument(format!("{operation} is not supported by this local {name}: {reason}"))
    }
}

pub(super) struct Call {
    pub(super) operation: String,
    pub(super) body: Bytes,
    /// The region and the account of ARNs in the response, and of those that the request names.
    pub(super) caller: Scope,
}

pub(super) struct RequestReader {
    service: &'static Service,
    bodies: BodyReader,
}

impl RequestReader {
    pub(super) fn new(service: &'static Service, memory: &BodyMemory) -> Self {
        let limits =
            BodyLimits { max_bytes: service.max_body_bytes, max_discarded: MAX_DISCARDED_BYTES, timeout: TIMEOUT };
        Self { service, bodies: BodyReader::new(limits, memory.clone()) }
    }

    /// `streams` are the names of the streams that the API has.
    pub(super) async fn read(
        &self,
        request: Request,
        streams: impl FnOnce() -> Vec<String> + Send,
    ) -> Result<Call, ApiError> {
        let Service { name, target_prefix, operation, page_endpoint, .. } = self.service;
        let (head, body) = request.into_parts();
        if head.method != Method::POST || head.uri.path() != "/" {
            self.bodies.discard(&head.headers, body);
            let streams = streams().join(", ");
            let message = format!(
                "this is the API of a local {name}: give its address to the AWS CLI or an SDK as the endpoint URL, \
                 with any region and any credentials; streams: {streams}"
            );
            return Err(ApiError::new(StatusCode::NOT_FOUND, UNKNOWN_OPERATION, message));
        }
        // A web page would bypass the edge. SDKs send no `Origin`.
        if head.headers.contains_key(ORIGIN) {
            self.bodies.discard(&head.headers, body);
            let message = format!("a web page may not put records here: use {page_endpoint}");
            return Err(ApiError::new(StatusCode::FORBIDDEN, "AccessDeniedException", message));
        }
        let mut body = self.bodies.read(body).await.map_err(|error| self.service.unread_body(error))?;
        if is_cbor(&head.headers) {
            body = self.converted(&body)?;
        }
        let Some(operation) = text(&head.headers, TARGET).strip_prefix(target_prefix) else {
            let message = format!("the header X-Amz-Target must name an operation, such as {target_prefix}{operation}");
            return Err(ApiError::bad_request(UNKNOWN_OPERATION, message));
        };
        let caller = scope_of(text(&head.headers, AUTHORIZATION.as_str()));
        Ok(Call { operation: operation.to_owned(), body, caller })
    }

    /// A body of CBOR as JSON, with the same limits.
    fn converted(&self, body: &[u8]) -> Result<Bytes, ApiError> {
        let Service { short_name, has_cbor, max_body_bytes, .. } = *self.service;
        if !has_cbor {
            let message = format!("Content-Type: found {CBOR}; this local {short_name} accepts JSON, {JSON}");
            return Err(ApiError::serialization(message));
        }
        let json = cbor::to_json(body, max_body_bytes).map_err(|error| match error {
            CborError::TooLarge(_) => self.service.unread_body(BodyError::TooLarge),
            CborError::Invalid(_) => ApiError::serialization(error.to_string()),
        })?;
        self.bodies.hold(json).map_err(|error| self.service.unread_body(error))
    }
}

/// Whether a request has the form of CBOR, which its response has then, too.
pub(super) fn is_cbor(headers: &HeaderMap) -> bool {
    text(headers, CONTENT_TYPE.as_str()).starts_with(CBOR)
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// As in AWS, unknown fields are ignored.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::serialization(error.to_string()))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age have 41 bits")]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// A response takes memory until its client has read it. Only those of GetRecords can be refused for that: others are smaller than what
/// takes none.
pub(super) fn response(result: Result<Value, ApiError>, is_cbor: bool, memory: &BodyMemory) -> Response {
    let (mut status, body) = encoded(result, is_cbor);
    let body = memory.hold_response(body).unwrap_or_else(|_full| {
        let full = ApiError::bad_request("ProvisionedThroughputExceededException", RESPONSES_FULL);
        let refused = encoded(Err(full), is_cbor);
        status = refused.0;
        refused.1.into()
    });
    let content_type = match status {
        _ if is_cbor => CBOR,
        // A browser displays this type.
        StatusCode::NOT_FOUND => "application/json",
        _ => JSON,
    };
    let headers = [("x-amzn-requestid", Uuid::new_v4().to_string()), (CONTENT_TYPE.as_str(), content_type.to_owned())];
    (status, headers, body).into_response()
}

/// An operation without an output, `null` here, has an empty body (probed on Kinesis by the kinesalite project).
fn encoded(result: Result<Value, ApiError>, is_cbor: bool) -> (StatusCode, Vec<u8>) {
    let bytes = |body: &Value| if is_cbor { cbor::from_json(body) } else { body.to_string().into_bytes() };
    match result {
        Ok(Value::Null) => (StatusCode::OK, Vec::new()),
        Ok(body) => (StatusCode::OK, bytes(&body)),
        Err(error) => (error.status, bytes(&error.body(is_cbor))),
    }
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ApiError {
    #[serde(skip)]
    pub(super) status: StatusCode,
    #[serde(rename = "__type", skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code: Some(code), message: message.into() }
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::bad_request("SerializationException", message)
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::bad_request("ValidationException", message)
    }

    pub(super) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::bad_request("InvalidArgumentException", message)
    }

    pub(super) fn not_found(kind: &str, name: &str, caller: &Scope) -> Self {
        let account = &caller.account;
        Self::bad_request("ResourceNotFoundException", format!("{kind} {name} under account {account} not found."))
    }

    /// In CBOR it has no position in JSON, which the request was not.
    fn body(mut self, is_cbor: bool) -> Value {
        if let Some(end) = self.message.find(" at line 1 column ").filter(|_| is_cbor) {
            self.message.truncate(end);
        }
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The stream is stopping, or its state cannot be written. AWS sends no message, and every SDK retries a 500.
    pub(super) fn internal_failure() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "")
    }
}

#[cfg(test)]
mod tests;
