//! Responses to API Gateway and SQS.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use service_kit::env::shown;

use crate::record::BodyError;
use crate::stream::{PutError, PutOutcome};

/// The response of an invocation.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To a request.
    Http(HttpResponse),
    /// To messages: those that stay in the queue ("Implementing partial batch responses", AWS Lambda Developer Guide). Lambda reads them only
    /// if the event source mapping has `ReportBatchItemFailures`. Otherwise it deletes every message.
    #[serde(rename_all = "camelCase")]
    Batch {
        /// SQS delivers them again, until the redrive policy moves them to the dead-letter queue.
        batch_item_failures: Vec<BatchItemFailure>,
    },
}

/// An HTTP response in format 1.0 of API Gateway, which an HTTP API accepts, too.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpResponse {
    pub(crate) status_code: u16,
    #[serde(serialize_with = "as_map")]
    headers: Vec<(&'static str, Cow<'static, str>)>,
    body: Cow<'static, str>,
    is_base64_encoded: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    pub(crate) item_identifier: String,
}

#[derive(Serialize)]
struct ErrorBody<'m> {
    message: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<usize>,
}

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

/// In every response, so that a page of any origin can read it, unless it is [restricted](HttpResponse::restricted_to). `GET` is among the
/// methods because the published function sends this header; the function itself does not accept it.
const CORS: [(&str, &str); 3] = [
    ("Access-Control-Allow-Headers", "Content-Type"),
    (ALLOW_ORIGIN, "*"),
    ("Access-Control-Allow-Methods", "OPTIONS,POST,GET"),
];
const STORED: &str = "Processed Data sent to Kinesis stream successfully.";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

impl HttpResponse {
    pub(crate) fn to_options() -> Self {
        Self::new(200, None, "".into())
    }

    pub(crate) fn to_other_method(method: &str) -> Self {
        let mut response = Self::error(405, &format!("the method is {}; accepted: POST", escaped(method)), None);
        // Required for 405 (RFC 9110, section 15.5.6).
        response.headers.push(("Allow", "OPTIONS, POST".into()));
        response
    }

    pub(crate) fn to_other_origin(origin: &str) -> Self {
        Self::error(403, &format!("the origin {} is not allowed", escaped(origin)), None)
    }

    /// The response for pages of `origin` instead of any, or for no page. `Vary` keeps caches from giving it to others.
    pub(crate) fn restricted_to(mut self, origin: Option<&str>) -> Self {
        self.headers.retain(|(name, _)| *name != ALLOW_ORIGIN);
        self.headers.extend(origin.map(|origin| (ALLOW_ORIGIN, Cow::Owned(origin.to_owned()))));
        self.headers.push(("Vary", "Origin".into()));
        self
    }

    pub(crate) fn to_invalid_body(body_error: &BodyError) -> Self {
        Self::error(body_error.status, &body_error.to_string(), None)
    }

    /// After a 503 the client sends the whole body again, so some records may be stored twice.
    pub(crate) fn to_put(put: &PutOutcome, records: usize) -> Self {
        let counts = Some((records - put.not_stored.len(), records));
        match &put.error {
            None => Self::new(200, Some(TEXT), STORED.into()),
            Some(PutError { is_permanent: false, .. }) => {
                Self::error(503, "not all records are stored: send the body again later", counts)
            }
            // The code stays in the log: it shows how the account is set up.
            Some(PutError { is_permanent: true, .. }) => Self::error(
                500,
                "not all records are stored: a retry fails, too; the collector's log has the cause",
                counts,
            ),
        }
    }

    fn error(status: u16, message: &str, counts: Option<(usize, usize)>) -> Self {
        let error =
            ErrorBody { message, stored: counts.map(|(stored, _)| stored), records: counts.map(|(_, all)| all) };
        // Serialising a string and numbers can't fail.
        let body = serde_json::to_string(&error).unwrap_or_default();
        Self::new(status, Some(JSON), body.into())
    }

    fn new(status_code: u16, content_type: Option<&'static str>, body: Cow<'static, str>) -> Self {
        let headers = CORS.into_iter().chain(content_type.map(|content_type| ("Content-Type", content_type)));
        let headers = headers.map(|(name, value)| (name, Cow::Borrowed(value))).collect();
        Self { status_code, headers, body, is_base64_encoded: false }
    }
}

/// The start of a header or method, safe for a terminal.
fn escaped(text: &str) -> String {
    shown(text).escape_debug().to_string()
}

