//! Reads the requests, and writes the responses, of AWS's JSON 1.1 protocol.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::error::ApiError;
use super::service::Service;
use crate::http::{BodyLimits, BodyReader};

/// How much of a body that is too large is read, so that its client gets a response instead of a broken connection.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;

/// The time-out of a body.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An operation and its input.
pub(super) struct Call {
    pub(super) operation: String,
    pub(super) body: Vec<u8>,
}

pub(super) struct RequestReader {
    service: &'static Service,
    bodies: BodyReader,
}

impl RequestReader {
    pub(super) fn new(service: &'static Service) -> Self {
        let limits =
            BodyLimits { max_bytes: service.max_body_bytes, max_discarded: MAX_DISCARDED_BYTES, timeout: TIMEOUT };
        Self { service, bodies: BodyReader::new(limits) }
    }

    /// Reads a call. The error of any other request names the API and its streams.
    pub(super) async fn read<'a>(
        &self,
        request: Request,
        streams: impl Iterator<Item = &'a str>,
    ) -> Result<Call, ApiError> {
        let service = self.service;
        if request.method() != Method::POST || request.uri().path() != "/" {
            let streams = streams.collect::<Vec<_>>().join(", ");
            return Err(ApiError::NotTheApi { service, streams });
        }
        let (head, body) = request.into_parts();
        if head.headers.contains_key(ORIGIN) {
            return Err(ApiError::FromAPage(service));
        }
        let body = self.bodies.read(body).await.map_err(|error| ApiError::of_body(&error, service))?;
        if text(&head.headers, CONTENT_TYPE.as_str()).starts_with("application/x-amz-cbor") {
            return Err(ApiError::Cbor(service));
        }
        match text(&head.headers, "x-amz-target").strip_prefix(service.target_prefix) {
            Some(operation) => Ok(Call { operation: operation.to_owned(), body }),
            None => Err(ApiError::NoOperation(service)),
        }
    }

    pub(super) fn unknown_operation<T>(&self, operation: String) -> Result<T, ApiError> {
        Err(ApiError::UnknownOperation { service: self.service, operation })
    }
}

/// The value of a header, empty if there is none.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(super) fn response(result: Result<Vec<u8>, ApiError>) -> Response {
    let content_type = match &result {
        // A browser displays this type.
        Err(ApiError::NotTheApi { .. }) => "application/json",
        _ => "application/x-amz-json-1.1",
    };
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (error.status(), error.body()),
    };
    let headers = [("x-amzn-requestid", Uuid::new_v4().to_string()), (CONTENT_TYPE.as_str(), content_type.to_owned())];
    (status, headers, body).into_response()
}
