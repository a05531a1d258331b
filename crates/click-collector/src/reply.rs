//! What an invocation answers: to an API Gateway, or to a queue.

use std::borrow::Cow;

use serde::Serialize;

use crate::refusal::Refusal;
use crate::stream::{Failure, Put};

/// The answer of an invocation.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To a request.
    Answer(Answer),
    /// To messages.
    Messages(BatchReply),
}

/// An HTTP answer in the format 1.0 of API Gateway, which an HTTP API takes too.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The HTTP status.
    pub status_code: u16,
    headers: Headers,
    body: Cow<'static, str>,
    is_base64_encoded: bool,
}

/// The first three are the same in each answer, so that a page of any origin can read it.
///
/// `GET` is among the methods because this header is part of the published answer; the function itself takes none.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Headers {
    #[serde(rename = "Access-Control-Allow-Headers")]
    allow_headers: &'static str,
    #[serde(rename = "Access-Control-Allow-Origin")]
    allow_origin: &'static str,
    #[serde(rename = "Access-Control-Allow-Methods")]
    allow_methods: &'static str,
    #[serde(rename = "Content-Type", skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    /// What a 405 has to have (RFC 9110, section 15.5.6).
    #[serde(rename = "Allow", skip_serializing_if = "Option::is_none")]
    allow: Option<&'static str>,
}

/// The body of an answer other than 200.
#[derive(Serialize)]
struct Trouble<'m> {
    message: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<usize>,
}

const STORED: &str = "Processed Data sent to Kinesis stream successfully.";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

impl Answer {
    /// To the question that a browser asks before it sends.
    #[must_use]
    pub fn to_options() -> Self {
        Self::new(200, None, "".into())
    }

    /// To a method that the collector does not take.
    #[must_use]
    pub fn to_other_method() -> Self {
        let mut answer = Self::trouble(405, "send POST", None);
        answer.headers.allow = Some("OPTIONS, POST");
        answer
    }

    /// To a body that can't be stored.
    #[must_use]
    pub fn to_refusal(refusal: Refusal) -> Self {
        Self::trouble(refusal.status(), &refusal.to_string(), None)
    }

    /// To records of which `put` tells what became, `records` in number.
    ///
    /// Whoever gets a 503 sends the whole body again: what was stored is stored twice then.
    #[must_use]
    pub fn to_put(put: &Put, records: usize) -> Self {
        let counts = Some((records - put.left.len(), records));
        match &put.failure {
            None => Self::new(200, Some(TEXT), STORED.into()),
            Some(Failure { lasts: false, .. }) => {
                Self::trouble(503, "not all records are stored: send the body again later", counts)
            }
            Some(Failure { lasts: true, .. }) => {
                Self::trouble(500, "not all records are stored: the collector or its stream is not set up well", counts)
            }
        }
    }

    fn trouble(status: u16, message: &str, counts: Option<(usize, usize)>) -> Self {
        let trouble =
            Trouble { message, stored: counts.map(|(stored, _)| stored), records: counts.map(|(_, all)| all) };
        // A text and numbers serialize always.
        let body = serde_json::to_string(&trouble).unwrap_or_default();
        Self::new(status, Some(JSON), body.into())
    }

    fn new(status_code: u16, content_type: Option<&'static str>, body: Cow<'static, str>) -> Self {
        let headers = Headers {
            allow_headers: "Content-Type",
            allow_origin: "*",
            allow_methods: "OPTIONS,POST,GET",
            content_type,
            allow: None,
        };
        Self { status_code, headers, body, is_base64_encoded: false }
    }
}

/// The messages that the queue has to keep ("Implementing partial batch responses", AWS Lambda Developer Guide).
///
/// Lambda reads it only where the event source mapping has `ReportBatchItemFailures`; without that, it takes every message for
/// done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchReply {
    /// They come again, until the queue's redrive policy moves them to its dead-letter queue.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A message that the queue has to keep.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// The message's id.
    pub item_identifier: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORS: &str = r#""Access-Control-Allow-Headers":"Content-Type","Access-Control-Allow-Origin":"*","Access-Control-Allow-Methods":"OPTIONS,POST,GET""#;

    fn put(left: Vec<usize>, lasts: Option<bool>) -> Put {
        let failure = lasts.map(|lasts| Failure { code: "Code".to_owned(), lasts });
        Put { left, failure, ..Put::default() }
    }

    #[test]
    fn responses_byte_for_byte() {
        let text = r#""Content-Type":"text/plain; charset=utf-8""#;
        let json = r#""Content-Type":"application/json""#;
        for (answer, status, headers, body) in [
            (Answer::to_options(), 200, CORS.to_owned(), ""),
            (Answer::to_put(&put(vec![], None), 2), 200, format!("{CORS},{text}"), STORED),
            (
                Answer::to_other_method(),
                405,
                format!(r#"{CORS},{json},"Allow":"OPTIONS, POST""#),
                r#"{\"message\":\"send POST\"}"#,
            ),
            (
                Answer::to_refusal(Refusal::NotJson),
                400,
                format!("{CORS},{json}"),
                r#"{\"message\":\"the body is not JSON in UTF-8\"}"#,
            ),
            (
                Answer::to_refusal(Refusal::BodyTooLarge),
                413,
                format!("{CORS},{json}"),
                r#"{\"message\":\"the body has more than 1 MiB\"}"#,
            ),
            (
                Answer::to_put(&put(vec![1], Some(false)), 3),
                503,
                format!("{CORS},{json}"),
                r#"{\"message\":\"not all records are stored: send the body again later\",\"stored\":2,\"records\":3}"#,
            ),
            (
                Answer::to_put(&put(vec![0], Some(true)), 1),
                500,
                format!("{CORS},{json}"),
                r#"{\"message\":\"not all records are stored: the collector or its stream is not set up well\",\"stored\":0,\"records\":1}"#,
            ),
        ] {
            let expected =
                format!(r#"{{"statusCode":{status},"headers":{{{headers}}},"body":"{body}","isBase64Encoded":false}}"#);
            assert_eq!(serde_json::to_string(&Reply::Answer(answer)).unwrap(), expected);
        }
    }

    #[test]
    fn failed_messages_are_reported_by_id() {
        let failure = |id: &str| ItemFailure { item_identifier: id.to_owned() };
        for (failures, expected) in [
            (vec![], r#"{"batchItemFailures":[]}"#),
            (
                vec![failure("a"), failure("b")],
                r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}"#,
            ),
        ] {
            let reply = Reply::Messages(BatchReply { batch_item_failures: failures });
            assert_eq!(serde_json::to_string(&reply).unwrap(), expected);
        }
    }
}
