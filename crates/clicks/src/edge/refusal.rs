//! Why a request was not accepted, in API Gateway's words (API Gateway developer guide, "Gateway response types").

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// One answer that is a refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Past the rate, or past what Firehose takes: its backlog is full. Without `Retry-After`, as API Gateway's.
    #[error("Too Many Requests")]
    TooManyRequests,
    /// A body past the limit.
    #[error("Request Too Long")]
    TooLong,
    /// A body that did not come in time. The text is an assumption: API Gateway's front gives up without one.
    #[error("Request Timeout")]
    TooSlow,
    /// A content type that is not JSON's.
    #[error("Unsupported Media Type")]
    MediaType,
    /// A body that is no click. API Gateway's `$context.error.validationErrorString` tells the reason, too, but shows the
    /// visitor's values in it; this reason does not.
    #[error("Invalid request body: {0}")]
    Body(String),
    /// A partition key that Kinesis would not take.
    #[error("Invalid partition key: {0}")]
    PartitionKey(String),
    /// A stream that nobody has configured.
    #[error("Not Found")]
    NoSuchStream,
    /// A method that is not there: to API Gateway, any unknown way is one that might need a signature.
    #[error("Missing Authentication Token")]
    NoSuchMethod,
    /// Firehose or Kinesis did not take the record, because it stops or can't keep it.
    #[error("Service Unavailable")]
    Unavailable,
    /// A function that failed, or that answered what is no answer.
    #[error("Internal server error")]
    BadFunction,
    /// A function that did not answer in time.
    #[error("Endpoint request timed out")]
    SlowFunction,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(_) | Self::PartitionKey(_) => StatusCode::BAD_REQUEST,
            Self::NoSuchStream => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadFunction => StatusCode::BAD_GATEWAY,
            Self::SlowFunction => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = match self {
            // As API Gateway writes those that are about a function, with a space.
            Self::BadFunction | Self::SlowFunction => format!("{{\"message\": \"{self}\"}}"),
            _ => json!({"message": self.to_string()}).to_string(),
        };
        (self.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
