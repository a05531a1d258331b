//! Options and streams that are refused.

use serde_json::{Value, json};
use test_support::exit::Exit;

use crate::firehose::{Firehose, description};
use crate::run::{Numbers, Redrive, all};

#[test]
fn wrong_usage_is_refused() {
    let redrive = Redrive::of(&[("a", &all(["a"]))]);
    let firehose = Firehose::start();
    let endpoint = firehose.url();
    let base = ["errors", "--stream", "clicks", "--endpoint", &endpoint, "--journal", "journal"];
    let with = |more: &[&'static str]| [&base, more].concat();
    let from = |source| [&[source], &base[1..]].concat();
    for (arguments, message) in [
        (vec!["errors"], "--stream <NAME>"),
        (vec!["--stream", "clicks"], "<s3://BUCKET/PREFIX|DIR>"),
        (vec!["errors", "--stream", "a b"], "'--stream <NAME>'"),
        (with(&["--since", "yesterday"]), "accepted is a time such as 2026-11-26T10:00:00Z"),
        (with(&["--until", "2026-11-26T10:00:00"]), "accepted is a time such as"),
        (with(&["--rate", "0"]), "'--rate <N>'"),
        (with(&["--rate", "100001"]), "'--rate <N>'"),
        (with(&["--limit", "0"]), "'--limit <N>'"),
        (with(&["--again=put"]), "[possible values: failed, uncertain, all]"),
        (with(&["--archive", "a/../b"]), "accepted is a prefix in the source's bucket or folder, such as redriven/"),
        (with(&["--archive", "/tmp"]), "accepted is a prefix in the source's bucket or folder, such as redriven/"),
        (from("no/such"), "error: no/such: no such file or folder; accepted is a file, a folder, or s3://"),
        (
            from("gs://clicks/errors"),
            "error: invalid destination: gs://clicks/errors; accepted is a folder, or a bucket as s3://BUCKET",
        ),
        (from("s3://C/errors"), "error: invalid bucket: s3://C; accepted"),
        (vec!["errors", "--stream", "clicks", "--endpoint", "firehose"], "'--endpoint <URL>'"),
        (
            vec!["errors", "--stream", "clicks"],
            "error: no region is set; accepted is the stream's, such as us-east-1 (AWS_REGION)",
        ),
    ] {
        Exit::from(redrive.bare_command(&arguments).output().unwrap()).refuses(2, message);
    }
    assert!(firehose.calls().is_empty() && redrive.names() == ["a"]);
    assert!(!redrive.folder.path().join("journal").exists());
}

#[test]
fn a_stream_that_accepts_no_records_is_refused() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
    for (status, answer, code, message) in [
        (
            400,
            json!({ "__type": "ResourceNotFoundException" }),
            2,
            "no such stream; accepted is the name of an existing one (`--stream`)\n",
        ),
        (
            200,
            description("ACTIVE", "KinesisStreamAsSource"),
            2,
            "the stream's source is KinesisStreamAsSource; accepted is Direct PUT. If it reads a data stream, put the records into \
             that: `--data-stream NAME` instead of `--stream`\n",
        ),
        (200, description("CREATING", "DirectPut"), 2, "the stream is CREATING; accepted is ACTIVE\n"),
        (
            400,
            json!({ "__type": "AccessDeniedException", "message": "no" }),
            1,
            "could not describe the stream: AccessDeniedException: no\n",
        ),
        (200, Value::Null, 1, "could not describe the stream: "),
    ] {
        firehose.describe(status, answer);
        redrive.end(&firehose, &[]).refuses(code, &format!("error: {}: {message}", firehose.target()));
    }
    assert!(firehose.calls().is_empty() && !redrive.journal().exists());
    let gone = Exit::from(redrive.command("http://127.0.0.1:9", &[]).output().unwrap());
    gone.refuses(1, "error: clicks@localhost-9: could not describe the stream: ");
}

#[test]
fn the_endpoint_and_credentials_are_read_from_the_variables_of_aws_sdks() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
    let mut command = redrive.bare_command(&["errors", "--stream", "clicks", "--journal", "journal", "--json"]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_ENDPOINT_URL_FIREHOSE", firehose.url());
    command.env("AWS_REGION", "eu-west-1").env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "secret");
    let exit = Exit::from(command.output().unwrap());
    assert_eq!((exit.code, firehose.texts()), (Some(0), vec!["a".to_owned()]), "{}", exit.stderr);
    assert!(
        firehose.authorization().contains("Credential=id/")
            && firehose.authorization().contains("/eu-west-1/firehose/")
    );
    assert_eq!(exit.report()["target"], firehose.target());
}

#[test]
fn an_empty_source_is_no_error() {
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    let exit = redrive.run(&firehose, &[], 0, &json!({}));
    let place = redrive.errors().canonicalize().unwrap();
    let expected_message =
        format!("no object in {}: a prefix consists of whole parts between slashes", place.display());
    exit.reports(&[&expected_message]);

    redrive.write("empty", "");
    let exit = redrive.end(&firehose, &["errors/empty"]);
    exit.reports(&[&format!("{}/empty is empty, or hidden: it has no record", place.display())]);
    assert_eq!(exit.code, Some(0));
}

/// Emulators omit fields, or have others than Firehose.
#[test]
fn a_description_needs_only_the_fields_that_are_read() {
    let needed = json!({
        "DeliveryStreamName": "clicks", "DeliveryStreamARN": "arn:clicks", "DeliveryStreamStatus": "ACTIVE",
        "DeliveryStreamType": "DirectPut",
    });
    let with = |name: &str, value: Value| {
        let mut described = needed.clone();
        described[name] = value;
        described
    };
    let destination = json!([{ "DestinationId": "d", "ExtendedS3DestinationDescription": { "BucketARN": "arn:b" } }]);
    for described in [
        needed.clone(),
        with("CreateTimestamp", json!("2026-11-26T10:00:00Z")),
        with("CreateTimestamp", json!(1_700_000_000.25)),
        with("VersionId", Value::Null),
        with("HasMoreDestinations", Value::Null),
        with("HasMoreDestinations", json!("false")),
        with("Destinations", json!([])),
        with("Destinations", Value::Null),
        with("Destinations", json!([{}])),
        with("Destinations", json!([{ "S3DestinationDescription": {} }])),
        with("Destinations", destination),
        with("DeliveryStreamEncryptionConfiguration", json!({ "Status": "DISABLED" })),
        with("Source", json!({})),
    ] {
        let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
        firehose.describe(200, json!({ "DeliveryStreamDescription": described }));
        let exit = redrive.end(&firehose, &[]);
        assert_eq!((exit.code, firehose.texts()), (Some(0), vec!["a".to_owned()]), "{described}: {}", exit.stderr);
    }
    for missing in ["DeliveryStreamARN", "DeliveryStreamStatus", "DeliveryStreamType"] {
        let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
        let mut described = needed.clone();
        described.as_object_mut().unwrap().remove(missing);
        firehose.describe(200, json!({ "DeliveryStreamDescription": described }));
        redrive.end(&firehose, &[]).refuses(1, "could not describe the stream: ");
        assert!(firehose.calls().is_empty());
    }
}
