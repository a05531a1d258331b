//! Reads the requests, and writes the responses, of AWS's JSON 1.1 protocol and of its CBOR form.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::caller::scope_of;
use super::cbor::{self, CborError};
use crate::http::{BodyBytes, BodyError, BodyLimits, BodyMemory, BodyReader};
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
        let message = format!(
            "unsupported operation {}: this local {} supports {}",
            excerpt(operation, 64),
            self.short_name,
            self.operations
        );
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
    pub(super) body: BodyBytes,
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
        Ok(Call { operation: operation.to_owned(), body, caller: scope_of(&head.headers) })
    }

    /// A body of CBOR as JSON, with the same limits.
    fn converted(&self, body: &BodyBytes) -> Result<BodyBytes, ApiError> {
        let Service { short_name, has_cbor, max_body_bytes, .. } = *self.service;
        if !has_cbor {
            let message = format!("Content-Type: found {CBOR}; this local {short_name} accepts JSON, {JSON}");
            return Err(ApiError::serialization(message));
        }
        let json = cbor::to_json(body, max_body_bytes).map_err(|error| match error {
            CborError::TooLarge => self.service.unread_body(BodyError::TooLarge),
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
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
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
    match result {
        Ok(Value::Null) => (StatusCode::OK, Vec::new()),
        Ok(body) if is_cbor => (StatusCode::OK, cbor::from_json(&body)),
        Ok(body) => (StatusCode::OK, body.to_string().into_bytes()),
        Err(error) if is_cbor => (error.status, cbor::from_json(&error.without_position())),
        Err(error) => (error.status, serde_json::to_vec(&error).unwrap_or_default()),
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

    /// Its body, without the position in the JSON of a request that was not JSON.
    fn without_position(mut self) -> Value {
        if let Some(end) = self.message.find(" at line 1 column ") {
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
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use serde::Deserialize;

    use super::*;
    use crate::api::{firehose, kinesis};

    /// The error for a request with one header and no body, of an API with two streams.
    async fn refused(service: &'static Service, method: Method, name: &str, value: &str) -> ApiError {
        let request = Request::builder().method(method).header(name, value).body(Body::empty()).unwrap();
        let streams = || vec!["a".to_owned(), "b".to_owned()];
        RequestReader::new(service, &BodyMemory::default()).read(request, streams).await.map(drop).unwrap_err()
    }

    #[tokio::test]
    async fn each_error_has_the_status_and_body_of_aws() {
        let (firehose, kinesis) = (&firehose::SERVICE, &kinesis::SERVICE);
        for (error, status, body) in [
            (
                ApiError::not_found("Firehose", "missing", &Scope::default()),
                400,
                r#"{"__type":"ResourceNotFoundException","message":"Firehose missing under account 000000000000 not found."}"#,
            ),
            (
                ApiError::serialization("trailing comma"),
                400,
                r#"{"__type":"SerializationException","message":"trailing comma"}"#,
            ),
            (
                ApiError::validation("1 validation error detected: …"),
                400,
                r#"{"__type":"ValidationException","message":"1 validation error detected: …"}"#,
            ),
            (
                ApiError::invalid_argument("Records size exceeds 4 MB limit"),
                400,
                r#"{"__type":"InvalidArgumentException","message":"Records size exceeds 4 MB limit"}"#,
            ),
            (ApiError::internal_failure(), 500, r#"{"__type":"InternalFailure"}"#),
            (
                ApiError::not_found("Stream", "missing", &Scope::default()),
                400,
                r#"{"__type":"ResourceNotFoundException","message":"Stream missing under account 000000000000 not found."}"#,
            ),
            (
                refused(kinesis, Method::POST, "content-type", CBOR).await,
                400,
                r#"{"__type":"SerializationException","message":"invalid CBOR: end of input bytes"}"#,
            ),
            (
                refused(firehose, Method::POST, "content-type", CBOR).await,
                400,
                concat!(
                    r#"{"__type":"SerializationException","message":"Content-Type: found application/x-amz-cbor-1.1; "#,
                    r#"this local Firehose accepts JSON, application/x-amz-json-1.1"}"#
                ),
            ),
            (
                refused(kinesis, Method::POST, "origin", "null").await,
                403,
                r#"{"__type":"AccessDeniedException","message":"a web page may not put records here: use POST /v2/STREAM"}"#,
            ),
            (
                firehose.unread_body(BodyError::TooLarge),
                413,
                r#"{"message":"the request's body is larger than a batch can be: 500 records, 4 MiB of data before base64"}"#,
            ),
            (
                firehose.unread_body(BodyError::Timeout(TIMEOUT)),
                408,
                r#"{"__type":"RequestTimeoutException","message":"the body did not arrive within 30 seconds"}"#,
            ),
            (
                firehose.unread_body(BodyError::TooSlow),
                408,
                r#"{"__type":"RequestTimeoutException","message":"the body arrived at less than 1024 bytes per second"}"#,
            ),
            (
                kinesis.unread_body(BodyError::NoMemory),
                503,
                r#"{"__type":"ServiceUnavailableException","message":"the bodies of other requests take all of the memory"}"#,
            ),
            (
                refused(firehose, Method::POST, "origin", "null").await,
                403,
                r#"{"__type":"AccessDeniedException","message":"a web page may not put records here: use PUT /clicks"}"#,
            ),
            (
                firehose.unknown_operation("PutRecords"),
                400,
                concat!(
                    r#"{"__type":"UnknownOperationException","message":"unsupported operation PutRecords: "#,
                    "this local Firehose supports PutRecord, PutRecordBatch, CreateDeliveryStream, DeleteDeliveryStream, ",
                    "DescribeDeliveryStream, ListDeliveryStreams, ListTagsForDeliveryStream, TagDeliveryStream, ",
                    r#"UntagDeliveryStream and UpdateDestination"}"#
                ),
            ),
            (
                refused(firehose, Method::POST, "x-amz-target", "Kinesis_20131202.PutRecord").await,
                400,
                concat!(
                    r#"{"__type":"UnknownOperationException","message":"#,
                    r#""the header X-Amz-Target must name an operation, such as Firehose_20150804.PutRecordBatch"}"#
                ),
            ),
            (
                refused(firehose, Method::GET, "accept", "*/*").await,
                404,
                concat!(
                    r#"{"__type":"UnknownOperationException","message":"this is the API of a local Amazon Data Firehose: "#,
                    "give its address to the AWS CLI or an SDK as the endpoint URL, with any region and any credentials; ",
                    r#"streams: a, b"}"#
                ),
            ),
        ] {
            assert_eq!(error.status.as_u16(), status, "{error:?}");
            assert_eq!(serde_json::to_string(&error).unwrap(), body);
        }
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        text: Option<String>,
        list: Option<Vec<Option<i64>>>,
    }

    #[test]
    fn null_is_nothing_and_unknown_fields_are_ignored() {
        let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
        for (body, text, list) in [
            ("{}", None, None),
            (r#" {"Text":null,"List":[null,5]} "#, None, Some(vec![None, Some(5)])),
            (&format!(r#"{{"text":5,"Other":{nested},"Text":"a"}}"#), Some("a".to_owned()), None),
        ] {
            assert_eq!(parse::<Input>(body.as_bytes()), Ok(Input { text, list }), "{body}");
        }
    }

    #[test]
    fn other_bodies_are_serialization_errors_with_their_place() {
        for (body, message) in [
            (&b""[..], "EOF while parsing a value at line 1 column 0"),
            (b"null", "invalid type: null, expected struct Input at line 1 column 4"),
            (br#"{"Text":5}"#, "invalid type: integer `5`, expected a string at line 1 column 9"),
            (br#"{"List":"a"}"#, "invalid type: string \"a\", expected a sequence at line 1 column 11"),
            (br#"{"Text":"a",}"#, "trailing comma at line 1 column 13"),
        ] {
            assert_eq!(parse::<Input>(body), Err(ApiError::serialization(message)));
        }
        assert!(parse::<Input>(b"{\"Text\":\"\xff\"}").is_err());
    }
}
