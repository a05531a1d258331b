use serde_json::json;
use tempfile::TempDir;
use test_support::until;

use super::*;
use crate::stream::StreamSettings;
use firehose_model::event::encode;
use firehose_model::scope::Scope;

const AT: &str = "ExtendedS3DestinationConfiguration";

fn definition(name: &str) -> Definition {
    let destination = json!({
        "RoleARN": "arn:aws:iam::123456789012:role/firehose", "BucketARN": "arn:aws:s3:::bucket",
        "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 900 },
    });
    Definition {
        name: name.to_owned(),
        scope: Scope::default(),
        created_ms: 1_700_000_000_000,
        updated_ms: None,
        version: 1,
        destination: destination.as_object().unwrap().clone(),
    }
}

async fn control(folder: &TempDir, streams: Registry) -> Result<Control, ControlError> {
    let root = Root::Folder(folder.path().join("buckets"));
    let state = Some(folder.path().join("state"));
    let options = ControlOptions { root, functions: FunctionMap::default(), state };
    let log = FunctionLog::open(&folder.path().join("function.log"), false).unwrap();
    Control::open(streams, options, Arc::new(log)).await
}

fn update(version: &str, change: Value) -> Update {
    let Value::Object(change) = change else { unreachable!() };
    let destination_id = DESTINATION_ID.to_owned();
    Update { version: version.to_owned(), destination_id, at: "ExtendedS3DestinationUpdate", change }
}

fn objects(folder: &TempDir) -> String {
    contents(&folder.path().join("buckets"))
}

/// The contents of all files below a folder.
fn contents(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let content = |path: PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) => contents(&path),
    };
    entries.map(content).collect()
}

#[tokio::test]
async fn streams_and_tags_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let tags = Tags::from([("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), None)]);
    {
        let control = control(&folder, Registry::default()).await.unwrap();
        control.create(definition("s"), AT, tags.clone()).await.unwrap();
        control.update("s", update("1", json!({ "Prefix": "p/" }))).await.unwrap();
        assert!(control.accepting("s").unwrap().put(vec![encode(b"kept")]).await[0].is_ok());
        assert!(control.accepting("s").unwrap().stop().await);
    }
    let control = control(&folder, Registry::default()).await.unwrap();
    let described = control.describe("s").unwrap();
    let found = described.definition.unwrap();
    assert_eq!((found.version, &found.destination["Prefix"], described.status), (2, &json!("p/"), Status::Active));
    assert_eq!(control.tags("s").unwrap(), tags);
    assert_eq!(objects(&folder), "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stream_flushes_its_records_first() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await.unwrap();
    control.create(definition("s"), AT, Tags::new()).await.unwrap();
    let stream = control.accepting("s").unwrap();
    assert!(stream.put(vec![encode(b"flushed")]).await[0].is_ok());
    control.delete("s").await.unwrap();
    assert!(control.accepting("s").is_none());
    tokio::task::block_in_place(|| until(|| control.describe("s").is_none()));
    assert_eq!((objects(&folder).as_str(), stream.unsettled()), ("flushed", 0));
    assert!(!folder.path().join("state/s.redb").exists());
    assert!(matches!(control.delete("s").await, Err(Refusal::NotFound)));
    // The name is free again.
    control.create(definition("s"), AT, Tags::new()).await.unwrap();
}

#[tokio::test]
async fn operations_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::default();
    let settings = StreamSettings::untransformed("configured", &folder.path().join("configured"));
    let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
    let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
    registry.add(DeliveryStream::start(settings, bucket, log, None).unwrap()).unwrap();
    let control = control(&folder, registry).await.unwrap();
    control.create(definition("s"), AT, Tags::new()).await.unwrap();

    for name in ["s", "configured"] {
        assert!(matches!(control.create(definition(name), AT, Tags::new()).await, Err(Refusal::Exists)), "{name}");
    }
    assert!(matches!(control.delete("configured").await, Err(Refusal::Configured)));
    assert!(matches!(control.update("configured", update("1", json!({}))).await, Err(Refusal::Configured)));
    assert!(matches!(control.update("missing", update("1", json!({}))).await, Err(Refusal::NotFound)));
    let wrong = control.update("s", update("2", json!({}))).await;
    assert!(matches!(wrong, Err(Refusal::Version { current: 1, .. })), "{wrong:?}");
    let elsewhere = Update { destination_id: "destinationId-000000000002".to_owned(), ..update("1", json!({})) };
    assert!(
        matches!(control.update("s", elsewhere).await, Err(Refusal::Field(error)) if error.field == "DestinationId")
    );
    let invalid = control.update("s", update("1", json!({ "CompressionFormat": "ZIP" }))).await;
    assert!(matches!(invalid, Err(Refusal::Field(_))), "{invalid:?}");
    // A refused update changes nothing.
    assert_eq!(control.describe("s").unwrap().definition, Some(definition("s")));

    let tags = |from: usize, to: usize| (from..to).map(|number| (number.to_string(), None)).collect::<Tags>();
    control.tag("s", tags(0, 50)).await.unwrap();
    assert!(matches!(control.tag("s", tags(49, 51)).await, Err(Refusal::TooManyTags)));
    control.untag("s", &["0".to_owned(), "unknown".to_owned()]).await.unwrap();
    control.tag("s", tags(49, 51)).await.unwrap();
    assert_eq!(control.tags("s").unwrap(), tags(1, 51));
    assert!(matches!(control.tag("missing", tags(0, 1)).await, Err(Refusal::NotFound)));
    assert_eq!(control.list().into_keys().collect::<Vec<_>>(), ["configured", "s"]);
}

#[tokio::test]
async fn definitions_that_cannot_be_read_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let path = folder.path().join("state/streams.json");
    std::fs::write(&path, "{").unwrap();
    let error = control(&folder, Registry::default()).await.unwrap_err().to_string();
    assert_eq!(error, format!("could not read the streams in {} (`--state`)", path.display()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{");
}
