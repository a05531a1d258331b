mod queries;

use std::path::Path;

use serde_json::json;

use super::*;
use firehose_model::processors::{Deaggregation, Processors};

const AT: &str = "ExtendedS3DestinationConfiguration";
const ROLE: &str = "arn:aws:iam::123456789012:role/firehose";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

fn merged(mut value: Value, change: Value) -> Map<String, Value> {
    let (Some(members), Value::Object(change)) = (value.as_object_mut(), change) else { unreachable!() };
    members.extend(change);
    members.clone()
}

fn definition(change: Value) -> Definition {
    Definition {
        name: "s".to_owned(),
        scope: Scope::default(),
        created_ms: 1_700_000_000_000,
        updated_ms: None,
        version: 1,
        source: None,
        destination: merged(json!({ "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bucket" }), change),
    }
}

fn root() -> Root {
    Root::Folder("root".into())
}

fn plan(change: Value) -> Result<Plan, FieldError> {
    let mut functions = FunctionMap::default();
    functions.insert("f", runtime_api::FunctionSettings::new("f")).unwrap();
    definition(change).plan(AT, &root(), &functions)
}

fn processing(parameters: &[(&str, &str)]) -> Value {
    let arn = [("LambdaArn", FUNCTION)];
    let parameters = arn.iter().chain(parameters);
    let parameter = |(name, value): &(&str, &str)| json!({ "ParameterName": name, "ParameterValue": value });
    let processor = json!({ "Type": "Lambda", "Parameters": parameters.map(parameter).collect::<Vec<_>>() });
    json!({ "Enabled": true, "Processors": [processor] })
}

#[test]
fn a_definition_without_options_has_firehoses_defaults() {
    let Plan { settings, backup } = plan(json!({})).unwrap();
    let bucket = Destination::Folder("root/bucket".into());
    assert_eq!((&settings.destination, &backup), (&bucket, &bucket));
    assert_eq!(settings.destination_buffer, Buffering { bytes: 5 * MB, interval: Duration::from_secs(300) });
    assert_eq!((settings.prefix.text(), settings.backup_prefix, settings.function), ("", None, None));
    assert_eq!(settings.error_prefix.text(), "!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/");
    assert_eq!((settings.compression, settings.function_arn, settings.version), (Compression::None, None, 1));
    assert_eq!((settings.time_zone, settings.file_extension), (TimeZone::UTC, None));
}

#[test]
fn each_option_is_a_setting() {
    let parameters =
        [("BufferSizeInMBs", "0.5"), ("BufferIntervalInSeconds", "7"), ("NumberOfRetries", "1"), ("RoleArn", ROLE)];
    let Plan { settings, backup } = plan(json!({
        "Prefix": "p/", "ErrorOutputPrefix": "e/", "CompressionFormat": "GZIP",
        "CustomTimeZone": "Asia/Tokyo", "FileExtension": ".log",
        "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 0 },
        "ProcessingConfiguration": processing(&parameters),
        "S3BackupMode": "Enabled",
        "S3BackupConfiguration": { "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup", "Prefix": "b/" },
    }))
    .unwrap();
    assert_eq!((settings.prefix.text(), settings.error_prefix.text()), ("p/", "e/"));
    assert_eq!(
        (settings.time_zone.iana_name(), settings.file_extension.as_deref()),
        (Some("Asia/Tokyo"), Some(".log"))
    );
    assert_eq!((settings.compression, settings.backup_compression), (Compression::Gzip, Compression::None));
    assert_eq!(settings.destination_buffer, Buffering { bytes: MB, interval: Duration::ZERO });
    assert_eq!(settings.buffer, Buffering { bytes: MB / 2, interval: Duration::from_secs(7) });
    assert_eq!((settings.retries, settings.function_arn.as_deref()), (1, Some(FUNCTION)));
    assert_eq!(settings.function.map(|function| function.command), Some("f".into()));
    assert_eq!(settings.backup_prefix.map(|prefix| prefix.text().to_owned()), Some("b/".to_owned()));
    assert_eq!(backup, Destination::Folder(Path::new("root").join("backup")));
}

