//! Events of an API Gateway, REST (format 1.0) or HTTP (format 2.0), and of an SQS queue.
//!
//! The types are own ones of what is used. Those of `aws_lambda_events` copy every header of a request, want members that
//! nothing here reads, and can't tell three kinds of events apart without holding each of them as a tree.

use std::borrow::Cow;

use serde::Deserialize;

use crate::refusal::Refusal;

/// What the function is invoked with.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A request that somebody waits on.
    Request(Request),
    /// Messages of a queue.
    Messages(Vec<Message>),
}

/// A request as API Gateway passes it on.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Its HTTP method.
    pub method: String,
    /// Its body, empty where it has none.
    body: String,
    is_base64: bool,
}

/// A message as the queue has it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The id by which its failure is answered.
    pub message_id: String,
    /// Its body.
    pub body: String,
    event_source: String,
}

/// The payload of an invocation is no event that the collector takes.
///
/// It doesn't tell what stands there: the payload must not get into a log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a request of an API Gateway (REST or HTTP) nor messages of an SQS queue")]
pub struct EventError;

/// The members that tell the kinds of events apart, and those that are used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    http_method: Option<String>,
    request_context: Option<RequestContext>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    #[serde(rename = "Records")]
    records: Option<Vec<Message>>,
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
    /// Reads an event from the payload of an invocation.
    ///
    /// # Errors
    /// [`EventError`] where `payload` is neither a request nor messages.
    pub fn parse(payload: &str) -> Result<Self, EventError> {
        let wire: Wire = serde_json::from_str(payload).map_err(|_| EventError)?;
        if let Some(messages) = wire.records {
            let all_of_sqs = messages.iter().all(|message| message.event_source == "aws:sqs");
            return if all_of_sqs { Ok(Self::Messages(messages)) } else { Err(EventError) };
        }
        let of_http_api = wire.request_context.and_then(|context| context.http).map(|http| http.method);
        Ok(Self::Request(Request {
            method: wire.http_method.or(of_http_api).ok_or(EventError)?,
            body: wire.body.unwrap_or_default(),
            is_base64: wire.is_base64_encoded.unwrap_or_default(),
        }))
    }
}

impl Request {
    /// The body as it was sent.
    ///
    /// # Errors
    /// [`Refusal::NotBase64`] where the event says that its body is base64, and it is not.
    pub fn body(&self) -> Result<Cow<'_, [u8]>, Refusal> {
        if !self.is_base64 {
            return Ok(Cow::Borrowed(self.body.as_bytes()));
        }
        base64_simd::STANDARD.decode_to_vec(&self.body).map(Cow::Owned).map_err(|_| Refusal::NotBase64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, body: &str, is_base64: bool) -> Event {
        Event::Request(Request { method: method.to_owned(), body: body.to_owned(), is_base64 })
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
    fn bodies_are_decoded_if_the_event_says_base64() {
        for (body, is_base64, expected) in [
            ("{}", false, Ok(b"{}".as_slice())),
            ("e30=", false, Ok(b"e30=".as_slice())),
            ("e30=", true, Ok(b"{}".as_slice())),
            ("", true, Ok(b"".as_slice())),
            ("/w==", true, Ok(b"\xff".as_slice())),
            ("e30", true, Err(Refusal::NotBase64)),
            ("{}", true, Err(Refusal::NotBase64)),
        ] {
            let request = Request { method: "POST".to_owned(), body: body.to_owned(), is_base64 };
            assert_eq!(request.body().as_deref(), expected.as_deref(), "{body} {is_base64}");
        }
    }
}
