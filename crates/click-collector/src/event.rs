//! Events of API Gateway (REST, format 1.0, and HTTP, format 2.0) and of SQS.
//!
//! These types have only the fields in use. Those of `aws_lambda_events` copy every header, require unused members, and need a JSON tree to
//! distinguish three kinds of events.

use std::borrow::Cow;

use serde::Deserialize;

use crate::record::BodyError;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Request(Request),
    Messages(Vec<Message>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The origin of the page that sent it; `None` for other clients.
    pub(crate) origin: Option<String>,
    body: String,
    is_base64: bool,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    pub(crate) message_id: String,
    pub(crate) body: String,
    event_source: String,
}

/// The payload is not a supported event. The message has no content: the payload must not get into a log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a request of an API Gateway (REST or HTTP) nor messages of an SQS queue")]
pub struct EventError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    http_method: Option<String>,
    headers: Option<Headers>,
    request_context: Option<RequestContext>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    #[serde(rename = "Records")]
    records: Option<Vec<Message>>,
}

/// HTTP/2 and HTTP APIs have names in lower case. A REST API keeps the spelling of an HTTP/1.1 client.
#[derive(Default, Deserialize)]
struct Headers {
    origin: Option<String>,
    #[serde(rename = "Origin")]
    capitalized_origin: Option<String>,
}

#[derive(Deserialize)]
struct RequestContext {
    http: Option<Http>,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

impl Event {
    pub(crate) fn parse(payload: &str) -> Result<Self, EventError> {
        let wire: Wire = serde_json::from_str(payload).map_err(|_| EventError)?;
        if let Some(messages) = wire.records {
            let all_from_sqs = messages.iter().all(|message| message.event_source == "aws:sqs");
            return if all_from_sqs { Ok(Self::Messages(messages)) } else { Err(EventError) };
        }
        let http_api_method = wire.request_context.and_then(|context| context.http).map(|http| http.method);
        let headers = wire.headers.unwrap_or_default();
        Ok(Self::Request(Request {
            origin: headers.origin.or(headers.capitalized_origin),
            method: wire.http_method.or(http_api_method).ok_or(EventError)?,
            body: wire.body.unwrap_or_default(),
            is_base64: wire.is_base64_encoded.unwrap_or_default(),
        }))
    }
}

impl Request {
    pub(crate) fn body(&self) -> Result<Cow<'_, [u8]>, BodyError> {
        if !self.is_base64 {
            return Ok(Cow::Borrowed(self.body.as_bytes()));
        }
        base64_simd::STANDARD.decode_to_vec(&self.body).map(Cow::Owned).map_err(|_| BodyError::NOT_BASE64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, body: &str, is_base64: bool) -> Event {
        Event::Request(Request { method: method.to_owned(), origin: None, body: body.to_owned(), is_base64 })
    }

    fn message(id: &str, body: &str) -> Message {
        Message { message_id: id.to_owned(), body: body.to_owned(), event_source: "aws:sqs".to_owned() }
    }

    #[test]
    fn events_are_parsed_by_kind() {
        for (payload, event) in [
            (
                r#"{"httpMethod":"POST","headers":null,"requestContext":{"stage":"p"},"body":"{}","isBase64Encoded":false}"#,
                Ok(request("POST", "{}", false)),
            ),
            (r#"{"httpMethod":"OPTIONS","body":null,"isBase64Encoded":null}"#, Ok(request("OPTIONS", "", false))),
            (
                r#"{"version":"2.0","requestContext":{"http":{"method":"PUT","path":"/"}},"body":"e30=","isBase64Encoded":true}"#,
                Ok(request("PUT", "e30=", true)),
            ),
            (r#"{"version":"2.0","requestContext":{"http":{"method":"GET"}}}"#, Ok(request("GET", "", false))),
            (
                r#"{"Records":[{"messageId":"1","receiptHandle":"r","body":"{}","attributes":{},"eventSource":"aws:sqs"}]}"#,
                Ok(Event::Messages(vec![message("1", "{}")])),
            ),
            (r#"{"Records":[]}"#, Ok(Event::Messages(vec![]))),
            (r#"{"Records":[{"eventSource":"aws:s3","s3":{}}]}"#, Err(EventError)),
            (r#"{"Records":[{"messageId":"1","body":"{}","eventSource":"aws:other"}]}"#, Err(EventError)),
            (r#"{"records":[]}"#, Err(EventError)),
            (r#"{"body":"{}"}"#, Err(EventError)),
            ("{}", Err(EventError)),
            ("[]", Err(EventError)),
            ("", Err(EventError)),
        ] {
            assert_eq!(Event::parse(payload), event, "{payload}");
        }
    }

    #[test]
    fn the_origin_is_a_header_of_a_page() {
        for (headers, origin) in [
            (r#"{"origin":"https://a.example"}"#, Some("https://a.example")),
            (r#"{"Origin":"https://a.example","Host":"b.example"}"#, Some("https://a.example")),
            (r#"{"Origin":"https://a.example","origin":"https://b.example"}"#, Some("https://b.example")),
            (r#"{"Host":"b.example"}"#, None),
            ("{}", None),
            ("null", None),
        ] {
            let payload = format!(r#"{{"httpMethod":"POST","headers":{headers}}}"#);
            let Ok(Event::Request(request)) = Event::parse(&payload) else { panic!("{payload}") };
            assert_eq!(request.origin.as_deref(), origin, "{payload}");
        }
    }

    #[test]
    fn bodies_are_decoded_if_the_event_says_base64() {
        for (body, is_base64, expected) in [
            ("{}", false, Ok(b"{}".as_slice())),
            ("e30=", false, Ok(b"e30=".as_slice())),
            ("e30=", true, Ok(b"{}".as_slice())),
            ("", true, Ok(b"".as_slice())),
            ("/w==", true, Ok(b"\xff".as_slice())),
            ("e30", true, Err(BodyError::NOT_BASE64)),
            ("{}", true, Err(BodyError::NOT_BASE64)),
        ] {
            let request = Request { method: "POST".to_owned(), origin: None, body: body.to_owned(), is_base64 };
            assert_eq!(request.body().as_deref(), expected.as_deref(), "{body} {is_base64}");
        }
    }
}
