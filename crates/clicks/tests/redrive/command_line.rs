//! What is refused, and how.

use serde_json::{Value, json};
use test_support::exit::Exit;

use crate::firehose::{Firehose, description};
use crate::run::{Numbers, Redrive, all};

#[test]
fn wrong_usage_is_told() {
    let redrive = Redrive::of(&[("a", &all(["a"]))]);
    let firehose = Firehose::start();
    let endpoint = firehose.url();
    let base = ["errors", "--stream", "clicks", "--endpoint", &endpoint, "--ledger", "ledger"];
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
        (
            with(&["--archive", "a/../b"]),
            "accepted is a prefix of the source's own bucket or folder, such as redriven/",
        ),
        (with(&["--archive", "/tmp"]), "accepted is a prefix of the source's own bucket or folder, such as redriven/"),
        (from("no/such"), "error: no/such: found neither a folder nor a file; accepted is one of both, or s3://"),
        (from("gs://clicks/errors"), "error: gs://clicks/errors is neither a folder nor s3://BUCKET"),
        (from("s3://C/errors"), "error: s3://C is not a bucket's name"),
        (vec!["errors", "--stream", "clicks", "--endpoint", "firehose"], "'--endpoint <URL>'"),
        (vec!["errors", "--stream", "clicks"], "error: found no region: set AWS_REGION to that of the stream"),
    ] {
        Exit::from(redrive.bare_command(&arguments).output().unwrap()).refuses(2, message);
    }
    assert!(firehose.calls().is_empty() && redrive.names() == ["a"]);
    assert!(!redrive.folder.path().join("ledger").exists());
}

#[test]
fn a_stream_that_takes_no_records_is_told() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
    for (status, answer, code, message) in [
        (
            400,
            json!({ "__type": "ResourceNotFoundException" }),
            2,
            "found no such stream; accepted is the name of one (`--stream`)\n",
        ),
        (
            200,
            description("ACTIVE", "KinesisStreamAsSource"),
            2,
            "found a stream whose source is KinesisStreamAsSource; accepted is one with Direct PUT, as only that takes \
             records. Of one that reads a data stream, put into that: `--data-stream NAME` instead of `--stream`\n",
        ),
        (
            200,
            description("CREATING", "DirectPut"),
            2,
            "found a stream that is CREATING; accepted is one that is ACTIVE\n",
        ),
        (
            400,
            json!({ "__type": "AccessDeniedException", "message": "no" }),
            1,
            "could not ask for the stream: AccessDeniedException: no\n",
        ),
        (200, Value::Null, 1, "could not ask for the stream: "),
    ] {
        firehose.describe(status, answer);
        redrive.end(&firehose, &[]).refuses(code, &format!("error: {}: {message}", firehose.target()));
    }
    assert!(firehose.calls().is_empty() && !redrive.ledger().exists());
    let gone = Exit::from(redrive.command("http://127.0.0.1:9", &[]).output().unwrap());
    gone.refuses(1, "error: clicks@localhost-9: could not ask for the stream: ");
}

#[test]
fn the_endpoint_and_credentials_may_be_those_of_every_tool_of_aws() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
    let mut command = redrive.bare_command(&["errors", "--stream", "clicks", "--ledger", "ledger", "--json"]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_ENDPOINT_URL_FIREHOSE", firehose.url());
    command.env("AWS_REGION", "eu-west-1").env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "secret");
    let ended = Exit::from(command.output().unwrap());
    assert_eq!((ended.code, firehose.texts()), (Some(0), vec!["a".to_owned()]), "{}", ended.stderr);
    assert!(
        firehose.authorization().contains("Credential=id/")
            && firehose.authorization().contains("/eu-west-1/firehose/")
    );
    assert_eq!(ended.report()["target"], firehose.target());
}

#[test]
fn a_source_with_nothing_in_it_is_no_error() {
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    let ended = redrive.run(&firehose, &[], 0, &json!({}));
    let place = redrive.errors().canonicalize().unwrap();
    let told =
        format!("found no object below {}: a prefix ends where a name between two slashes does", place.display());
    ended.tells(&[&told]);
}

/// Emulators answer with a few fields, and with others than Firehose's.
#[test]
fn a_description_needs_what_is_read_of_it_alone() {
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
        let ended = redrive.end(&firehose, &[]);
        assert_eq!((ended.code, firehose.texts()), (Some(0), vec!["a".to_owned()]), "{described}: {}", ended.stderr);
    }
    for missing in ["DeliveryStreamARN", "DeliveryStreamStatus", "DeliveryStreamType"] {
        let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
        let mut described = needed.clone();
        described.as_object_mut().unwrap().remove(missing);
        firehose.describe(200, json!({ "DeliveryStreamDescription": described }));
        redrive.end(&firehose, &[]).refuses(1, "could not ask for the stream: ");
        assert!(firehose.calls().is_empty());
    }
}
