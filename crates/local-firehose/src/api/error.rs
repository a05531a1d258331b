//! The errors of the APIs, in AWS's form.

use axum::http::StatusCode;
use runtime_api::ACCOUNT;
use serde::Serialize;

use super::service::Service;
use crate::http::BodyError;
use firehose_model::excerpt::excerpt;

/// Why a call failed. Each is displayed as its message. Codes and statuses without a source are those of AWS's API references and
/// service models.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// The body is not JSON, or a value has another type.
    #[error("{0}")]
    Serialization(String),
    /// The request violates constraints of the service model.
    #[error("{0}")]
    Validation(String),
    /// The request is valid by itself, but not for this stream.
    #[error("{0}")]
    InvalidArgument(String),
    /// The body is too large to be parsed.
    #[error("the request's body is larger than {}", .0.largest_body)]
    BodyTooLarge(&'static Service),
    /// The body did not arrive in time.
    #[error("{0}")]
    Timeout(BodyError),
    /// The body is CBOR, which the AWS SDK for Java sends to Kinesis by default.
    #[error(
        "this local {} reads JSON, not CBOR: set AWS_CBOR_DISABLE=1 for the AWS SDK for Java",
        .0.short_name
    )]
    Cbor(&'static Service),
    /// The request is from a web page, which would bypass the edge. SDKs send no `Origin`.
    #[error("a web page may not put records here: use {}", .0.page_endpoint)]
    FromAPage(&'static Service),
    /// There is no stream of that name.
    #[error("{kind} {name} under account {ACCOUNT} not found.")]
    NotFound { kind: &'static str, name: String },
    /// The operation is not supported.
    #[error(
        "unsupported operation {}: this local {} supports {}, and its streams are configured at its start",
        excerpt(.operation, 64), .service.short_name, .service.operations
    )]
    UnknownOperation { service: &'static Service, operation: String },
    /// The request names no operation.
    #[error(
        "the header X-Amz-Target must name an operation, such as {}{}",
        .0.target_prefix, .0.operation
    )]
    NoOperation(&'static Service),
    /// The request is no call of the API, such as a browser's.
    #[error(
        "this is the API of a local {}: give its address to the AWS CLI or an SDK as the endpoint URL, \
         with any region and any credentials; streams: {streams}", .service.name
    )]
    NotTheApi { service: &'static Service, streams: String },
    /// The delivery stream's backlog is full. The text and the status 500 were seen of Firehose.
    #[error("Slow down.")]
    ServiceUnavailable,
    /// A shard's write limit is exceeded. The text was seen of Kinesis.
    #[error("{0}")]
    ThroughputExceeded(String),
    /// The request was a dry run.
    #[error("The request was rejected because the DryRun parameter was specified.")]
    DryRun,
    /// The stream is stopping, or its state cannot be written. AWS sends no message.
    #[error("")]
    InternalFailure,
}

impl ApiError {
    pub(super) fn of_body(error: &BodyError, service: &'static Service) -> Self {
        match error {
            BodyError::TooLarge => Self::BodyTooLarge(service),
            BodyError::Timeout(_) => Self::Timeout(*error),
            BodyError::Incomplete => Self::Serialization(error.to_string()),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotTheApi { .. } => StatusCode::NOT_FOUND,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::FromAPage(_) => StatusCode::FORBIDDEN,
            // Every SDK retries a 500.
            Self::ServiceUnavailable | Self::InternalFailure => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Serialization(_)
            | Self::Validation(_)
            | Self::InvalidArgument(_)
            | Self::Cbor(_)
            | Self::NotFound { .. }
            | Self::ThroughputExceeded(_)
            | Self::DryRun
            | Self::UnknownOperation { .. }
            | Self::NoOperation(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The name of the exception in an SDK.
    pub(super) fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Serialization(_) | Self::Cbor(_) => "SerializationException",
            Self::Validation(_) => "ValidationException",
            Self::InvalidArgument(_) => "InvalidArgumentException",
            Self::NotFound { .. } => "ResourceNotFoundException",
            Self::UnknownOperation { .. } | Self::NoOperation(_) | Self::NotTheApi { .. } => {
                "UnknownOperationException"
            }
            Self::Timeout(_) => "RequestTimeoutException",
            Self::FromAPage(_) => "AccessDeniedException",
            Self::ServiceUnavailable => "ServiceUnavailableException",
            Self::ThroughputExceeded(_) => "ProvisionedThroughputExceededException",
            Self::DryRun => "DryRunOperationException",
            Self::InternalFailure => "InternalFailure",
            // AttemptReport of Firehose: boto3 shows the status in the place of a code, which it does where there is none.
            Self::BodyTooLarge(_) => return None,
        })
    }

