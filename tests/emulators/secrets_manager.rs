//! Secrets of moto's Secrets Manager.

use runtime_api::{Function, FunctionSettings, Outcome};
use serde_json::{Value, json};
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService, healthy};

use crate::emulator::free_addresses;
use crate::process::Background;
use crate::read;
use crate::tools::moto_server;

struct SecretsManager {
    _process: Background,
    url: String,
    http: reqwest::Client,
}

impl SecretsManager {
    async fn start() -> Self {
        // reqwest needs a provider even for plain HTTP.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let [address] = free_addresses();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{address}/");
        let mut process = Background::start(moto_server(address));
        process.until(async |_| http.get(&url).send().await.ok()).await;
        Self { _process: process, url, http }
    }

    async fn call(&self, operation: &str, input: Value) -> Value {
        // moto takes the service and the region from the signature, and verifies nothing.
        let scope = "Credential=AKID/20300101/eu-west-1/secretsmanager/aws4_request";
        let request = self.http.post(&self.url).header("x-amz-target", format!("secretsmanager.{operation}"));
        let request = request.header("authorization", format!("AWS4-HMAC-SHA256 {scope}")).body(input.to_string());
        let response = request.send().await.unwrap();
        let (status, body) = (response.status(), response.bytes().await.unwrap());
        assert!(status.is_success(), "{operation}: {status} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }
}

async fn function(service: &ScriptedMysfitsService, secrets: &SecretsManager, arn: &str) -> Function {
    let settings = FunctionSettings::new(env!("CARGO_BIN_EXE_click-processor"))
        .env("LOOKUP_API_URL", service.url())
        .env("LOOKUP_CACHE_SECONDS", "0")
        .env("LOOKUP_STALE_SECONDS", "0")
        .env("LOOKUP_AUTH", "header")
        .env("LOOKUP_SECRET_ARN", arn)
        .env("LOOKUP_SECRET_FIELD", "key")
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets.url)
        .env("AWS_ACCESS_KEY_ID", "AKID")
        .env("AWS_SECRET_ACCESS_KEY", "key");
    Function::start(settings).await.unwrap()
}

#[tokio::test]
async fn a_secret_is_fetched_and_fetched_again_after_its_rotation() {
    let secrets = SecretsManager::start().await;
    let created = secrets.call("CreateSecret", json!({"Name": "shop/key", "SecretString": r#"{"key":"first"}"#})).await;
    let arn = created["ARN"].as_str().unwrap();
    let accepts = |key: &'static str| {
        move |request: &Request| {
            if request.headers["x-api-key"] == key { healthy(request) } else { Response::status(401) }
        }
    };
    let service = ScriptedMysfitsService::start(accepts("first")).await;
    let mut function = function(&service, &secrets, arn).await;
    for (key, requests) in [("first", 1), ("second", 2)] {
        secrets.call("PutSecretValue", json!({"SecretId": arn, "SecretString": json!({"key": key}).to_string()})).await;
        service.now(accepts(key));
        let invocation = function.invoke(read("direct-put")).await.unwrap();
        let Outcome::Reply(_) = invocation.outcome else { panic!("{key}: {invocation:#?}") };
        assert_eq!(service.paths().len(), requests, "{key}");
    }
}

#[tokio::test]
async fn a_secret_that_does_not_exist_is_named_by_its_error_code() {
    let (service, secrets) = (ScriptedMysfitsService::healthy().await, SecretsManager::start().await);
    let mut function = function(&service, &secrets, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:none").await;
    let invocation = function.invoke(read("direct-put")).await.unwrap();
    let Outcome::Error { message, .. } = invocation.outcome else { panic!("{invocation:#?}") };
    // moto answers 404, and AWS 400.
    let is_expected =
        message.contains("GetSecretValue responded 40") && message.ends_with(": ResourceNotFoundException");
    assert!(is_expected && service.paths().is_empty(), "{message}");
}
