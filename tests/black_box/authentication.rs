//! Authentication to the service: signatures, secrets in a header, and AWS Secrets Manager.

use std::sync::{Arc, Mutex};

use runtime_api::{Function, Outcome};
use serde_json::{Value, json};

use crate::harness::{
    COCO, EVANGELINE, PAULY, clicks_on, invoke, invoke_failing, log_lines, once, processor, settings,
};
use crate::sigv4::{KEY_ID, Verifier};
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService, healthy};

const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
const TOKEN: &str = "IQoJb3JpZ2luX2VjE+/=";
const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/key-AbCdEf";
const HEADER: (&str, &str) = ("LOOKUP_AUTH", "header");
const FRESH: (&str, &str) = ("LOOKUP_CACHE_SECONDS", "0");

const SERVICE: Verifier = Verifier { secret_key: SECRET_KEY, token: None, region: "us-east-1", service: "execute-api" };
const SECRETS_MANAGER: Verifier =
    Verifier { secret_key: SECRET_KEY, token: None, region: "eu-west-1", service: "secretsmanager" };

/// Answers 403 unless the signature is right.
fn signed(verifier: Verifier) -> impl FnMut(&Request) -> Response + Send + 'static {
    move |request| match verifier.verify(request) {
        Ok(()) => {
            let item = [COCO, PAULY].into_iter().find(|id| request.path.contains(id));
            let path = item.map_or("/mysfits".to_owned(), |id| format!("/mysfits/{id}"));
            healthy(&Request { path, ..request.clone() })
        }
        Err(reason) => Response::text(403, json!({"message": reason}).to_string()),
    }
}

/// Answers 401 unless the header has the value.
fn with_key(
    name: &'static str,
    key: impl Fn() -> String + Send + 'static,
) -> impl FnMut(&Request) -> Response + Send + 'static {
    move |request| {
        if request.headers.get(name) == Some(&key()) { healthy(request) } else { Response::status(401) }
    }
}

/// Secrets Manager with one secret.
async fn secrets_manager(secret: impl Fn() -> String + Send + 'static) -> ScriptedMysfitsService {
    ScriptedMysfitsService::start(move |request| {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
        assert_eq!(request.headers["x-amz-target"], "secretsmanager.GetSecretValue");
        assert_eq!(request.headers["content-type"], "application/x-amz-json-1.1");
        assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), json!({"SecretId": ARN}));
        match SECRETS_MANAGER.verify(request) {
            Ok(()) => Response::json(&json!({"ARN": ARN, "SecretString": secret()})),
            Err(reason) => {
                Response::text(400, json!({"__type": "InvalidSignatureException", "message": reason}).to_string())
            }
        }
    })
    .await
}

/// The executable with a secret in Secrets Manager.
async fn with_secret(
    service: &ScriptedMysfitsService,
    secrets: &ScriptedMysfitsService,
    env: &[(&str, &str)],
) -> Function {
    let url = secrets.url();
    let stored = [HEADER, ("LOOKUP_SECRET_ARN", ARN), ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url)];
    processor(service, &[&stored[..], &KEYS, env].concat()).await
}

