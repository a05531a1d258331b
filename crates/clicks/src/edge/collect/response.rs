//! The function's reply as an HTTP response (API Gateway developer guide, "Set up Lambda proxy integrations in API Gateway", "Output
//! format of a Lambda function for proxy integration").

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

const OF_THE_SERVER: [HeaderName; 3] = [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxyResponse {
    status_code: Value,
    headers: Option<Map<String, Value>>,
    multi_value_headers: Option<Map<String, Value>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

pub(super) fn from_reply(reply: &[u8]) -> Option<Response> {
    // Through a map, because serde would accept an array as well.
    let reply: Map<String, Value> = serde_json::from_slice(reply).ok()?;
    let reply: ProxyResponse = serde_json::from_value(Value::Object(reply)).ok()?;
    let text = reply.body.unwrap_or_default();
    let body = if reply.is_base64_encoded == Some(true) { STANDARD.decode(text).ok()? } else { text.into_bytes() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status(&reply.status_code)?;
    let headers = response.headers_mut();
    let single = reply.headers.into_iter().flatten().map(|(name, value)| (name, vec![value]));
    let several = reply.multi_value_headers.into_iter().flatten();
    let several = several.map(|(name, values)| Some((name, values.as_array()?.clone())));
    for entry in single.map(Some).chain(several) {
        let (name, values) = entry?;
        set(headers, &name, &values)?;
    }
    for name in &OF_THE_SERVER {
        headers.remove(name);
    }
    // API Gateway's default.
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Some(response)
}

/// A number, or one in a string, which API Gateway accepts as well.
fn status(value: &Value) -> Option<StatusCode> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    let status = StatusCode::from_u16(u16::try_from(number).ok()?).ok()?;
    // An informational status is not a final response.
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

    /// The headers of a reply without any.
    const JSON: (&str, &str) = ("content-type", "application/json");

    #[tokio::test]
    async fn a_reply_is_a_response() {
        for (reply, status, headers, body) in [
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
                // They replace the single value.
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
            let response = from_reply(reply.to_string().as_bytes()).unwrap();
            assert_eq!(response.status().as_u16(), status, "{reply}");
            let found = response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
            let mut found: Vec<(&str, &str)> = found.collect();
            found.sort_unstable();
            assert_eq!(found, headers, "{reply}");
            assert_eq!(to_bytes(response.into_body(), 99).await.unwrap(), body, "{reply}");
        }
    }

    #[test]
    fn an_invalid_reply_is_no_response() {
        for reply in [
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
            assert!(from_reply(reply.as_bytes()).is_none(), "{reply}");
        }
    }
}