#[test]
fn the_backup_has_a_compression_of_its_own() {
    for (own, backup, expected) in [
        ("GZIP", None, (Compression::Gzip, Compression::None)),
        ("GZIP", Some("GZIP"), (Compression::Gzip, Compression::Gzip)),
        ("UNCOMPRESSED", Some("GZIP"), (Compression::None, Compression::Gzip)),
    ] {
        let mut backup_configuration = json!({ "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup" });
        if let Some(backup) = backup {
            backup_configuration["CompressionFormat"] = backup.into();
        }
        let settings = plan(json!({
            "CompressionFormat": own, "S3BackupMode": "Enabled", "S3BackupConfiguration": backup_configuration,
        }))
        .unwrap()
        .settings;
        assert_eq!((settings.compression, settings.backup_compression), expected, "{own} {backup:?}");
    }
}

#[test]
fn a_processor_that_is_not_enabled_does_nothing() {
    let mut disabled = processing(&[]);
    disabled["Enabled"] = json!(false);
    let settings = plan(json!({ "ProcessingConfiguration": disabled })).unwrap().settings;
    assert_eq!((settings.function, settings.function_arn), (None, None));
    let unmapped = FUNCTION.replace("function:f", "function:g");
    let processor =
        json!({ "Type": "Lambda", "Parameters": [{ "ParameterName": "LambdaArn", "ParameterValue": unmapped }] });
    let unmapped_processing = json!({ "Enabled": true, "Processors": [processor] });
    let settings = plan(json!({ "ProcessingConfiguration": unmapped_processing })).unwrap().settings;
    assert_eq!((settings.function, settings.function_arn), (None, Some(unmapped)));
}

#[test]
fn a_refused_value_names_its_field() {
    let keys = json!({ "Enabled": true });
    let by_key = "!{partitionKeyFromLambda:k}/";
    let small = json!({ "SizeInMBs": 5, "IntervalInSeconds": 60 });
    for (change, field) in [
        (json!({ "BucketARN": "arn:aws:s3:::.." }), "BucketARN"),
        (json!({ "Prefix": "!{year}" }), "Prefix"),
        (json!({ "Prefix": by_key, "ErrorOutputPrefix": "e/" }), "Prefix"),
        (json!({ "Prefix": "!{timestamp:yyyy}/" }), "ErrorOutputPrefix"),
        (json!({ "CompressionFormat": "ZIP" }), "CompressionFormat"),
        (json!({ "CustomTimeZone": "Asia/Nowhere" }), "CustomTimeZone"),
        (json!({ "BufferingHints": { "SizeInMBs": 5 } }), "BufferingHints"),
        (json!({ "S3BackupMode": "Enabled" }), "S3BackupConfiguration"),
        (
            json!({ "S3BackupConfiguration": { "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bucket", "BufferingHints": small } }),
            "S3BackupConfiguration.BufferingHints",
        ),
        (
            json!({ "S3BackupConfiguration": { "CloudWatchLoggingOptions": { "Enabled": true } } }),
            "S3BackupConfiguration.CloudWatchLoggingOptions.Enabled",
        ),
        (json!({ "S3BackupConfiguration": { "ErrorOutputPrefix": "e/" } }), "S3BackupConfiguration.ErrorOutputPrefix"),
        (json!({ "DataFormatConversionConfiguration": {} }), "DataFormatConversionConfiguration.Enabled"),
        (json!({ "DynamicPartitioningConfiguration": keys }), "DynamicPartitioningConfiguration.Enabled"),
        (
            json!({
                "DynamicPartitioningConfiguration": keys, "ProcessingConfiguration": processing(&[]),
                "Prefix": by_key, "ErrorOutputPrefix": "e/", "BufferingHints": small,
            }),
            "BufferingHints",
        ),
        (
            json!({ "ProcessingConfiguration": { "Processors": [{ "Type": "CloudWatchLogProcessing" }] } }),
            "ProcessingConfiguration.Processors[0].Type",
        ),
        (
            json!({ "ProcessingConfiguration": { "Processors": [{ "Type": "Lambda" }] } }),
            "ProcessingConfiguration.Processors[0].Parameters",
        ),
        (
            json!({ "ProcessingConfiguration": processing(&[("Delimiter", "x")]) }),
            "ProcessingConfiguration.Processors[0].Parameters[1].ParameterName",
        ),
        (
            json!({ "ProcessingConfiguration": processing(&[("NumberOfRetries", "301")]) }),
            "ProcessingConfiguration.Processors[0].Parameters[1].ParameterValue",
        ),
        (
            json!({ "ProcessingConfiguration": processing(&[("BufferSizeInMBs", "0.1")]) }),
            "ProcessingConfiguration.Processors[0].Parameters[1].ParameterValue",
        ),
        (
            json!({ "ProcessingConfiguration": processing(&[("LambdaArn", FUNCTION)]) }),
            "ProcessingConfiguration.Processors[0].Parameters[1].ParameterName",
        ),
        (
            json!({ "ProcessingConfiguration": processing(&[("NumberOfRetries", "1"), ("NumberOfRetries", "1")]) }),
            "ProcessingConfiguration.Processors[0].Parameters[2].ParameterName",
        ),
        (
            json!({ "ProcessingConfiguration": { "Processors": [{
                "Type": "Lambda", "Parameters": [{ "ParameterName": "LambdaArn", "ParameterValue": "f" }],
            }] } }),
            "ProcessingConfiguration.Processors[0].Parameters[0].ParameterValue",
        ),
    ] {
        let error = plan(change.clone()).unwrap_err();
        assert_eq!(error.field, format!("{AT}.{field}"), "{change}: {error}");
        assert!(error.to_string().starts_with(&format!("{AT}.{field}: ")), "{error}");
    }
}