#[tokio::test]
async fn a_signed_request_is_accepted() {
    // The region is that of Lambda's own variable, unless a case sets it.
    let region = "us-east-1";
    for (path, token, region, env) in [
        ("", None, region, vec![]),
        ("", None, "ap-south-1", vec![("AWS_REGION", "ap-south-1")]),
        ("/prod/", None, region, vec![]),
        ("/prod", Some(TOKEN), region, vec![]),
        ("/prod", None, region, vec![("LOOKUP_LIST", "/mysfits?b=2&a=x%20y&a=%C3%A9&empty=&B=1")]),
        ("", None, region, vec![("LOOKUP_LIST", "/mysfits?b=2#/mysfits")]),
        ("", None, region, vec![("LOOKUP_MODE", "item")]),
        (
            "/a%20b",
            Some(TOKEN),
            region,
            vec![("LOOKUP_MODE", "item"), ("LOOKUP_ITEM", "/v1/items:get/{key}/x%2Fy?id={key}")],
        ),
    ] {
        let service = ScriptedMysfitsService::start(signed(Verifier { token, region, ..SERVICE })).await;
        let url = service.url() + path;
        let token = token.map(|token| ("AWS_SESSION_TOKEN", token));
        let env: Vec<_> = [("LOOKUP_API_URL", url.as_str()), ("LOOKUP_AUTH", "iam")]
            .into_iter()
            .chain(KEYS)
            .chain(token)
            .chain(env)
            .collect();
        let mut function = Function::start(settings(&env)).await.unwrap();
        let request =
            runtime_api::Request { trace_id: Some("Root=1-2-3".to_owned()), ..clicks_on(&[COCO, PAULY]).into() };
        let result = invoke(&mut function, request).await;
        assert_eq!(result.counts(), (2, 0, 0), "{env:?}: {:?}", service.requests());
    }
}

