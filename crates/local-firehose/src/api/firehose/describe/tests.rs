use std::path::Path;
use std::time::Duration;

use super::*;
use crate::api::firehose::model;
use crate::api::request::ApiError;
use crate::stream::{Buffering, DataStreamSettings};

const LAMBDA_ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

fn settings() -> StreamSettings {
    let destination = Destination::S3 { bucket: "bucket".to_owned(), endpoint: None };
    StreamSettings { destination, ..StreamSettings::untransformed("clicks", Path::new("")) }
}

fn description(settings: &StreamSettings, function_arn: Option<&str>, body: &str) -> Value {
    let started = Timestamp::from_millisecond(1_517_595_920_596).unwrap();
    let mut input = model::read("DescribeDeliveryStream", body.as_bytes()).unwrap();
    let entry = configured(settings, started, function_arn, &Scope::default());
    response(&entry, &model::text(&mut input, "ExclusiveStartDestinationId"), &Scope::default())
}

fn s3(prefix: &str) -> Value {
    json!({
        "RoleARN": "arn:aws:iam::000000000000:role/firehose_delivery_role",
        "BucketARN": "arn:aws:s3:::bucket",
        "Prefix": prefix,
        "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/",
        "BufferingHints": { "SizeInMBs": 5, "IntervalInSeconds": 3 },
        "CompressionFormat": "UNCOMPRESSED",
        "EncryptionConfiguration": { "NoEncryptionConfig": "NoEncryption" },
        "CloudWatchLoggingOptions": { "Enabled": false },
    })
}