fn processor(kind: &str, parameters: &[(&str, &str)]) -> Value {
    let parameter = |(name, value): &(&str, &str)| json!({ "ParameterName": name, "ParameterValue": value });
    json!({ "Type": kind, "Parameters": parameters.iter().map(parameter).collect::<Vec<_>>() })
}

/// A stream with dynamic partitioning, and these processors besides Lambda.
fn with_processors(processors: &[Value]) -> Value {
    let mut processing = processing(&[]);
    processing["Processors"].as_array_mut().unwrap().extend(processors.iter().cloned());
    json!({
        "Prefix": "!{partitionKeyFromLambda:k}/", "ErrorOutputPrefix": "e/",
        "DynamicPartitioningConfiguration": { "Enabled": true }, "ProcessingConfiguration": processing,
    })
}

#[test]
fn each_processor_is_a_setting() {
    let json = processor("RecordDeAggregation", &[("SubRecordType", "JSON")]);
    let delimited = processor("RecordDeAggregation", &[("SubRecordType", "DELIMITED"), ("Delimiter", "IyMjIw==")]);
    let gzip = processor("Decompression", &[("CompressionFormat", "GZIP")]);
    let append = |delimiter| processor("AppendDelimiterToRecord", &[("Delimiter", delimiter)]);
    let none = Processors::default;
    for (processors, expected) in [
        (vec![], none()),
        (vec![json.clone()], Processors { deaggregation: Some(Deaggregation::Json), ..none() }),
        (vec![delimited], Processors { deaggregation: Some(Deaggregation::Delimited(b"####".into())), ..none() }),
        (vec![gzip.clone()], Processors { decompression: true, ..none() }),
        (vec![json!({ "Type": "Decompression" })], Processors { decompression: true, ..none() }),
        (vec![json!({ "Type": "AppendDelimiterToRecord" })], Processors { delimiter: b"\n".into(), ..none() }),
        (vec![append("\\n")], Processors { delimiter: b"\n".into(), ..none() }),
        (vec![append("\\r\\n\\t\\\\;")], Processors { delimiter: b"\r\n\t\\;".into(), ..none() }),
        (
            // The order does not matter.
            vec![append("|"), json, gzip],
            Processors {
                decompression: true,
                deaggregation: Some(Deaggregation::Json),
                delimiter: b"|".into(),
                ..none()
            },
        ),
    ] {
        let settings = plan(with_processors(&processors)).unwrap().settings;
        assert_eq!((settings.processors, settings.function.is_some()), (expected, true), "{processors:?}");
    }
    // Neither needs a function, nor dynamic partitioning.
    let processors = [json!({ "Type": "Decompression" }), json!({ "Type": "AppendDelimiterToRecord" })];
    let change = |enabled| json!({ "ProcessingConfiguration": { "Enabled": enabled, "Processors": processors } });
    let settings = plan(change(true)).unwrap().settings;
    let expected = Processors { decompression: true, delimiter: b"\n".into(), ..none() };
    assert_eq!((settings.processors, settings.function_arn), (expected, None));
    assert_eq!(plan(change(false)).unwrap().settings.processors, none());
}

