use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tempfile::TempDir;
use test_support::until;
use tokio::time::{sleep, timeout};

use super::*;
use crate::stream::StreamSettings;
use firehose_model::event::encode;
use firehose_model::scope::Scope;
use object_storage::Bucket;

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
        source: None,
        destination: destination.as_object().unwrap().clone(),
    }
}

async fn control(folder: &TempDir, streams: Registry) -> Result<Control, ControlError> {
    let root = Root::Folder(folder.path().join("buckets"));
    let state = Some(folder.path().join("state"));
    let options = ControlOptions { root, functions: FunctionMap::default(), state, retention_bytes: 1_000_000 };
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
    let found = described.definition;
    assert_eq!((found.version, &found.destination["Prefix"], described.status), (2, &json!("p/"), Status::Active));
    assert_eq!(control.tags(StreamKind::Delivery, "s").unwrap(), tags);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_ends_without_its_client() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await.unwrap();
    control.create(definition("s"), AT, Tags::new()).await.unwrap();
    let _disconnected = timeout(Duration::ZERO, control.delete("s")).await;
    tokio::task::block_in_place(|| until(|| control.describe("s").is_none()));
}

#[tokio::test]
async fn a_stop_ends_deletions() {
    let folder = tempfile::tempdir().unwrap();
    {
        let control = control(&folder, Registry::default()).await.unwrap();
        for name in ["deleted", "kept"] {
            control.create(definition(name), AT, Tags::new()).await.unwrap();
            assert!(control.accepting(name).unwrap().put(vec![encode(name.as_bytes())]).await[0].is_ok());
        }
        control.delete("deleted").await.unwrap();
        assert!(control.stop().await);
    }
    let control = control(&folder, Registry::default()).await.unwrap();
    assert_eq!(control.list().into_keys().collect::<Vec<_>>(), ["kept"]);
    assert!(!folder.path().join("state/deleted.redb").exists());
}

#[tokio::test(start_paused = true)]
async fn a_deletion_fails_while_the_storage_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await.unwrap();
    control.create(definition("s"), AT, Tags::new()).await.unwrap();
    let bucket = folder.path().join("buckets/bucket");
    fs::remove_dir(&bucket).unwrap();
    fs::write(&bucket, "").unwrap();
    assert!(control.accepting("s").unwrap().put(vec![encode(b"late")]).await[0].is_ok());
    control.delete("s").await.unwrap();
    while control.describe("s").unwrap().status != Status::DeletingFailed {
        sleep(Duration::from_secs(1)).await;
    }
    control.delete("s").await.unwrap();
    let update = control.update("s", update("1", json!({}))).await;
    assert!(matches!(update, Err(Refusal::Busy(Status::DeletingFailed))), "{update:?}");
    assert!(folder.path().join("state/s.redb").exists());

    fs::remove_file(&bucket).unwrap();
    fs::create_dir(&bucket).unwrap();
    while control.describe("s").is_some() {
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(objects(&folder), "late");
}

#[tokio::test]
async fn a_change_that_is_not_on_disk_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await.unwrap();
    let tags = Tags::from([("a".to_owned(), None)]);
    control.create(definition("s"), AT, tags.clone()).await.unwrap();
    let new = folder.path().join("state/streams.new");
    fs::create_dir(&new).unwrap();
    for refused in [
        control.create(definition("t"), AT, Tags::new()).await,
        control.update("s", update("1", json!({ "Prefix": "p/" }))).await,
        control.tag(StreamKind::Delivery, "s", Tags::from([("b".to_owned(), None)])).await,
        control.untag(StreamKind::Delivery, "s", &["a".to_owned()]).await,
        control.delete("s").await,
    ] {
        assert!(matches!(refused, Err(Refusal::Failed)), "{refused:?}");
    }
    assert!(control.accepting("s").is_some() && control.describe("t").is_none());
    assert_eq!(control.describe("s").unwrap().definition, definition("s"));
    assert_eq!(control.tags(StreamKind::Delivery, "s").unwrap(), tags);
    fs::remove_dir(&new).unwrap();
    control.create(definition("t"), AT, Tags::new()).await.unwrap();
}