fn as_map<S: Serializer>(headers: &[(&str, Cow<'_, str>)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORS_JSON: &str = r#""Access-Control-Allow-Headers":"Content-Type","Access-Control-Allow-Origin":"*","Access-Control-Allow-Methods":"OPTIONS,POST,GET""#;

    fn put(not_stored: Vec<usize>, is_permanent: Option<bool>) -> PutOutcome {
        let error = is_permanent.map(|is_permanent| PutError { code: "Code".to_owned(), is_permanent });
        PutOutcome { not_stored, error, ..PutOutcome::default() }
    }

    #[test]
    fn responses_byte_for_byte() {
        let text = r#""Content-Type":"text/plain; charset=utf-8""#;
        let json = r#""Content-Type":"application/json""#;
        for (response, status, headers, body) in [
            (HttpResponse::to_options(), 200, CORS_JSON.to_owned(), ""),
            (HttpResponse::to_put(&put(vec![], None), 2), 200, format!("{CORS_JSON},{text}"), STORED),
            (
                HttpResponse::to_other_method("GET"),
                405,
                format!(r#"{CORS_JSON},{json},"Allow":"OPTIONS, POST""#),
                r#"{\"message\":\"the method is GET; accepted: POST\"}"#,
            ),
            (
                HttpResponse::to_invalid_body(&BodyError::NOT_JSON),
                400,
                format!("{CORS_JSON},{json}"),
                r#"{\"message\":\"the body is not JSON in UTF-8\"}"#,
            ),
            (
                HttpResponse::to_invalid_body(&BodyError::BODY_TOO_LARGE),
                413,
                format!("{CORS_JSON},{json}"),
                r#"{\"message\":\"the body has more than 1 MiB\"}"#,
            ),
            (
                HttpResponse::to_put(&put(vec![1], Some(false)), 3),
                503,
                format!("{CORS_JSON},{json}"),
                r#"{\"message\":\"not all records are stored: send the body again later\",\"stored\":2,\"records\":3}"#,
            ),
            (
                HttpResponse::to_put(&put(vec![0], Some(true)), 1),
                500,
                format!("{CORS_JSON},{json}"),
                r#"{\"message\":\"not all records are stored: a retry fails, too; the collector's log has the cause\",\"stored\":0,\"records\":1}"#,
            ),
        ] {
            let expected =
                format!(r#"{{"statusCode":{status},"headers":{{{headers}}},"body":"{body}","isBase64Encoded":false}}"#);
            assert_eq!(serde_json::to_string(&Response::Http(response)).unwrap(), expected);
        }
    }

    #[test]
    fn a_restricted_response_names_one_origin_or_none() {
        for (origin, expected) in [
            (Some("https://a.example"), r#""Access-Control-Allow-Origin":"https://a.example","Vary":"Origin""#),
            (None, r#""Vary":"Origin""#),
        ] {
            let response = HttpResponse::to_other_origin("https://b.example").restricted_to(origin);
            let text = serde_json::to_string(&Response::Http(response)).unwrap();
            assert!(text.starts_with(r#"{"statusCode":403,"#) && text.contains(expected), "{text}");
            assert_eq!(text.matches("Access-Control-Allow-Origin").count(), usize::from(origin.is_some()), "{text}");
        }
    }

    #[test]
    fn a_foreign_method_or_origin_is_escaped_and_bounded() {
        let long = "x".repeat(10_000);
        for (text, expected) in [("null", "null"), ("a\n\u{1b}[31m", r"a\n\u{1b}[31m"), (&long, &shown(&long))] {
            for (response, message) in [
                (HttpResponse::to_other_method(text), format!("the method is {expected}; accepted: POST")),
                (HttpResponse::to_other_origin(text), format!("the origin {expected} is not allowed")),
            ] {
                assert_eq!(response.body, serde_json::json!({ "message": message }).to_string());
                assert!(response.body.len() < 1_000);
            }
        }
    }

    #[test]
    fn failed_messages_are_reported_by_id() {
        let failure = |id: &str| BatchItemFailure { item_identifier: id.to_owned() };
        for (failures, expected) in [
            (vec![], r#"{"batchItemFailures":[]}"#),
            (
                vec![failure("a"), failure("b")],
                r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}"#,
            ),
        ] {
            let response = Response::Batch { batch_item_failures: failures };
            assert_eq!(serde_json::to_string(&response).unwrap(), expected);
        }
    }
}