#[test]
fn a_refused_processor_names_its_field() {
    let deaggregation = |parameters: &[(&str, &str)]| processor("RecordDeAggregation", parameters);
    for (processor, field) in [
        (processor("MetadataExtraction", &[]), "[1].Parameters"),
        (processor("CloudWatchLogProcessing", &[]), "[1].Type"),
        (processor("Lambda", &[("LambdaArn", FUNCTION)]), "[1]"),
        (deaggregation(&[]), "[1].Parameters"),
        (deaggregation(&[("SubRecordType", "XML")]), "[1].Parameters[0].ParameterValue"),
        (deaggregation(&[("SubRecordType", "DELIMITED")]), "[1].Parameters"),
        (deaggregation(&[("SubRecordType", "DELIMITED"), ("Delimiter", "####")]), "[1].Parameters[1].ParameterValue"),
        (deaggregation(&[("Delimiter", "IyMjIw=="), ("SubRecordType", "JSON")]), "[1].Parameters[0].ParameterValue"),
        (deaggregation(&[("CompressionFormat", "GZIP")]), "[1].Parameters[0].ParameterName"),
        (processor("Decompression", &[("CompressionFormat", "Snappy")]), "[1].Parameters[0].ParameterValue"),
        (processor("AppendDelimiterToRecord", &[("Delimiter", "\\x")]), "[1].Parameters[0].ParameterValue"),
        (processor("AppendDelimiterToRecord", &[("SubRecordType", "JSON")]), "[1].Parameters[0].ParameterName"),
    ] {
        let error = plan(with_processors(&[processor])).unwrap_err();
        assert_eq!(error.field, format!("{AT}.ProcessingConfiguration.Processors{field}"), "{error}");
    }
    let gzip = || json!({ "Type": "Decompression" });
    let json = deaggregation(&[("SubRecordType", "JSON")]);
    let with_size = processing(&[("BufferSizeInMBs", "1")]);
    let with_interval = processing(&[("BufferIntervalInSeconds", "60")]);
    for (processing, field) in [
        // Without dynamic partitioning.
        (json!({ "Enabled": true, "Processors": [json] }), "[0]"),
        (json!({ "Enabled": true, "Processors": [gzip(), gzip()] }), "[1]"),
        (json!({ "Enabled": true, "Processors": vec![gzip(); 6] }), ""),
        (json!({ "Enabled": true, "Processors": [] }), ""),
        (json!({ "Enabled": true }), ""),
        (with_size, "[0].Parameters"),
        (with_interval, "[0].Parameters"),
    ] {
        let error = plan(json!({ "ProcessingConfiguration": processing })).unwrap_err();
        assert_eq!(error.field, format!("{AT}.ProcessingConfiguration.Processors{field}"), "{error}");
    }
}