    pub(super) fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body {
            #[serde(rename = "__type", skip_serializing_if = "Option::is_none")]
            code: Option<&'static str>,
            #[serde(skip_serializing_if = "String::is_empty")]
            message: String,
        }

        serde_json::to_vec(&Body { code: self.code(), message: self.to_string() }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::{firehose, kinesis};

    #[test]
    fn each_has_the_status_and_body_of_aws() {
        for (error, status, body) in [
            (
                ApiError::NotFound { kind: "Firehose", name: "missing".into() },
                400,
                r#"{"__type":"ResourceNotFoundException","message":"Firehose missing under account 000000000000 not found."}"#,
            ),
            (
                ApiError::Serialization("trailing comma".into()),
                400,
                r#"{"__type":"SerializationException","message":"trailing comma"}"#,
            ),
            (
                ApiError::Validation("1 validation error detected: …".into()),
                400,
                r#"{"__type":"ValidationException","message":"1 validation error detected: …"}"#,
            ),
            (
                ApiError::InvalidArgument("Records size exceeds 4 MB limit".into()),
                400,
                r#"{"__type":"InvalidArgumentException","message":"Records size exceeds 4 MB limit"}"#,
            ),
            (ApiError::ServiceUnavailable, 500, r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#),
            (ApiError::InternalFailure, 500, r#"{"__type":"InternalFailure"}"#),
            (
                ApiError::NotFound { kind: "Stream", name: "missing".into() },
                400,
                r#"{"__type":"ResourceNotFoundException","message":"Stream missing under account 000000000000 not found."}"#,
            ),
            (
                ApiError::ThroughputExceeded("Rate exceeded for shard …".into()),
                400,
                r#"{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded for shard …"}"#,
            ),
            (
                ApiError::DryRun,
                400,
                concat!(
                    r#"{"__type":"DryRunOperationException","#,
                    r#""message":"The request was rejected because the DryRun parameter was specified."}"#
                ),
            ),
            (
                ApiError::Cbor(&kinesis::SERVICE),
                400,
                concat!(
                    r#"{"__type":"SerializationException","message":"this local Kinesis reads JSON, not CBOR: "#,
                    r#"set AWS_CBOR_DISABLE=1 for the AWS SDK for Java"}"#
                ),
            ),
            (
                ApiError::FromAPage(&kinesis::SERVICE),
                403,
                r#"{"__type":"AccessDeniedException","message":"a web page may not put records here: use POST /v2/STREAM"}"#,
            ),
            (
                ApiError::BodyTooLarge(&firehose::SERVICE),
                413,
                r#"{"message":"the request's body is larger than a batch can be: 500 records, 4 MiB of data before base64"}"#,
            ),
            (
                ApiError::Timeout(BodyError::Timeout(Duration::from_secs(30))),
                408,
                r#"{"__type":"RequestTimeoutException","message":"the body did not arrive within 30 seconds"}"#,
            ),
            (
                ApiError::FromAPage(&firehose::SERVICE),
                403,
                r#"{"__type":"AccessDeniedException","message":"a web page may not put records here: use PUT /clicks"}"#,
            ),
            (
                ApiError::UnknownOperation { service: &firehose::SERVICE, operation: "CreateDeliveryStream".into() },
                400,
                concat!(
                    r#"{"__type":"UnknownOperationException","message":"unsupported operation CreateDeliveryStream: this local "#,
                    "Firehose supports PutRecord, PutRecordBatch, DescribeDeliveryStream and ListDeliveryStreams, ",
                    r#"and its streams are configured at its start"}"#
                ),
            ),
            (
                ApiError::NoOperation(&firehose::SERVICE),
                400,
                concat!(
                    r#"{"__type":"UnknownOperationException","message":"#,
                    r#""the header X-Amz-Target must name an operation, such as Firehose_20150804.PutRecordBatch"}"#
                ),
            ),
            (
                ApiError::NotTheApi { service: &firehose::SERVICE, streams: "a, b".into() },
                404,
                concat!(
                    r#"{"__type":"UnknownOperationException","message":"this is the API of a local Amazon Data Firehose: "#,
                    "give its address to the AWS CLI or an SDK as the endpoint URL, with any region and any credentials; ",
                    r#"streams: a, b"}"#
                ),
            ),
        ] {
            assert_eq!(error.status().as_u16(), status, "{error:?}");
            assert_eq!(String::from_utf8(error.body()).unwrap(), body);
        }
    }
}
