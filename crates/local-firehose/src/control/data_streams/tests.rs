use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use test_support::until;

use super::*;
use crate::control::{ControlOptions, DESTINATION_ID, Definition, FunctionMap, Root, Update};
use crate::functions::FunctionLog;
use crate::registry::Registry;
use crate::stream::PutEntry;
use firehose_model::event::encode;
use firehose_model::scope::Scope;

const AT: &str = "ExtendedS3DestinationConfiguration";

async fn control(folder: &TempDir, streams: Registry) -> Control {
    let (root, state) = (Root::Folder(folder.path().join("buckets")), Some(folder.path().join("state")));
    let options = ControlOptions { root, functions: FunctionMap::default(), state, retention_bytes: 1_000_000 };
    let log = FunctionLog::open(&folder.path().join("function.log"), false).unwrap();
    Control::open(streams, options, Arc::new(log)).await.unwrap()
}

fn shards(count: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(count)
}

fn reader(name: &str, data_stream: &str) -> Definition {
    let destination = json!({
        "RoleARN": "arn:aws:iam::123456789012:role/firehose", "BucketARN": format!("arn:aws:s3:::bucket-{name}"),
        "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 900 },
    });
    Definition {
        name: name.to_owned(),
        scope: Scope::default(),
        created_ms: 1_700_000_000_000,
        updated_ms: None,
        version: 1,
        source: Some(KinesisSource { stream: data_stream.to_owned(), created_ms: None, role_arn: "role".to_owned() }),
        destination: destination.as_object().unwrap().clone(),
    }
}

async fn put(control: &Control, name: &str, text: &str) {
    let (stream, _) = control.data_stream(name).unwrap();
    let (data, partition_key) = (encode(text.as_bytes()), "k".to_owned());
    let entry = PutEntry { bytes: text.len() + 1, data, partition_key, hash_key: 0 };
    assert!(stream.put(vec![entry]).await[0].is_ok());
}

fn contents(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let content = |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|_| contents(&path));
    entries.map(content).collect()
}

#[tokio::test]
async fn data_streams_and_their_tags_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let tags = Tags::from([("a".to_owned(), Some("1".to_owned()))]);
    let created = {
        let control = control(&folder, Registry::default()).await;
        control.create_data_stream("d".to_owned(), shards(3), tags.clone()).await.unwrap();
        control.create_data_stream("e".to_owned(), None, Tags::new()).await.unwrap();
        control.set_retention("d", 48, RetentionChange::Increase).await.unwrap();
        put(&control, "d", "lost").await;
        control.data_stream("d").unwrap().0.created
    };
    let control = control(&folder, Registry::default()).await;
    let (stream, status) = control.data_stream("d").unwrap();
    assert_eq!((stream.settings.provisioned, stream.created, status), (shards(3), created, Status::Active));
    assert_eq!((stream.retention().unwrap().hours(), control.tags(StreamKind::Data, "d").unwrap()), (48, tags));
    let names: Vec<String> = control.data_streams().iter().map(|(stream, _)| stream.name().to_owned()).collect();
    assert_eq!((names, control.data_streams()[1].0.settings.provisioned), (vec!["d".to_owned(), "e".to_owned()], None));
}

#[tokio::test]
async fn an_interrupted_deletion_ends_with_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    {
        let control = control(&folder, Registry::default()).await;
        control.create_data_stream("d".to_owned(), shards(1), Tags::new()).await.unwrap();
        control.create_data_stream("e".to_owned(), shards(1), Tags::new()).await.unwrap();
        control.set_data_stream_status("d", Status::Deleting);
        control.save().await.unwrap();
    }
    let control = control(&folder, Registry::default()).await;
    assert!(control.data_stream("d").is_none() && control.data_stream("e").is_some());
    control.create_data_stream("d".to_owned(), shards(1), Tags::new()).await.unwrap();
}

#[tokio::test]
async fn a_change_that_is_not_on_disk_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await;
    let tags = Tags::from([("a".to_owned(), Some("1".to_owned()))]);
    control.create_data_stream("d".to_owned(), shards(1), tags.clone()).await.unwrap();
    let new = folder.path().join("state/streams.new");
    std::fs::create_dir(&new).unwrap();
    for refused in [
        control.create_data_stream("e".to_owned(), shards(1), Tags::new()).await,
        control.set_retention("d", 48, RetentionChange::Increase).await,
        control.tag(StreamKind::Data, "d", Tags::from([("b".to_owned(), None)])).await,
        control.untag(StreamKind::Data, "d", &["a".to_owned()]).await,
        control.delete_data_stream("d").await,
    ] {
        assert!(matches!(refused, Err(Refusal::Failed)), "{refused:?}");
    }
    let (stream, status) = control.data_stream("d").unwrap();
    assert_eq!((status, stream.retention().unwrap().hours()), (Status::Active, 24));
    assert_eq!(control.tags(StreamKind::Data, "d").unwrap(), tags);
    assert!(control.data_stream("e").is_none());
    std::fs::remove_dir(&new).unwrap();
    // The entry is as before, too.
    control.set_retention("d", 24, RetentionChange::Increase).await.unwrap();
    control.create_data_stream("e".to_owned(), shards(1), Tags::new()).await.unwrap();
}

#[tokio::test]
async fn a_new_data_stream_has_only_its_own_tags() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await;
    // As those of a stream that was once configured.
    control.created().set_tags(StreamKind::Data, "d", Tags::from([("a".to_owned(), None)]));
    control.create_data_stream("d".to_owned(), shards(1), Tags::new()).await.unwrap();
    assert_eq!(control.tags(StreamKind::Data, "d").unwrap(), Tags::new());
    // Streams without tags leave no entries.
    control.tag(StreamKind::Data, "d", Tags::from([("a".to_owned(), None)])).await.unwrap();
    control.untag(StreamKind::Data, "d", &["a".to_owned()]).await.unwrap();
    assert!(control.created().data_stream_tags.is_empty());
}