#[test]
fn what_is_described_can_be_given_back() {
    let hints = json!({ "SizeInMBs": 1, "IntervalInSeconds": 60 });
    let none = json!({ "NoEncryptionConfig": "NoEncryption" });
    let before = definition(json!({
        "BufferingHints": hints, "EncryptionConfiguration": none,
        "DataFormatConversionConfiguration": { "Enabled": false }, "S3BackupMode": "Enabled",
        "S3BackupConfiguration": {
            "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup", "BufferingHints": hints, "EncryptionConfiguration": none,
            "CompressionFormat": "UNCOMPRESSED", "CloudWatchLoggingOptions": { "Enabled": false },
        },
    }));
    let plan = |definition: &Definition| definition.plan(AT, &root(), &FunctionMap::default());
    assert!(plan(&before).is_ok(), "{:?}", plan(&before));
    // The hints of the backup follow.
    let change = merged(json!({}), json!({ "BufferingHints": { "SizeInMBs": 2, "IntervalInSeconds": 60 } }));
    let after = before.merged("ExtendedS3DestinationUpdate", change, 5).unwrap();
    assert_eq!(plan(&after).unwrap().settings.destination_buffer.bytes, 2 * MB);
}

#[test]
fn a_definition_is_bounded() {
    let long = "r".repeat(MAX_DESTINATION_BYTES);
    let error = plan(json!({ "ProcessingConfiguration": processing(&[("RoleArn", &long)]) })).unwrap_err();
    assert_eq!(error.field, AT);
    assert!(error.problem.ends_with("this local Firehose accepts 65536"), "{error}");
}

#[test]
fn an_update_retains_what_it_does_not_have() {
    let backup = json!({ "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup", "Prefix": "b/" });
    let before = definition(json!({ "Prefix": "p/", "S3BackupMode": "Enabled", "S3BackupConfiguration": backup }));
    let change = merged(json!({}), json!({ "CompressionFormat": "GZIP", "S3BackupUpdate": { "Prefix": "c/" } }));
    let after = before.merged("ExtendedS3DestinationUpdate", change, 5).unwrap();
    assert_eq!((after.version, after.updated_ms, after.created_ms), (2, Some(5), before.created_ms));
    let expected = merged(
        json!(before.destination),
        json!({
            "CompressionFormat": "GZIP",
            "S3BackupConfiguration": { "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup", "Prefix": "c/" },
        }),
    );
    assert_eq!(after.destination, expected);

    for (change, field) in [
        (json!({ "S3BackupMode": "Disabled" }), "S3BackupMode"),
        (
            json!({ "DynamicPartitioningConfiguration": { "Enabled": true } }),
            "DynamicPartitioningConfiguration.Enabled",
        ),
    ] {
        let error = before.merged("ExtendedS3DestinationUpdate", merged(json!({}), change), 5).unwrap_err();
        assert_eq!(error.field, format!("ExtendedS3DestinationUpdate.{field}"));
    }
}

#[test]
fn an_empty_text_restores_a_default() {
    let before = definition(json!({ "CustomTimeZone": "Asia/Tokyo", "FileExtension": ".log" }));
    let change = merged(json!({}), json!({ "CustomTimeZone": "", "FileExtension": "" }));
    let after = before.merged("ExtendedS3DestinationUpdate", change, 5).unwrap();
    let settings = after.plan(AT, &root(), &FunctionMap::default()).unwrap().settings;
    assert_eq!((settings.time_zone, settings.file_extension), (TimeZone::UTC, None));
}

#[test]
fn a_bucket_is_a_folder_or_one_at_the_endpoint() {
    let endpoint = Some("http://127.0.0.1:9000".to_owned());
    let s3 = Root::S3 { endpoint: endpoint.clone() };
    for arn in ["arn:aws:s3:::bucket", "arn:aws-cn:s3:::bucket"] {
        assert_eq!(root().bucket(arn), Ok(Destination::Folder("root/bucket".into())));
        assert_eq!(s3.bucket(arn), Ok(Destination::S3 { bucket: "bucket".to_owned(), endpoint: endpoint.clone() }));
    }
    for name in ["..", ".", "a", "A-b"] {
        assert!(root().bucket(&format!("arn:aws:s3:::{name}")).is_err(), "{name}");
    }
}

#[test]
fn a_refused_bucket_is_named_by_its_arn() {
    let problem = Root::Folder("buckets".into()).bucket("arn:aws:s3:::q1").unwrap_err();
    assert!(problem.starts_with("invalid bucket: arn:aws:s3:::q1; accepted are 3 to 63 "), "{problem}");
}
