//! Why a call is refused, in the form in which AWS says it.

use axum::http::StatusCode;
use runtime_api::ACCOUNT;
use serde::Serialize;

use super::call::{READ_TIMEOUT, Service};
use firehose_model::excerpt::excerpt;

/// A call that changed nothing; each is shown as its message. Codes and statuses without a source are those of AWS's API
/// references and service models.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The body isn't JSON, or a value in it is not of its type. Where AWS has no message, there is none.
    #[error("{}", .0.as_deref().unwrap_or_default())]
    Serialization(Option<String>),
    /// What is asked breaks constraints of the service model.
    #[error("{0}")]
    Validation(String),
    /// What is asked is in order by itself, and not here.
    #[error("{0}")]
    InvalidArgument(String),
    /// The body is so large that it was not looked into.
    #[error("the request's body is larger than {}", .0.largest_body)]
    BodyTooLarge(&'static Service),
    /// The body did not come in time.
    #[error("the request's body did not come within {} seconds", READ_TIMEOUT.as_secs())]
    TooSlow,
    /// The body is in the binary form that AWS's older Java clients prefer.
    #[error(
        "this local {} reads JSON, not CBOR: set AWS_CBOR_DISABLE=1 for the AWS SDK for Java",
        .0.short_name
    )]
    Cbor(&'static Service),
    /// A page in a browser asks, wherever it is from: it would get past the edge. SDKs send no `Origin`.
    #[error("a web page may not put records: its way in is {}", .0.way_of_pages)]
    FromAPage(&'static Service),
    /// There is no stream of that name.
    #[error("{kind} {name} under account {ACCOUNT} not found.")]
    NotFound {
        /// What the service calls a stream.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The operation is not served here, or is none.
    #[error(
        "there is no {} here, only {}: the streams of this local {} come from its options",
        excerpt(.operation, 64), .service.operations, .service.short_name
    )]
    UnknownOperation {
        /// Who does not serve it.
        service: &'static Service,
        /// The operation.
        operation: String,
    },
    /// The request doesn't say which operation it is for.
    #[error(
        "the header X-Amz-Target must name an operation, such as {}{}",
        .0.target_prefix, .0.operation
    )]
    NoOperation(&'static Service),
    /// Somebody looks what is on this port.
    #[error(
        "this is the API of a local {}: give its address to the AWS CLI or an SDK as the endpoint URL, \
         with any region and any credentials; streams: {streams}", .service.name
    )]
    NotTheApi {
        /// What it is.
        service: &'static Service,
        /// The names of the streams that there are.
        streams: String,
    },
    /// The delivery stream's backlog is full. The text and the status 500 were seen of Firehose.
    #[error("Slow down.")]
    Busy,
    /// A shard takes no more at the moment. The text was seen of Kinesis.
    #[error("{0}")]
    ThroughputExceeded(String),
    /// What was asked would have been done, had it not been asked to do nothing.
    #[error("The request was rejected because the DryRun parameter was specified.")]
    DryRun,
    /// The stream is stopping, or its state can't be written. AWS gives no message with it.
    #[error("")]
    InternalFailure,
}

impl Refusal {
    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotTheApi { .. } => StatusCode::NOT_FOUND,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::FromAPage(_) => StatusCode::FORBIDDEN,
            // A fault of the service that names no other status is a 500, which every SDK tries again.
            Self::Busy | Self::InternalFailure => StatusCode::INTERNAL_SERVER_ERROR,
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

    /// What an SDK takes for the error's name.
    pub(super) fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Serialization(_) | Self::Cbor(_) => "SerializationException",
            Self::Validation(_) => "ValidationException",
            Self::InvalidArgument(_) => "InvalidArgumentException",
            Self::NotFound { .. } => "ResourceNotFoundException",
            Self::UnknownOperation { .. } | Self::NoOperation(_) | Self::NotTheApi { .. } => {
                "UnknownOperationException"
            }
            Self::TooSlow => "RequestTimeoutException",
            Self::FromAPage(_) => "AccessDeniedException",
            Self::Busy => "ServiceUnavailableException",
            Self::ThroughputExceeded(_) => "ProvisionedThroughputExceededException",
            Self::DryRun => "DryRunOperationException",
            Self::InternalFailure => "InternalFailure",
            // Seen of Firehose: boto3 shows the status in the place of a code, which it does where there is none.
            Self::BodyTooLarge(_) => return None,
        })
    }

    /// The response's body.
    pub(super) fn body(&self) -> Vec<u8> {
        /// In AWS's own order. What its framework finds while it reads a body has a capital M: probed on Kinesis by the
        /// kinesalite project, on Athena by others.
        #[derive(Serialize)]
        struct Body {
            #[serde(rename = "__type", skip_serializing_if = "Option::is_none")]
            code: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<String>,
            #[serde(rename = "Message", skip_serializing_if = "Option::is_none")]
            framework_message: Option<String>,
        }

        let message = Some(self.to_string()).filter(|message| !message.is_empty());
        let (message, framework_message) = match self {
            Self::Serialization(_) => (None, message),
            _ => (message, None),
        };
        serde_json::to_vec(&Body { code: self.code(), message, framework_message }).unwrap_or_default()
    }
}

