use axum::body::Body;
use axum::http::Request;
use serde::Deserialize;

use super::*;
use crate::api::{firehose, kinesis};

/// The error for a request with one header and no body, of an API with two streams.
async fn refused(service: &'static Service, method: Method, name: &str, value: &str) -> ApiError {
    let request = Request::builder().method(method).header(name, value).body(Body::empty()).unwrap();
    let streams = || vec!["a".to_owned(), "b".to_owned()];
    RequestReader::new(service, &BodyMemory::default()).read(request, streams).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn each_error_has_the_status_and_body_of_aws() {
    let (firehose, kinesis) = (&firehose::SERVICE, &kinesis::SERVICE);
    for (error, status, body) in [
        (
            ApiError::not_found("Firehose", "missing", &Scope::default()),
            400,
            r#"{"__type":"ResourceNotFoundException","message":"Firehose missing under account 000000000000 not found."}"#,
        ),
        (
            ApiError::serialization("trailing comma"),
            400,
            r#"{"__type":"SerializationException","message":"trailing comma"}"#,
        ),
        (
            ApiError::validation("1 validation error detected: …"),
            400,
            r#"{"__type":"ValidationException","message":"1 validation error detected: …"}"#,
        ),
        (
            ApiError::invalid_argument("Records size exceeds 4 MB limit"),
            400,
            r#"{"__type":"InvalidArgumentException","message":"Records size exceeds 4 MB limit"}"#,
        ),
        (ApiError::internal_failure(), 500, r#"{"__type":"InternalFailure"}"#),
        (
            ApiError::not_found("Stream", "missing", &Scope::default()),
            400,
            r#"{"__type":"ResourceNotFoundException","message":"Stream missing under account 000000000000 not found."}"#,
        ),
        (
            refused(kinesis, Method::POST, "content-type", CBOR).await,
            400,
            r#"{"__type":"SerializationException","message":"invalid CBOR: end of input bytes"}"#,
        ),
        (
            refused(firehose, Method::POST, "content-type", CBOR).await,
            400,
            concat!(
                r#"{"__type":"SerializationException","message":"Content-Type: found application/x-amz-cbor-1.1; "#,
                r#"this local Firehose accepts JSON, application/x-amz-json-1.1"}"#
            ),
        ),
        (
            refused(kinesis, Method::POST, "origin", "null").await,
            403,
            r#"{"__type":"AccessDeniedException","message":"a web page may not put records here: use POST /v2/STREAM"}"#,
        ),
        (
            firehose.unread_body(BodyError::TooLarge),
            413,
            r#"{"message":"the request's body is larger than a batch can be: 500 records, 4 MiB of data before base64"}"#,
        ),
        (
            firehose.unread_body(BodyError::Timeout(TIMEOUT)),
            408,
            r#"{"__type":"RequestTimeoutException","message":"the body did not arrive within 30 seconds"}"#,
        ),
        (
            firehose.unread_body(BodyError::TooSlow),
            408,
            r#"{"__type":"RequestTimeoutException","message":"the body arrived at less than 1024 bytes per second"}"#,
        ),
        (
            kinesis.unread_body(BodyError::NoMemory),
            503,
            r#"{"__type":"ServiceUnavailableException","message":"the bodies of other requests take all of the memory"}"#,
        ),
        (
            refused(firehose, Method::POST, "origin", "null").await,
            403,
            r#"{"__type":"AccessDeniedException","message":"a web page may not put records here: use PUT /clicks"}"#,
        ),
        (
            firehose.unknown_operation("PutRecords"),
            400,
            concat!(
                r#"{"__type":"UnknownOperationException","message":"unsupported operation PutRecords: "#,
                "this local Firehose supports PutRecord, PutRecordBatch, CreateDeliveryStream, DeleteDeliveryStream, ",
                "DescribeDeliveryStream, ListDeliveryStreams, ListTagsForDeliveryStream, TagDeliveryStream, ",
                r#"UntagDeliveryStream and UpdateDestination"}"#
            ),
        ),
        (
            refused(firehose, Method::POST, "x-amz-target", "Kinesis_20131202.PutRecord").await,
            400,
            concat!(
                r#"{"__type":"UnknownOperationException","message":"#,
                r#""the header X-Amz-Target must name an operation, such as Firehose_20150804.PutRecordBatch"}"#
            ),
        ),
        (
            refused(firehose, Method::GET, "accept", "*/*").await,
            404,
            concat!(
                r#"{"__type":"UnknownOperationException","message":"this is the API of a local Amazon Data Firehose: "#,
                "give its address to the AWS CLI or an SDK as the endpoint URL, with any region and any credentials; ",
                r#"streams: a, b"}"#
            ),
        ),
    ] {
        assert_eq!(error.status.as_u16(), status, "{error:?}");
        assert_eq!(serde_json::to_string(&error).unwrap(), body);
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    text: Option<String>,
    list: Option<Vec<Option<i64>>>,
}

#[test]
fn null_is_nothing_and_unknown_fields_are_ignored() {
    let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for (body, text, list) in [
        ("{}", None, None),
        (r#" {"Text":null,"List":[null,5]} "#, None, Some(vec![None, Some(5)])),
        (&format!(r#"{{"text":5,"Other":{nested},"Text":"a"}}"#), Some("a".to_owned()), None),
    ] {
        assert_eq!(parse::<Input>(body.as_bytes()), Ok(Input { text, list }), "{body}");
    }
}

#[test]
fn other_bodies_are_serialization_errors_with_their_place() {
    for (body, message) in [
        (&b""[..], "EOF while parsing a value at line 1 column 0"),
        (b"null", "invalid type: null, expected struct Input at line 1 column 4"),
        (br#"{"Text":5}"#, "invalid type: integer `5`, expected a string at line 1 column 9"),
        (br#"{"List":"a"}"#, "invalid type: string \"a\", expected a sequence at line 1 column 11"),
        (br#"{"Text":"a",}"#, "trailing comma at line 1 column 13"),
    ] {
        assert_eq!(parse::<Input>(body), Err(ApiError::serialization(message)));
    }
    assert!(parse::<Input>(b"{\"Text\":\"\xff\"}").is_err());
}
