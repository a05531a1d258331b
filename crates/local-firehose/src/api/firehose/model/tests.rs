use serde_json::json;

use super::*;
use firehose_model::batch::MAX_PUT_RECORDS;
use firehose_model::limits::MAX_STREAM_NAME;
use firehose_model::source::MAX_RECORD_BYTES;

const ROLE: &str = "arn:aws:iam::123456789012:role/firehose";

fn create(destination: &Value) -> Value {
    json!({ "DeliveryStreamName": "s", "ExtendedS3DestinationConfiguration": destination })
}

fn refused(operation: &str, input: &Value) -> ApiError {
    read(operation, input.to_string().as_bytes()).unwrap_err()
}

#[test]
fn the_model_is_whole() {
    MODEL.assert_whole(10);
}

#[test]
fn the_limits_of_records_are_those_of_the_model() {
    for (shape, most) in [
        ("Data", MAX_RECORD_BYTES),
        ("PutRecordBatchRequestEntryList", MAX_PUT_RECORDS),
        ("DeliveryStreamName", MAX_STREAM_NAME),
    ] {
        assert_eq!(MODEL.max(shape), Some(most), "{shape}");
    }
}

#[test]
fn an_input_is_kept_without_what_the_model_does_not_have() {
    let input = json!({
        "DeliveryStreamName": "s", "Unknown": { "a": 1 }, "DeliveryStreamType": null,
        "ExtendedS3DestinationConfiguration": { "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bucket", "Other": 5 },
        "Tags": [{ "Key": "kéy", "Value": "" }],
    });
    let expected = json!({
        "DeliveryStreamName": "s",
        "ExtendedS3DestinationConfiguration": { "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bucket" },
        "Tags": [{ "Key": "kéy", "Value": "" }],
    });
    let read = read("CreateDeliveryStream", input.to_string().as_bytes());
    assert_eq!(read.map(Value::Object), Ok(expected));
}

#[test]
fn a_violation_names_the_path() {
    let long = "x".repeat(65);
    for (operation, input, violations) in [
        (
            "CreateDeliveryStream",
            json!({}),
            &["Value null at 'deliveryStreamName' failed to satisfy constraint: Member must not be null"][..],
        ),
        (
            "DeleteDeliveryStream",
            json!({ "DeliveryStreamName": long }),
            &[&*format!(
                "Value '{long}' at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64"
            )],
        ),
        (
            "CreateDeliveryStream",
            create(&json!({
                "RoleARN": "role", "BufferingHints": { "SizeInMBs": 129, "IntervalInSeconds": -1 }, "S3BackupMode": "On",
                "FileExtension": "json", "CustomTimeZone": "Etc/GMT+5",
                "ProcessingConfiguration": { "Processors": [{ "Type": "Lambda", "Parameters": [{ "ParameterName": "LambdaArn" }] }] },
            })),
            &[
                r"Value 'role' at 'extendedS3DestinationConfiguration.roleARN' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+",
                "Value null at 'extendedS3DestinationConfiguration.bucketARN' failed to satisfy constraint: Member must not be null",
                "Value '129' at 'extendedS3DestinationConfiguration.bufferingHints.sizeInMBs' failed to satisfy constraint: Member must have value less than or equal to 128",
                "Value '-1' at 'extendedS3DestinationConfiguration.bufferingHints.intervalInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 0",
                "Value null at 'extendedS3DestinationConfiguration.processingConfiguration.processors.1.member.parameters.1.member.parameterValue' failed to satisfy constraint: Member must not be null",
                "Value 'On' at 'extendedS3DestinationConfiguration.s3BackupMode' failed to satisfy constraint: Member must satisfy enum value set: [Disabled, Enabled]",
                r"Value 'json' at 'extendedS3DestinationConfiguration.fileExtension' failed to satisfy constraint: Member must satisfy regular expression pattern: ^$|\.[0-9a-z!\-_.*'()]+",
                "Value 'Etc/GMT+5' at 'extendedS3DestinationConfiguration.customTimeZone' failed to satisfy constraint: Member must satisfy regular expression pattern: ^$|[a-zA-Z/_]+",
            ],
        ),
        (
            "TagDeliveryStream",
            json!({ "DeliveryStreamName": "s", "Tags": [{ "Key": "aws:a" }] }),
            &[
                r"Value 'aws:a' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$",
            ],
        ),
        (
            "UntagDeliveryStream",
            json!({ "DeliveryStreamName": "s", "TagKeys": [] }),
            &[
                "Value '0 members' at 'tagKeys' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ],
        ),
    ] {
        let count = violations.len();
        let errors = if count == 1 { "error" } else { "errors" };
        let message = format!("{count} validation {errors} detected: {}", violations.join("; "));
        assert_eq!(refused(operation, &input), ApiError::validation(message), "{input}");
    }
}

#[test]
fn a_value_of_another_type_is_reported_first() {
    for (input, message) in [
        (json!([]), "the request: expected a value of type Structure, found a list"),
        (json!({ "DeliveryStreamName": 5 }), "DeliveryStreamName: expected a value of type String, found a number"),
        (
            create(&json!({ "BufferingHints": { "SizeInMBs": 1.5 } })),
            "ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs: expected a value of type Integer, found a number",
        ),
        (json!({ "Tags": ["a"] }), "Tags[0]: expected a value of type Structure, found a string"),
    ] {
        assert_eq!(refused("CreateDeliveryStream", &input), ApiError::serialization(message), "{input}");
    }
}

#[test]
fn a_member_that_is_not_supported_is_named() {
    let with = |member: &str, value: Value| {
        let mut destination = json!({ "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bucket" });
        destination[member] = value;
        create(&destination)
    };
    for (input, field) in [
        (
            json!({ "DeliveryStreamName": "s", "RedshiftDestinationConfiguration": {} }),
            "RedshiftDestinationConfiguration",
        ),
        (json!({ "DeliveryStreamName": "s", "DirectPutSourceConfiguration": {} }), "DirectPutSourceConfiguration"),
        (
            with("EncryptionConfiguration", json!({ "KMSEncryptionConfig": { "AWSKMSKeyARN": "arn:aws:kms:a:b" } })),
            "ExtendedS3DestinationConfiguration.EncryptionConfiguration.KMSEncryptionConfig",
        ),
        (
            with("DataFormatConversionConfiguration", json!({ "SchemaConfiguration": {} })),
            "ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.SchemaConfiguration",
        ),
    ] {
        let message = format!("{field}: is not supported by this local Firehose; accepted is a request without it");
        assert_eq!(refused("CreateDeliveryStream", &input), ApiError::invalid_argument(message), "{input}");
    }
}

#[test]
fn what_is_refused_in_any_case_is_not_validated_further() {
    let (many, long) = (1_000_000, "!".repeat(9_000_000));
    let keys = |key: &str| json!({ "DeliveryStreamName": "s", "TagKeys": vec![key; many] });
    let length = |path: &str, most: usize| {
        format!("at '{path}' failed to satisfy constraint: Member must have length less than or equal to {most}")
    };
    for (operation, input, count, end) in [
        ("UntagDeliveryStream", keys("a"), "1 validation error", length("tagKeys", 50)),
        ("UntagDeliveryStream", keys(""), "10 validation errors", String::new()),
        (
            "DeleteDeliveryStream",
            json!({ "DeliveryStreamName": long }),
            "1 validation error",
            length("deliveryStreamName", 64),
        ),
    ] {
        let message = refused(operation, &input).message;
        assert!(message.starts_with(count) && message.ends_with(&end), "{message}");
    }
}