#[tokio::test]
async fn an_open_bucket_is_not_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let upload = folder.path().join("buckets/bucket/s-1-2026-11-20-08-22-01-b0f3a2a4-6a3e-4a54-9e0c-0a3f8d2f1c11#1");
    {
        let control = control(&folder, Registry::default()).await.unwrap();
        control.create(definition("a"), AT, Tags::new()).await.unwrap();
        let two_hours_ago = SystemTime::now() - Duration::from_hours(2);
        File::create(&upload).unwrap().set_modified(two_hours_ago).unwrap();
        control.create(definition("b"), AT, Tags::new()).await.unwrap();
        control.update("b", update("1", json!({ "Prefix": "p/" }))).await.unwrap();
        assert!(upload.exists());
        assert!(control.stop().await);
    }
    let _control = control(&folder, Registry::default()).await.unwrap();
    assert!(!upload.exists());
}

#[tokio::test]
async fn streams_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::Folder(folder.path().join("buckets"));
    let functions = FunctionMap::default();
    let options = ControlOptions { root, functions, state: None, retention_bytes: 1_000_000 };
    let log = FunctionLog::open(&folder.path().join("function.log"), false).unwrap();
    let control = Control::open(Registry::default(), options, Arc::new(log)).await.unwrap();
    for number in 0..super::refusal::MAX_STREAMS {
        control.create(definition(&number.to_string()), AT, Tags::new()).await.unwrap();
    }
    let refused = control.create(definition("more"), AT, Tags::new()).await.unwrap_err();
    assert_eq!(refused.to_string(), "this local Firehose has at most 100 streams that are created");
}

#[tokio::test]
async fn streams_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    {
        let control = control(&folder, Registry::default()).await.unwrap();
        control.create(definition("s"), AT, Tags::new()).await.unwrap();
        assert!(control.stop().await);
        fs::write(folder.path().join("state/left.redb"), "").unwrap();
        let left = control.create(definition("left"), AT, Tags::new()).await;
        assert!(matches!(&left, Err(Refusal::RecordsLeft(path)) if path.ends_with("state/left.redb")), "{left:?}");
    }
    let state = folder.path().join("state");
    assert!(Control::check_names(&state, ["t"]).is_ok() && Control::check_names(folder.path(), ["s"]).is_ok());
    let error = Control::check_names(&state, ["t", "s"]).unwrap_err().to_string();
    assert!(error.starts_with("the stream s is configured, and "), "{error}");

    let registry = Registry::default();
    let settings = StreamSettings::untransformed("s", &folder.path().join("configured"));
    let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
    let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
    registry.add(DeliveryStream::start(settings, bucket, log, None).unwrap()).unwrap();
    assert!(matches!(control(&folder, registry).await, Err(ControlError::Configured(name)) if name == "s"));
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
    assert_eq!(control.describe("s").unwrap().definition, definition("s"));

    let tags = |from: usize, to: usize| (from..to).map(|number| (number.to_string(), None)).collect::<Tags>();
    control.tag(StreamKind::Delivery, "s", tags(0, 50)).await.unwrap();
    assert!(matches!(control.tag(StreamKind::Delivery, "s", tags(49, 51)).await, Err(Refusal::TooManyTags)));
    control.untag(StreamKind::Delivery, "s", &["0".to_owned(), "unknown".to_owned()]).await.unwrap();
    control.tag(StreamKind::Delivery, "s", tags(49, 51)).await.unwrap();
    assert_eq!(control.tags(StreamKind::Delivery, "s").unwrap(), tags(1, 51));
    assert!(matches!(control.tag(StreamKind::Delivery, "missing", tags(0, 1)).await, Err(Refusal::NotFound)));
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
