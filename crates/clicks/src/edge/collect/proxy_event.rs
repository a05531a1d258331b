//! The event of a request to a REST API (API Gateway developer guide, "Set up Lambda proxy integrations in API
//! Gateway", "Input format of a Lambda function for proxy integration").

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::{HeaderMap, request};
use jiff::Timestamp;
use runtime_api::{ACCOUNT, REGION};
use serde_json::{Value, json};
use uuid::Uuid;

const STAGE: &str = "local";

const API_ID: &str = "localhost0";

/// The values of each name, in their order.
type Values = BTreeMap<String, Vec<String>>;

/// The event of a request. The body is text, as without binary media types in API Gateway.
pub(super) fn from_request(head: &request::Parts, body: &[u8], id: Uuid) -> Vec<u8> {
    let path = head.uri.path();
    let method = head.method.as_str();
    let headers = headers(&head.headers);
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

/// The headers by name, in lower case as over HTTP/2.
fn headers(headers: &HeaderMap) -> Values {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    grouped(headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))))
}

fn grouped(pairs: impl IntoIterator<Item = (String, String)>) -> Values {
    let mut values = Values::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    values
}

/// The last value of each name; without names, `null`.
fn last_values(values: &Values) -> Value {
    let last = |(name, values): (&String, &Vec<String>)| (name.clone(), json!(values.last()));
    if values.is_empty() { Value::Null } else { Value::Object(values.iter().map(last).collect()) }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::event::apigw::ApiGatewayProxyRequest;
    use axum::body::Body;
    use axum::http::Request;

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
}
