//! The time limit of a request. Tests the library, because the executable's limit is too long for a test.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::Builder;
use click_collector::config::Config;
use click_collector::{Collector, Report, Response};
use serde_json::{Value, json};
use service_kit::env::Env;
use tokio::time::Instant;

use crate::harness::{messages, rest};
use crate::kinesis::{Kinesis, KinesisResponse};

/// Longer than any test.
const FAR: Duration = Duration::from_hours(1);

/// The collector's response to an event with a far deadline, and its report.
async fn handled(kinesis: &Kinesis, request_timeout: Duration, event: &Value) -> (Value, Report) {
    let client = Client::from_conf(
        aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(Builder::new().build_http())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(kinesis.url())
            .build(),
    );
    let config = Config::read(&Env::from_iter([("COLLECTOR_STREAM", "orders")])).unwrap();
    let collector = Collector::new(&config, client, request_timeout);
    let mut report = Report::default();
    let response: Response = collector.handle(&event.to_string(), Instant::now() + FAR, &mut report).await.unwrap();
    (serde_json::to_value(response).unwrap(), report)
}

#[tokio::test]
async fn a_request_gets_a_response_long_before_a_far_deadline() {
    for (response, request_timeout) in
        [(KinesisResponse::Store, Duration::ZERO), (KinesisResponse::Hang, Duration::from_millis(200))]
    {
        let kinesis = Kinesis::always(response).await;
        let (response, report) = handled(&kinesis, request_timeout, &rest("POST", r#"{"id":0}"#)).await;
        assert_eq!((&response["statusCode"], report.status), (&json!(503), Some(503)));
        assert_eq!((report.failed, report.kinesis_requests, report.kinesis_error.as_deref()), (1, 1, Some("deadline")));
    }
}

#[tokio::test]
async fn messages_may_take_until_the_deadline() {
    let kinesis = Kinesis::always(KinesisResponse::Store).await;
    let (response, report) = handled(&kinesis, Duration::ZERO, &messages(&[r#"{"id":0}"#])).await;
    assert_eq!((response, report.failed, report.kinesis_requests), (json!({"batchItemFailures": []}), 0, 1));
    assert_eq!(kinesis.sizes(), [1]);
}