#[test]
fn a_plain_stream_is_described() {
    let mut extended = s3("firehose/");
    extended["ProcessingConfiguration"] = json!({ "Enabled": false, "Processors": [] });
    extended["S3BackupMode"] = json!("Disabled");
    let expected = json!({ "DeliveryStreamDescription": {
        "DeliveryStreamName": "clicks",
        "DeliveryStreamARN": "arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks",
        "DeliveryStreamStatus": "ACTIVE",
        "DeliveryStreamType": "DirectPut",
        "DeliveryStreamEncryptionConfiguration": { "Status": "DISABLED" },
        "VersionId": "1",
        "CreateTimestamp": 1_517_595_920.596,
        "HasMoreDestinations": false,
        "Destinations": [{
            "DestinationId": "destinationId-000000000001",
            "ExtendedS3DestinationDescription": extended,
            "S3DestinationDescription": s3("firehose/"),
        }],
    } });
    assert_eq!(description(&settings(), None, r#"{"DeliveryStreamName":"clicks","Limit":1}"#), expected);
}

#[test]
fn what_a_stream_does_is_described() {
    let stream = StreamSettings {
        compression: Compression::Gzip,
        buffer: Buffering { bytes: MB / 5, interval: Duration::from_secs(60) },
        backup_prefix: Some(Prefix::parse("source/", false).unwrap()),
        dynamic_partitioning: true,
        ..settings()
    };
    let answer = description(&stream, Some(LAMBDA_ARN), r#"{"DeliveryStreamName":"clicks"}"#);
    let extended = &answer["DeliveryStreamDescription"]["Destinations"][0]["ExtendedS3DestinationDescription"];
    let parameter = |name, value| json!({ "ParameterName": name, "ParameterValue": value });
    let parameters = [
        parameter("LambdaArn", LAMBDA_ARN),
        parameter("NumberOfRetries", "3"),
        parameter("RoleArn", "arn:aws:iam::000000000000:role/firehose_delivery_role"),
        parameter("BufferSizeInMBs", "0.2"),
        parameter("BufferIntervalInSeconds", "60"),
    ];
    let processing = json!({ "Enabled": true, "Processors": [{ "Type": "Lambda", "Parameters": parameters }] });
    assert_eq!(extended["ProcessingConfiguration"], processing);
    assert_eq!(extended["CompressionFormat"], "GZIP");
    assert_eq!(extended["S3BackupMode"], "Enabled");
    assert_eq!(extended["S3BackupDescription"]["Prefix"], "source/");
    let partitioning = json!({ "Enabled": true, "RetryOptions": { "DurationInSeconds": 300 } });
    assert_eq!(extended["DynamicPartitioningConfiguration"], partitioning);
}

#[test]
fn the_retries_of_dynamic_partitioning_are_described() {
    let retries = |seconds: u32| json!({ "Enabled": true, "RetryOptions": { "DurationInSeconds": seconds } });
    for (given, expected) in [
        (json!({ "Enabled": true }), retries(300)),
        (retries(60), retries(60)),
        (json!({ "Enabled": false }), json!({ "Enabled": false })),
    ] {
        let destination = json!({ "DynamicPartitioningConfiguration": given });
        let definition = Definition {
            name: "clicks".to_owned(),
            scope: Scope::default(),
            created_ms: 0,
            updated_ms: None,
            version: 1,
            source: None,
            destination: destination.as_object().unwrap().clone(),
        };
        let answer = response(&DeliveryStreamEntry { definition, status: Status::Active }, "", &Scope::default());
        let extended = &answer["DeliveryStreamDescription"]["Destinations"][0]["ExtendedS3DestinationDescription"];
        assert_eq!(extended["DynamicPartitioningConfiguration"], expected);
    }
}

#[test]
fn the_data_stream_that_is_read_is_described() {
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    let stream = StreamSettings { source: Source::Kinesis(DataStreamSettings::default()), ..settings() };
    let description = &description(&stream, None, r#"{"DeliveryStreamName":"clicks"}"#)["DeliveryStreamDescription"];
    assert_eq!(description["DeliveryStreamType"], "KinesisStreamAsSource");
    let source = json!({ "KinesisStreamSourceDescription": {
        "KinesisStreamARN": arn,
        "RoleARN": "arn:aws:iam::000000000000:role/firehose_delivery_role",
        "DeliveryStartTimestamp": 1_517_595_920.596,
    } });
    assert_eq!(description["Source"], source);
    assert_eq!(description.get("DeliveryStreamEncryptionConfiguration"), None);
}

#[test]
fn there_is_no_second_destination() {
    for (after, count) in [("destinationId-000000000000", 1), ("destinationId-000000000001", 0)] {
        let body = json!({ "DeliveryStreamName": "clicks", "ExclusiveStartDestinationId": after }).to_string();
        let description = &description(&settings(), None, &body)["DeliveryStreamDescription"];
        assert_eq!(description["Destinations"].as_array().map(Vec::len), Some(count), "{after}");
        assert_eq!(description["HasMoreDestinations"], false);
    }
}

#[test]
fn what_breaks_a_constraint_is_refused() {
    for (body, message) in [
        (
            "{}",
            "1 validation error detected: \
             Value null at 'deliveryStreamName' failed to satisfy constraint: Member must not be null",
        ),
        (
            r#"{"DeliveryStreamName":"clicks","Limit":-1,"ExclusiveStartDestinationId":"a.b"}"#,
            "2 validation errors detected: Value '-1' at 'limit' failed to satisfy constraint: \
             Member must have value greater than or equal to 1; \
             Value 'a.b' at 'exclusiveStartDestinationId' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9-]+",
        ),
    ] {
        assert_eq!(
            model::read("DescribeDeliveryStream", body.as_bytes()),
            Err(ApiError::validation(message)),
            "{body}"
        );
    }
}

#[test]
fn names_are_listed_by_page() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    for (body, listed, more) in [
        ("{}", &names[..10], true),
        (r#"{"Limit":11}"#, &names, false),
        (r#"{"Limit":2}"#, &names[..2], true),
        (r#"{"Limit":2,"ExclusiveStartDeliveryStreamName":"b"}"#, &names[2..4], true),
        (r#"{"Limit":2,"ExclusiveStartDeliveryStreamName":"bb"}"#, &names[2..4], true),
        (r#"{"Limit":2,"ExclusiveStartDeliveryStreamName":"i"}"#, &names[9..], false),
        (r#"{"ExclusiveStartDeliveryStreamName":"k"}"#, &[], false),
        (r#"{"Limit":10000,"DeliveryStreamType":"DirectPut"}"#, &names, false),
        (r#"{"DeliveryStreamType":"KinesisStreamAsSource"}"#, &[], false),
    ] {
        let streams = names.into_iter().map(|name| (name, DIRECT_PUT));
        let expected = json!({ "DeliveryStreamNames": listed, "HasMoreDeliveryStreams": more });
        let input = model::read("ListDeliveryStreams", body.as_bytes()).unwrap();
        assert_eq!(list(&input, streams), expected, "{body}");
    }
}

#[test]
fn a_violation_in_a_list_is_an_error() {
    for (body, message) in [
        (
            r#"{"Limit":0}"#,
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: \
             Member must have value greater than or equal to 1",
        ),
        (
            r#"{"Limit":10001,"DeliveryStreamType":"Direct"}"#,
            "2 validation errors detected: Value '10001' at 'limit' failed to satisfy constraint: \
             Member must have value less than or equal to 10000; \
             Value 'Direct' at 'deliveryStreamType' failed to satisfy constraint: \
             Member must satisfy enum value set: [DirectPut, KinesisStreamAsSource, MSKAsSource, DatabaseAsSource]",
        ),
        (
            r#"{"ExclusiveStartDeliveryStreamName":"ä"}"#,
            "1 validation error detected: Value 'ä' at 'exclusiveStartDeliveryStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
    ] {
        let refused = model::read("ListDeliveryStreams", body.as_bytes());
        assert_eq!(refused, Err(ApiError::validation(message)), "{body}");
    }
}
