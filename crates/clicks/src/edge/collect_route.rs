//! `POST` and `OPTIONS /collect`: a function behind API Gateway's REST API, with the Lambda proxy integration.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governor::Quota;
use jiff::Timestamp;
use runtime_api::{ACCOUNT, MAX_EVENT_BYTES, REGION};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::collector::Collector;
use super::reader::{EdgeError, RequestReader};
use super::{unknown_method, with_cors};
use local_firehose::http::BodyMemory;

/// The longest body (Amazon API Gateway quotas, "Payload size"). A body whose event is over Lambda's limit is too long, too.
const LONGEST: usize = 10 * 1024 * 1024;

struct CollectState {
    collector: Arc<Collector>,
    reader: RequestReader,
}

impl CollectState {
    async fn read(&self, request: Request, id: Uuid) -> Result<Vec<u8>, EdgeError> {
        let (head, body) = self.reader.read(request).await?;
        let event = from_request(&head, &body, id);
        if event.len() > MAX_EVENT_BYTES { Err(EdgeError::TooLong) } else { Ok(event) }
    }
}

pub(super) fn router(collector: Arc<Collector>, rate: Quota, memory: &BodyMemory) -> Router {
    let state = CollectState { collector, reader: RequestReader::new(rate, LONGEST, memory) };
    let collect = post(invoke)
        .options(async |State(collect): State<Arc<CollectState>>| collect.reader.preflight())
        .fallback(unknown_method)
        .layer(map_response(async |response: Response| with_cors(response, "OPTIONS,POST,GET")));
    Router::new().route("/collect", collect).with_state(Arc::new(state))
}

async fn invoke(
    State(collect): State<Arc<CollectState>>,
    Extension(id): Extension<Uuid>,
    request: Request,
) -> Result<Response, EdgeError> {
    let event = collect.read(request, id).await;
    let event = event.inspect_err(|refused| collect.collector.refuse(refused.reason()))?;
    let reply = collect.collector.invoke(event).await?;
    from_reply(&reply).ok_or(EdgeError::FunctionFailed)
}

const STAGE: &str = "local";

const API_ID: &str = "localhost0";

type Values = BTreeMap<String, Vec<String>>;

/// API Gateway developer guide, "Input format of a Lambda function for proxy integration". Without binary media types, a body is text.
fn from_request(head: &request::Parts, body: &[u8], id: Uuid) -> Vec<u8> {
    let path = head.uri.path();
    let method = head.method.as_str();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = grouped(head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))));
    let query: Query<Vec<(String, String)>> = Query::try_from_uri(&head.uri).unwrap_or_default();
    let query = grouped(query.0);
    let now = Timestamp::now();
    let last = |name: &str| headers.get(name).and_then(|values| values.last());
    let event = json!({
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": last_values(&headers),
        "multiValueHeaders": headers,
        "queryStringParameters": last_values(&query),
        "multiValueQueryStringParameters": Some(&query).filter(|query| !query.is_empty()),
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "resourceId": "local0",
            "resourcePath": path,
            "httpMethod": method,
            "extendedRequestId": id.simple().to_string(),
            "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "path": format!("/{STAGE}{path}"),
            "accountId": ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": STAGE,
            "domainPrefix": API_ID,
            "domainName": format!("{API_ID}.execute-api.{REGION}.amazonaws.com"),
            "requestTimeEpoch": now.as_millisecond(),
            "requestId": id.to_string(),
            "identity": {
                "cognitoIdentityPoolId": null,
                "accountId": null,
                "cognitoIdentityId": null,
                "caller": null,
                // The client's address is not read.
                "sourceIp": "127.0.0.1",
                "principalOrgId": null,
                "accessKey": null,
                "cognitoAuthenticationType": null,
                "cognitoAuthenticationProvider": null,
                "userArn": null,
                "userAgent": last("user-agent"),
                "user": null,
            },
            "apiId": API_ID,
        },
        "body": Some(String::from_utf8_lossy(body)).filter(|body| !body.is_empty()),
        "isBase64Encoded": false,
    });
    event.to_string().into_bytes()
}

