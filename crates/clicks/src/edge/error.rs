//! Errors of the edge, with the status and message of API Gateway's (API Gateway developer guide, "Gateway response types").

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum EdgeError {
    /// Over the rate, or Firehose's backlog is full. Without `Retry-After`, as API Gateway's.
    #[error("Too Many Requests")]
    TooManyRequests,
    #[error("Request Too Long")]
    TooLong,
    /// The body did not arrive in time. The message is an assumption: API Gateway closes the connection without one.
    #[error("Request Timeout")]
    BodyTimeout,
    #[error("Unsupported Media Type")]
    MediaType,
    /// The body is invalid. Unlike API Gateway's `$context.error.validationErrorString`, the reason has no values of the visitor.
    #[error("Invalid request body: {0}")]
    Body(String),
    #[error("Invalid partition key: {0}")]
    PartitionKey(String),
    #[error("Not Found")]
    UnknownStream,
    /// API Gateway reports an unknown method as a missing signature.
    #[error("Missing Authentication Token")]
    UnknownMethod,
    /// Firehose or Kinesis is stopping, or could not store the record.
    #[error("Service Unavailable")]
    Unavailable,
    /// The function failed, or its response is invalid.
    #[error("Internal server error")]
    FunctionFailed,
    #[error("Endpoint request timed out")]
    FunctionTimeout,
}

impl EdgeError {
    fn status(&self) -> StatusCode {
        match self {
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(_) | Self::PartitionKey(_) => StatusCode::BAD_REQUEST,
            Self::UnknownStream => StatusCode::NOT_FOUND,
            Self::UnknownMethod => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::FunctionFailed => StatusCode::BAD_GATEWAY,
            Self::FunctionTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl IntoResponse for EdgeError {
    fn into_response(self) -> Response {
        let body = match self {
            // API Gateway writes a space into these two.
            Self::FunctionFailed | Self::FunctionTimeout => format!("{{\"message\": \"{self}\"}}"),
            _ => json!({"message": self.to_string()}).to_string(),
        };
        (self.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