#[tokio::test]
async fn a_signature_by_another_key_or_for_another_region_is_rejected() {
    for verifier in [
        Verifier { secret_key: "another", ..SERVICE },
        Verifier { region: "eu-west-1", ..SERVICE },
        Verifier { token: Some(TOKEN), ..SERVICE },
    ] {
        let service = ScriptedMysfitsService::start(signed(verifier)).await;
        let mut function = processor(&service, &[&[("LOOKUP_AUTH", "iam")], &KEYS[..]].concat()).await;
        let (error_type, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(error_type, "ServiceUnavailable");
        assert_eq!(message, "the service is unavailable: GET /mysfits responded 403 Forbidden");
        assert_eq!(service.paths(), ["/mysfits"]);
    }
}

#[tokio::test]
async fn each_attempt_has_its_own_signature() {
    let (mut accept, mut first) = (signed(SERVICE), true);
    let service = ScriptedMysfitsService::start(move |request: &Request| {
        let response = accept(request);
        if std::mem::take(&mut first) {
            Response::With(503, vec![("retry-after", "1".to_owned())], String::new())
        } else {
            response
        }
    })
    .await;
    let result = once(&service, &[&[("LOOKUP_AUTH", "iam")], &KEYS[..]].concat(), clicks_on(&[COCO])).await;
    assert_eq!(result.counts(), (1, 0, 0));
    let [first, second] = &service.requests()[..] else { panic!("{:?}", service.requests()) };
    assert!(first.headers["x-amz-date"] < second.headers["x-amz-date"]);
}

#[tokio::test]
async fn a_secret_is_sent_verbatim_in_one_header() {
    for (header, name, secret) in [
        ("", "x-api-key", "hunter2"),
        ("Authorization", "authorization", "Bearer a.b-c=="),
        ("authorization", "authorization", "Basic dTpw"),
        ("X-Shop_Key", "x-shop_key", "a,\"b\" {c}"),
    ] {
        for mode in ["list", "item"] {
            let service = ScriptedMysfitsService::start(with_key(name, || secret.to_owned())).await;
            let env = [HEADER, ("LOOKUP_AUTH_HEADER", header), ("LOOKUP_SECRET", secret), ("LOOKUP_MODE", mode)];
            assert_eq!(once(&service, &env, clicks_on(&[COCO, PAULY])).await.counts(), (2, 0, 0), "{name} {mode}");
            let headers = &service.requests()[0].headers;
            assert_eq!(headers.values().filter(|value| value.contains(secret)).count(), 1, "{headers:?}");
        }
    }
    // A plain secret has no newer one.
    let service = ScriptedMysfitsService::start(with_key("x-api-key", || "newer".to_owned())).await;
    let mut function = processor(&service, &[HEADER, ("LOOKUP_SECRET", "hunter2")]).await;
    let (_, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
    assert_eq!(message, "the service is unavailable: GET /mysfits responded 401 Unauthorized");
    assert_eq!(service.paths().len(), 1);
}

#[tokio::test]
async fn a_stored_secret_is_fetched_once() {
    let service = ScriptedMysfitsService::start(with_key("x-api-key", || "hunter2".to_owned())).await;
    for (secret, field) in [("hunter2", ""), (r#"{"user":"u","key":"hunter2"}"#, "key")] {
        for mode in ["list", "item"] {
            let secrets = secrets_manager(|| secret.to_owned()).await;
            let env = [FRESH, ("LOOKUP_STALE_SECONDS", "0"), ("LOOKUP_SECRET_FIELD", field), ("LOOKUP_MODE", mode)];
            let mut function = with_secret(&service, &secrets, &env).await;
            assert_eq!(invoke(&mut function, r#"{"records":[]}"#).await.counts(), (0, 0, 0));
            assert_eq!(secrets.paths(), Vec::<String>::new(), "before a request needs it");
            for sent in [1, 0, 0] {
                let result = invoke(&mut function, clicks_on(&[COCO, PAULY, EVANGELINE])).await;
                assert_eq!(result.counts(), (3, 0, 0), "{secret}");
                let requests = if mode == "list" { 1 } else { 3 };
                assert_eq!(result.summary()["service_requests"], requests + sent, "{}", result.summary());
            }
            assert_eq!(secrets.paths().len(), 1, "{secret} {mode}");
        }
    }
}

#[tokio::test]
async fn a_stored_secret_is_fetched_where_the_variables_of_the_sdks_say() {
    let service = ScriptedMysfitsService::start(with_key("x-api-key", || "hunter2".to_owned())).await;
    let other = ScriptedMysfitsService::start(|_| Response::status(500)).await;
    let secrets = secrets_manager(|| "hunter2".to_owned()).await;
    let (right, wrong) = (secrets.url(), other.url());
    for endpoints in [
        &[("AWS_ENDPOINT_URL", right.as_str())][..],
        &[("AWS_ENDPOINT_URL_SECRETS_MANAGER", &right)],
        &[("AWS_ENDPOINT_URL_SECRETS_MANAGER", &right), ("AWS_ENDPOINT_URL", &wrong)],
    ] {
        let env = [&[HEADER, ("LOOKUP_SECRET_ARN", ARN)], &KEYS[..], endpoints].concat();
        assert_eq!(once(&service, &env, clicks_on(&[COCO])).await.counts(), (1, 0, 0), "{endpoints:?}");
    }
    assert_eq!((secrets.paths().len(), other.paths().len()), (3, 0));
}

#[tokio::test]
async fn a_rotated_secret_is_fetched_again() {
    for mode in ["list", "item"] {
        let current = Arc::new(Mutex::new("first".to_owned()));
        let secret = || {
            let current = current.clone();
            move || current.lock().unwrap().clone()
        };
        let (service, secrets) =
            (ScriptedMysfitsService::start(with_key("x-api-key", secret())).await, secrets_manager(secret()).await);
        let mut function =
            with_secret(&service, &secrets, &[FRESH, ("LOOKUP_STALE_SECONDS", "0"), ("LOOKUP_MODE", mode)]).await;
        let clicks = || clicks_on(&[COCO, PAULY, EVANGELINE]);
        assert_eq!(invoke(&mut function, clicks()).await.counts(), (3, 0, 0));
        "second".clone_into(&mut current.lock().unwrap());
        let result = invoke(&mut function, clicks()).await;
        assert_eq!((result.counts(), secrets.paths().len()), ((3, 0, 0), 2), "{mode}");
        let summary = result.summary();
        assert!(summary["service_first_error"].as_str().unwrap().ends_with("responded 401 Unauthorized"), "{summary}");
        // Each request at most once more.
        let (requests, errors) = if mode == "list" { (3, 1) } else { (7, 3) };
        assert_eq!((&summary["service_requests"], &summary["service_errors"]), (&json!(requests), &json!(errors)));
        let result = invoke(&mut function, clicks()).await;
        assert_eq!((result.counts(), result.summary()["service_errors"].as_u64()), ((3, 0, 0), Some(0)));
        assert_eq!(secrets.paths().len(), 2);
    }
}

#[tokio::test]
async fn a_rejected_secret_that_has_not_changed_is_not_sent_again() {
    for status in [401, 403] {
        let service = ScriptedMysfitsService::start(move |_| Response::status(status)).await;
        let secrets = secrets_manager(|| "hunter2".to_owned()).await;
        let mut function = with_secret(&service, &secrets, &[("LOOKUP_MODE", "item")]).await;
        invoke_failing(&mut function, clicks_on(&[COCO, PAULY, EVANGELINE])).await;
        assert_eq!((service.paths().len(), secrets.paths().len()), (3, 2), "{status}");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_fetched_again_stays_the_reason_for_a_warning() {
    let service = ScriptedMysfitsService::start(|_| Response::status(401)).await;
    let secrets = secrets_manager(|| "hunter2".to_owned()).await;
    let mut first = true;
    let mut function = with_secret(&service, &secrets, &[]).await;
    secrets.now(move |_| {
        let answer = json!({"SecretString": "hunter2"}).to_string();
        if std::mem::take(&mut first) {
            Response::text(200, answer)
        } else {
            Response::text(400, r#"{"__type":"AccessDeniedException"}"#)
        }
    });
    let invocation = function.invoke(clicks_on(&[COCO])).await.unwrap();
    let logs = log_lines(&invocation);
    let warning = logs.iter().find(|line| line["level"] == "WARN").unwrap();
    let expected =
        "the service rejected the secret, and GetSecretValue responded 400 Bad Request: AccessDeniedException";
    assert_eq!(warning["message"], expected);
    let summary = crate::harness::summary(&logs);
    assert_eq!(summary["service_first_error"], "GET /mysfits responded 401 Unauthorized");
    assert_eq!((&summary["service_requests"], &summary["service_errors"]), (&json!(3), &json!(2)));
}

#[tokio::test]
async fn without_its_secret_the_service_gets_no_request() {
    let error = |status, code: &str| Response::text(status, json!({"__type": code, "Message": "hunter2"}).to_string());
    let value = |secret: &str| Response::json(&json!({"SecretString": secret}));
    for (response, requests, expected) in [
        (error(400, "AccessDeniedException"), 1, "responded 400 Bad Request: AccessDeniedException"),
        (error(400, "ResourceNotFoundException"), 1, "responded 400 Bad Request: ResourceNotFoundException"),
        (error(400, "ThrottlingException"), 4, "responded 400 Bad Request: ThrottlingException"),
        (error(500, "InternalServiceError"), 4, "responded 500 Internal Server Error: InternalServiceError"),
        (Response::json(&json!({"SecretBinary": "aHVudGVyMg=="})), 1, "responded with no SecretString"),
        (value("hunter2"), 1, "responded with a secret that is no JSON object with LOOKUP_SECRET_FIELD as a string"),
        (
            value(r#"{"key":"hunter2\n"}"#),
            1,
            "responded with a secret with characters that are invalid in an HTTP header",
        ),
        (
            value(&json!({"key": "hunter2".repeat(10_000)}).to_string()),
            1,
            "responded with a secret that is empty or too long",
        ),
        (Response::text(200, "x".repeat(500_000)), 4, "responded with more than 397312 bytes"),
        (
            Response::With(307, vec![("location", "http://127.0.0.1:9/".to_owned())], String::new()),
            1,
            "responded 307 Temporary Redirect: no error code",
        ),
        (Response::Close, 4, "failed: "),
    ] {
        let secrets = ScriptedMysfitsService::start(move |_| response.clone()).await;
        let service = ScriptedMysfitsService::healthy().await;
        let env = [("LOOKUP_SECRET_FIELD", "key"), ("LOOKUP_MODE", "item"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE")];
        let mut function = with_secret(&service, &secrets, &env).await;
        let invocation = function.invoke(clicks_on(&[COCO, PAULY, EVANGELINE])).await.unwrap();
        let logs = log_lines(&invocation);
        let Outcome::Error { error_type, message } = invocation.outcome else { panic!("{expected}: {logs:?}") };
        assert_eq!(error_type, "ServiceUnavailable", "{expected}");
        assert!(message.starts_with(&format!("the service is unavailable: GetSecretValue {expected}")), "{message}");
        assert_eq!((service.paths().len(), secrets.paths().len()), (0, requests), "{expected}");
        let summary = crate::harness::summary(&logs);
        assert_eq!(
            (&summary["service_requests"], &summary["service_errors"]),
            (&json!(requests), &json!(requests)),
            "{expected}"
        );
        assert!(!format!("{message} {logs:?}").contains("hunter2"), "{logs:?}");
        // The next invocation fetches it.
        secrets.now(|_| Response::json(&json!({"SecretString": r#"{"key":"hunter2"}"#})));
        assert_eq!(invoke(&mut function, clicks_on(&[COCO])).await.counts(), (1, 0, 0), "{expected}");
    }
}

#[tokio::test]
async fn a_slow_secrets_manager_times_out() {
    let (service, secrets) =
        (ScriptedMysfitsService::healthy().await, ScriptedMysfitsService::start(|_| Response::Hang).await);
    let mut function = with_secret(&service, &secrets, &[("LOOKUP_TIMEOUT_MS", "50")]).await;
    let (_, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
    assert_eq!(message, "the service is unavailable: GetSecretValue did not respond within 50 ms");
    assert_eq!((service.paths().len(), secrets.paths().len()), (0, 4));
}

#[tokio::test]
async fn no_secret_is_logged() {
    let service = ScriptedMysfitsService::start(|_| Response::status(403)).await;
    let secrets = secrets_manager(|| "hunter2".to_owned()).await;
    let url = secrets.url();
    let (key, token) = (("AWS_SECRET_ACCESS_KEY", "hunter2-key"), ("AWS_SESSION_TOKEN", "hunter2-token"));
    for env in [
        vec![HEADER, ("LOOKUP_SECRET", "hunter2")],
        vec![HEADER, ("LOOKUP_SECRET_ARN", ARN), ("AWS_ENDPOINT_URL", &url)],
        vec![("LOOKUP_AUTH", "iam"), key, token],
    ] {
        let env = [&KEYS, &env[..], &[("AWS_LAMBDA_LOG_LEVEL", "TRACE")]].concat();
        let invocation = processor(&service, &env).await.invoke(clicks_on(&[COCO])).await.unwrap();
        let shown = format!("{:?} {:?}", invocation.outcome, invocation.logs);
        assert!(!shown.contains("hunter2") && !shown.contains("AWS4-HMAC"), "{shown}");
    }
    assert_eq!(service.requests()[0].headers["x-api-key"], "hunter2");
}

#[tokio::test]
async fn a_request_without_tls_avoids_the_proxy() {
    let proxy = ScriptedMysfitsService::start(|_| Response::status(500)).await;
    let service = ScriptedMysfitsService::start(with_key("x-api-key", || "hunter2".to_owned())).await;
    let secrets = secrets_manager(|| "hunter2".to_owned()).await;
    let url = proxy.url();
    let mut function = with_secret(&service, &secrets, &[("HTTP_PROXY", &url), ("http_proxy", &url)]).await;
    assert_eq!(invoke(&mut function, clicks_on(&[COCO])).await.counts(), (1, 0, 0));
    assert_eq!(proxy.paths(), Vec::<String>::new());
}