/// The body of an answer.
pub(super) fn json(answer: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(answer).map_err(|_unwritable| Refusal::InternalFailure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{firehose, kinesis};

    #[test]
    fn each_is_told_as_aws_tells_it() {
        for (refusal, status, body) in [
            (
                Refusal::NotFound { kind: "Firehose", name: "nobody".into() },
                400,
                r#"{"__type":"ResourceNotFoundException","message":"Firehose nobody under account 000000000000 not found."}"#,
            ),
            (Refusal::Serialization(None), 400, r#"{"__type":"SerializationException"}"#),
            (
                Refusal::Serialization(Some("Expected null".into())),
                400,
                r#"{"__type":"SerializationException","Message":"Expected null"}"#,
            ),
            (
                Refusal::Validation("1 validation error detected: …".into()),
                400,
                r#"{"__type":"ValidationException","message":"1 validation error detected: …"}"#,
            ),
            (
                Refusal::InvalidArgument("Records size exceeds 4 MB limit".into()),
                400,
                r#"{"__type":"InvalidArgumentException","message":"Records size exceeds 4 MB limit"}"#,
            ),
            (Refusal::Busy, 500, r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#),
            (Refusal::InternalFailure, 500, r#"{"__type":"InternalFailure"}"#),
            (
                Refusal::NotFound { kind: "Stream", name: "nobody".into() },
                400,
                r#"{"__type":"ResourceNotFoundException","message":"Stream nobody under account 000000000000 not found."}"#,
            ),
            (
                Refusal::ThroughputExceeded("Rate exceeded for shard …".into()),
                400,
                r#"{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded for shard …"}"#,
            ),
            (
                Refusal::DryRun,
                400,
                concat!(
                    r#"{"__type":"DryRunOperationException","#,
                    r#""message":"The request was rejected because the DryRun parameter was specified."}"#
                ),
            ),
            (
                Refusal::Cbor(&kinesis::SERVICE),
                400,
                concat!(
                    r#"{"__type":"SerializationException","message":"this local Kinesis reads JSON, not CBOR: "#,
                    r#"set AWS_CBOR_DISABLE=1 for the AWS SDK for Java"}"#
                ),
            ),
            (
                Refusal::FromAPage(&kinesis::SERVICE),
                403,
                r#"{"__type":"AccessDeniedException","message":"a web page may not put records: its way in is POST /v2/STREAM"}"#,
            ),
            (
                Refusal::BodyTooLarge(&firehose::SERVICE),
                413,
                r#"{"message":"the request's body is larger than a batch can be: 500 records, 4 MiB of data before base64"}"#,
            ),
            (
                Refusal::TooSlow,
                408,
                r#"{"__type":"RequestTimeoutException","message":"the request's body did not come within 30 seconds"}"#,
            ),
            (
                Refusal::FromAPage(&firehose::SERVICE),
                403,
                r#"{"__type":"AccessDeniedException","message":"a web page may not put records: its way in is PUT /clicks"}"#,
            ),
            (
                Refusal::UnknownOperation { service: &firehose::SERVICE, operation: "CreateDeliveryStream".into() },
                400,
                concat!(
                    r#"{"__type":"UnknownOperationException","message":"there is no CreateDeliveryStream here, only PutRecord, "#,
                    "PutRecordBatch, DescribeDeliveryStream and ListDeliveryStreams: ",
                    r#"the streams of this local Firehose come from its options"}"#
                ),
            ),
            (
                Refusal::NoOperation(&firehose::SERVICE),
                400,
                concat!(
                    r#"{"__type":"UnknownOperationException","message":"#,
                    r#""the header X-Amz-Target must name an operation, such as Firehose_20150804.PutRecordBatch"}"#
                ),
            ),
            (
                Refusal::NotTheApi { service: &firehose::SERVICE, streams: "a, b".into() },
                404,
                concat!(
                    r#"{"__type":"UnknownOperationException","message":"this is the API of a local Amazon Data Firehose: "#,
                    "give its address to the AWS CLI or an SDK as the endpoint URL, with any region and any credentials; ",
                    r#"streams: a, b"}"#
                ),
            ),
        ] {
            assert_eq!(refusal.status().as_u16(), status, "{refusal:?}");
            assert_eq!(String::from_utf8(refusal.body()).unwrap(), body);
        }
    }
}
