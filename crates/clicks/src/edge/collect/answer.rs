//! A function's answer as a response (API Gateway developer guide, "Set up Lambda proxy integrations in API Gateway", "Output
//! format of a Lambda function for proxy integration").

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What is the server's to say, whatever the function says.
const OF_THE_SERVER: [HeaderName; 3] = [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: Value,
    headers: Option<Map<String, Value>>,
    multi_value_headers: Option<Map<String, Value>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

/// The response, if the answer is one.
pub(super) fn response(reply: &[u8]) -> Option<Response> {
    // An array would be an answer to serde, too.
    let reply: Map<String, Value> = serde_json::from_slice(reply).ok()?;
    let answer: Answer = serde_json::from_value(Value::Object(reply)).ok()?;
    let text = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded == Some(true) { STANDARD.decode(text).ok()? } else { text.into_bytes() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status(&answer.status_code)?;
    let headers = response.headers_mut();
    let single = answer.headers.into_iter().flatten().map(|(name, value)| (name, vec![value]));
    let several = answer.multi_value_headers.into_iter().flatten();
    let several = several.map(|(name, values)| Some((name, values.as_array()?.clone())));
    for entry in single.map(Some).chain(several) {
        let (name, values) = entry?;
        set(headers, &name, &values)?;
    }
    for name in &OF_THE_SERVER {
        headers.remove(name);
    }
    // What API Gateway says where the function does not.
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Some(response)
}

/// A number, or one in a string, which API Gateway takes as well.
fn status(value: &Value) -> Option<StatusCode> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    let status = StatusCode::from_u16(u16::try_from(number).ok()?).ok()?;
    // What is no answer yet could not be sent as one.
    (!status.is_informational() && number < 600).then_some(status)
}

fn set(headers: &mut HeaderMap, name: &str, values: &[Value]) -> Option<()> {
    let name = HeaderName::try_from(name).ok()?;
    headers.remove(&name);
    for value in values {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        headers.append(&name, HeaderValue::try_from(text).ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::json;

    use super::*;

    /// What an answer is that says nothing else.
    const JSON: (&str, &str) = ("content-type", "application/json");

    /// With all of its headers, sorted.
    #[tokio::test]
    async fn an_answer_is_a_response() {
        for (answer, status, headers, body) in [
            (json!({ "statusCode": 200, "body": "a\u{e9}" }), 200, &[JSON][..], "aé"),
            (json!({ "statusCode": "201" }), 201, &[JSON], ""),
            (json!({ "statusCode": 503, "headers": null, "body": null, "isBase64Encoded": false }), 503, &[JSON], ""),
            (
                json!({ "statusCode": 200, "headers": { "Content-Type": "text/plain", "X-Number": 7, "X-Bool": true } }),
                200,
                &[("content-type", "text/plain"), ("x-bool", "true"), ("x-number", "7")],
                "",
            ),
            (
                json!({ "statusCode": 200, "headers": { "x-a": "0" }, "multiValueHeaders": { "X-A": ["1", "2"] } }),
                200,
                // In the place of the one value.
                &[JSON, ("x-a", "1"), ("x-a", "2")],
                "",
            ),
            (json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true }), 200, &[JSON], "hi"),
            (
                json!({ "statusCode": 200, "headers": { "Content-Length": "99" }, "body": "hi", "x": 1 }),
                200,
                &[JSON],
                "hi",
            ),
        ] {
            let response = response(answer.to_string().as_bytes()).unwrap();
            assert_eq!(response.status().as_u16(), status, "{answer}");
            let found = response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
            let mut found: Vec<(&str, &str)> = found.collect();
            found.sort_unstable();
            assert_eq!(found, headers, "{answer}");
            assert_eq!(to_bytes(response.into_body(), 99).await.unwrap(), body, "{answer}");
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for answer in [
            "",
            "null",
            "\"OK\"",
            "[200, null, null, \"hi\", false]",
            "{}",
            r#"{"statusCode":null}"#,
            r#"{"statusCode":"OK"}"#,
            r#"{"statusCode":200.5}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":101}"#,
            r#"{"statusCode":700}"#,
            r#"{"statusCode":200,"body":{"a":1}}"#,
            r#"{"statusCode":200,"body":"no base64","isBase64Encoded":true}"#,
            r#"{"statusCode":200,"isBase64Encoded":"true"}"#,
            r#"{"statusCode":200,"headers":["a"]}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"b\nc"}}"#,
            r#"{"statusCode":200,"headers":{"a":["b"]}}"#,
            r#"{"statusCode":200,"multiValueHeaders":{"a":"b"}}"#,
        ] {
            assert!(response(answer.as_bytes()).is_none(), "{answer}");
        }
    }
}