fn grouped(pairs: impl IntoIterator<Item = (String, String)>) -> Values {
    let mut values = Values::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    values
}

fn last_values(values: &Values) -> Value {
    let last = |(name, values): (&String, &Vec<String>)| (name.clone(), json!(values.last()));
    if values.is_empty() { Value::Null } else { Value::Object(values.iter().map(last).collect()) }
}

const OF_THE_SERVER: [HeaderName; 3] = [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxyResponse {
    status_code: Value,
    headers: Option<Map<String, Value>>,
    multi_value_headers: Option<BTreeMap<String, Vec<Value>>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

/// The same guide, "Output format of a Lambda function for proxy integration".
fn from_reply(reply: &[u8]) -> Option<Response> {
    // Through a map, because serde would accept an array as well.
    let reply: Map<String, Value> = serde_json::from_slice(reply).ok()?;
    let reply: ProxyResponse = serde_json::from_value(Value::Object(reply)).ok()?;
    let text = reply.body.unwrap_or_default();
    let body = if reply.is_base64_encoded == Some(true) { STANDARD.decode(text).ok()? } else { text.into_bytes() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status(&reply.status_code)?;
    let headers = response.headers_mut();
    let single = reply.headers.into_iter().flatten().map(|(name, value)| (name, vec![value]));
    for (name, values) in single.chain(reply.multi_value_headers.into_iter().flatten()) {
        set(headers, &name, &values)?;
    }
    for name in &OF_THE_SERVER {
        headers.remove(name);
    }
    // API Gateway's default.
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Some(response)
}

/// API Gateway accepts a number in a string as well.
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
    use aws_lambda_events::event::apigw::ApiGatewayProxyRequest;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use serde_json::json;

    use super::*;

    fn event(request: request::Builder, body: &[u8]) -> ApiGatewayProxyRequest {
        let (head, _) = request.body(Body::empty()).unwrap().into_parts();
        serde_json::from_slice(&from_request(&head, body, Uuid::from_u128(7))).unwrap()
    }

    #[test]
    fn the_published_types_deserialize_an_event() {
        let request = Request::post("/collect?a=1&b=%C3%A9&a=2")
            .header("Content-Type", "application/json")
            .header("User-Agent", "curl/8")
            .header("X-Many", "one")
            .header("X-Many", "two");
        let event = event(request, "{\"id\": \"é\"}".as_bytes());
        assert_eq!((event.path.as_deref(), event.http_method.as_str()), (Some("/collect"), "POST"));
        assert_eq!((event.body.as_deref(), event.is_base64_encoded), (Some("{\"id\": \"é\"}"), false));
        assert_eq!(event.headers["content-type"], "application/json");
        assert_eq!(event.headers["x-many"], "two");
        let many: Vec<_> = event.multi_value_headers.get_all("x-many").iter().collect();
        assert_eq!(many, ["one", "two"]);
        assert_eq!(event.query_string_parameters.first("b"), Some("é"));
        assert_eq!(event.multi_value_query_string_parameters.all("a"), Some(vec!["1", "2"]));
        let context = event.request_context;
        assert_eq!(context.request_id, Some(Uuid::from_u128(7).to_string()));
        assert_eq!((context.stage.as_deref(), context.http_method.as_str()), (Some("local"), "POST"));
        assert_eq!(context.identity.user_agent.as_deref(), Some("curl/8"));
        assert!(context.request_time.unwrap().ends_with(" +0000"));
    }

    #[test]
    fn absent_parts_of_a_request_are_null() {
        let (head, _) = Request::post("/collect").body(Body::empty()).unwrap().into_parts();
        let event: Value = serde_json::from_slice(&from_request(&head, b"", Uuid::nil())).unwrap();
        for name in ["headers", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"] {
            assert_eq!(event.get(name), Some(&Value::Null), "{name}");
        }
        assert_eq!(self::event(Request::post("/collect"), b"\xff").body.as_deref(), Some("\u{fffd}"));
    }

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
