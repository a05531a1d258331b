//! Removes API Gateway's stage from the path.
//!
//! A request to `https://ID.execute-api.REGION.amazonaws.com/prod/mysfits` is for `/mysfits`. An HTTP API sends the path with its stage. A REST
//! API sends it without, but `lambda_http` adds it by default.

use axum::Router;
use axum::http::Uri;
use lambda_http::request::RequestContext;
use lambda_http::tower::ServiceExt;
use lambda_http::tower::util::MapRequest;
use lambda_http::{Request, RequestExt};

/// The router as a service for [`lambda_http::run`].
#[must_use]
pub fn behind_stage(router: Router) -> MapRequest<Router, fn(Request) -> Request> {
    router.map_request(without_stage)
}

fn without_stage(mut request: Request) -> Request {
    if let Some(uri) = path_of_route(&request).and_then(|path| with_path(request.uri(), path)) {
        *request.uri_mut() = uri;
    }
    request
}

fn path_of_route(request: &Request) -> Option<&str> {
    let (stage, is_rest_api) = match request.request_context_ref()? {
        RequestContext::ApiGatewayV1(context) => (context.stage.as_deref()?, true),
        RequestContext::ApiGatewayV2(context) => (context.stage.as_deref()?, false),
        _ => return None,
    };
    match after_stage(request.raw_http_path(), stage) {
        // A route may have the stage's name. `lambda_http` then mistakes it for the stage, and adds none.
        Some(rest) if is_rest_api && !rest.is_empty() => None,
        // `lambda_http` does not detect a stage without a trailing slash, and adds a second one.
        Some("") if !is_rest_api => Some(""),
        _ => after_stage(request.uri().path(), stage),
    }
}

/// `/mysfits` out of `/prod/mysfits`.
fn after_stage<'a>(path: &'a str, stage: &str) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let path = if path.is_empty() { "/" } else { path };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{path}{query}").parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::body;
    use lambda_http::tower::Service;
    use serde_json::{Value, json};

    use super::*;

    fn rest(stage: &str, path: &str) -> Value {
        json!({
            "path": path,
            "httpMethod": "GET",
            "headers": {"Host": "example.com"},
            "multiValueQueryStringParameters": {"filter": ["GoodEvil"]},
            "requestContext": {"stage": stage, "httpMethod": "GET", "identity": {}},
        })
    }

    fn http(stage: &str, path: &str) -> Value {
        json!({
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "filter=GoodEvil",
            "headers": {"host": "example.com"},
            "requestContext": {"stage": stage, "http": {"method": "GET", "path": path}},
            "isBase64Encoded": false,
        })
    }

    /// The path and query that the router gets.
    async fn seen(event: &Value) -> String {
        let echo = Router::new().fallback(|uri: Uri| async move { uri.path_and_query().unwrap().to_string() });
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        let response = behind_stage(echo).call(request).await.unwrap();
        let bytes = body::to_bytes(response.into_body(), 1024).await.unwrap();
        String::from_utf8(bytes.into()).unwrap()
    }

    #[tokio::test]
    async fn the_stage_is_taken_out_of_the_path() {
        let cases = [
            (rest("prod", "/"), "/"),
            (rest("prod", "/mysfits"), "/mysfits"),
            (rest("prod", "/mysfits/a b"), "/mysfits/a%20b"),
            (rest("prod", "/production"), "/production"),
            (rest("mysfits", "/mysfits"), "/mysfits"),
            (rest("mysfits", "/mysfits/id"), "/mysfits/id"),
            (http("prod", "/prod"), "/"),
            (http("prod", "/prod/"), "/"),
            (http("prod", "/prod/mysfits"), "/mysfits"),
            (http("prod", "/prod/prod"), "/prod"),
            (http("mysfits", "/mysfits/mysfits"), "/mysfits"),
            // With a custom domain name, the path has no stage.
            (http("prod", "/mysfits"), "/mysfits"),
            (http("$default", "/"), "/"),
            (http("$default", "/mysfits"), "/mysfits"),
        ];
        for (event, path) in cases {
            assert_eq!(seen(&event).await, format!("{path}?filter=GoodEvil"), "{event}");
        }
    }
}