/// Each look may be between two steps of the deletion.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_data_stream_is_never_active_again() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await;
    for _ in 0..20 {
        control.create_data_stream("d".to_owned(), shards(1), Tags::new()).await.unwrap();
        control.delete_data_stream("d").await.unwrap();
        while let Some((_, status)) = control.data_stream("d") {
            assert_eq!(status, Status::Deleting);
            let listed = control.data_streams();
            assert!(listed.iter().all(|(_, status)| *status == Status::Deleting), "{listed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_stream_reads_a_data_stream_also_after_a_restart_and_an_update() {
    let folder = tempfile::tempdir().unwrap();
    {
        let control = control(&folder, Registry::default()).await;
        control.create_data_stream("d".to_owned(), shards(1), Tags::new()).await.unwrap();
        put(&control, "d", "before ").await;
        control.create(reader("s", "d"), AT, Tags::new()).await.unwrap();
        put(&control, "d", "one ").await;
        let change = json!({ "Prefix": "p/" }).as_object().unwrap().clone();
        let update = Update {
            version: "1".to_owned(),
            destination_id: DESTINATION_ID.to_owned(),
            at: "ExtendedS3DestinationUpdate",
            change,
        };
        control.update("s", update).await.unwrap();
        put(&control, "d", "two ").await;
        let stream = control.accepting("s").unwrap();
        assert_eq!(stream.settings().data_stream(), Some("d"));
        assert!(stream.stop().await);
    }
    let bucket = folder.path().join("buckets/bucket-s");
    let first = contents(&bucket);
    assert!(["one two ", "two one "].contains(&&*first), "{first}");
    let control = control(&folder, Registry::default()).await;
    put(&control, "d", "three ").await;
    control.delete("s").await.unwrap();
    tokio::task::block_in_place(|| until(|| control.describe("s").is_none()));
    assert!(contents(&bucket).contains("three ") && !contents(&bucket).contains("before"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_data_stream_is_read_to_its_end_and_its_name_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await;
    control.create_data_stream("d".to_owned(), shards(2), Tags::new()).await.unwrap();
    control.create(reader("s", "d"), AT, Tags::new()).await.unwrap();
    put(&control, "d", "read").await;
    control.delete_data_stream("d").await.unwrap();
    tokio::task::block_in_place(|| until(|| control.data_stream("d").is_none()));
    assert!(matches!(control.delete_data_stream("d").await, Err(Refusal::NotFound)));
    assert!(control.accepting("s").unwrap().stop().await);
    assert_eq!(contents(&folder.path().join("buckets/bucket-s")), "read");
    control.create_data_stream("d".to_owned(), None, Tags::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_stream_does_not_read_a_later_data_stream_of_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    {
        let control = control(&folder, Registry::default()).await;
        control.create_data_stream("d".to_owned(), shards(1), Tags::new()).await.unwrap();
        control.create(reader("s", "d"), AT, Tags::new()).await.unwrap();
        control.delete_data_stream("d").await.unwrap();
        tokio::task::block_in_place(|| until(|| control.data_stream("d").is_none()));
        control.create_data_stream("d".to_owned(), shards(1), Tags::new()).await.unwrap();
        assert!(control.stop().await);
    }
    let control = control(&folder, Registry::default()).await;
    put(&control, "d", "later").await;
    assert!(control.stop().await);
    assert_eq!(contents(&folder.path().join("buckets/bucket-s")), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_deletions_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await;
    for _ in 0..10 {
        control.create_data_stream("d".to_owned(), shards(1), Tags::new()).await.unwrap();
        control.delete_data_stream("d").await.unwrap();
        tokio::task::block_in_place(|| until(|| control.data_stream("d").is_none()));
    }
    assert!(control.deletions().len() < 5);
}

#[tokio::test]
async fn operations_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let control = control(&folder, Registry::default()).await;
    control.create_data_stream("d".to_owned(), shards(1), Tags::new()).await.unwrap();
    let again = control.create_data_stream("d".to_owned(), None, Tags::new()).await;
    assert!(matches!(again, Err(Refusal::Exists)), "{again:?}");
    for (hours, change) in [(23, RetentionChange::Increase), (25, RetentionChange::Decrease)] {
        let refused = control.set_retention("d", hours, change).await;
        assert!(matches!(refused, Err(Refusal::Retention { current: 24, given }) if given == hours), "{refused:?}");
    }
    let missing = control.set_retention("missing", 48, RetentionChange::Increase).await;
    assert!(matches!(missing, Err(Refusal::NotFound)), "{missing:?}");
    let many: Tags = (0..51).map(|number| (number.to_string(), Some(String::new()))).collect();
    assert!(matches!(control.tag(StreamKind::Data, "d", many).await, Err(Refusal::TooManyTags)));
    let unread = control.create(reader("s", "missing"), AT, Tags::new()).await;
    let field = "KinesisStreamSourceConfiguration.KinesisStreamARN";
    assert!(matches!(&unread, Err(Refusal::Field(error)) if error.field == field), "{unread:?}");
    control.set_data_stream_status("d", Status::Deleting);
    let refused = control.create(reader("s", "d"), AT, Tags::new()).await.unwrap_err().to_string();
    assert!(refused.ends_with("the data stream d is DELETING; accepted is one that is ACTIVE"), "{refused}");
    assert!(control.describe("s").is_none());
}
