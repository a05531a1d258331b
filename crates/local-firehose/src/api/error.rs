//! The errors of the APIs, in AWS's form. Codes and statuses without a source are those of AWS's API references and service models.

use axum::http::StatusCode;
use runtime_api::ACCOUNT;
use serde::Serialize;

/// Serialized as the body of a response.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ApiError {
    #[serde(skip)]
    pub(super) status: StatusCode,
    /// The name of the exception in an SDK.
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

    /// The body is not JSON, or a value has another type.
    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::bad_request("SerializationException", message)
    }

    /// The request violates constraints of the service model.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::bad_request("ValidationException", message)
    }

    /// The request is valid by itself, but not for this stream.
    pub(super) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::bad_request("InvalidArgumentException", message)
    }

    pub(super) fn not_found(kind: &str, name: &str) -> Self {
        Self::bad_request("ResourceNotFoundException", format!("{kind} {name} under account {ACCOUNT} not found."))
    }

    /// The stream is stopping, or its state cannot be written. AWS sends no message, and every SDK retries a 500.
    pub(super) fn internal_failure() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "")
    }
}
