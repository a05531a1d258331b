use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use firehose_model::kinesis::shard::ShardId;
use test_support::damage::{copies, count_beside, damages, without_the_last_commit, write};

/// Numbered records.
fn accepted(count: u32) -> Vec<Accepted> {
    static NEXT: AtomicU64 = AtomicU64::new(1_700_000_000_000_000);
    let record = |number: u32| {
        let sequence = NEXT.fetch_add(1, Ordering::Relaxed);
        let arrival_ms = 1_700_000_000_000 + i64::from(number);
        Accepted::new(sequence, Record::direct_put(sequence, arrival_ms, format!("data{number}")))
    };
    (0..count).map(record).collect()
}

async fn keep(state: &State, records: Vec<Accepted>) -> bool {
    let (written, done) = oneshot::channel();
    state.keep(records, move |_, kept| written.send(kept).unwrap());
    done.await.unwrap()
}

/// The records of the next run.
fn reopen(path: &Path) -> (State, Vec<(u64, Record)>) {
    let (state, Recovered { records, .. }) = State::open(path).unwrap();
    (state, records)
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    (folder, path)
}

fn data(records: &[(u64, Record)]) -> Vec<&str> {
    records.iter().map(|(_, record)| record.data.as_str()).collect()
}

#[tokio::test]
async fn unsettled_records_are_read_again_in_their_order() {
    let (_folder, path) = place();
    let (state, left) = State::open(&path).unwrap();
    assert_eq!(left, Recovered::default());
    let mut records = accepted(5);
    let expected: Vec<(u64, Record)> =
        records.iter().map(|accepted| (accepted.receipt.sequence(), accepted.record.clone())).collect();
    let numbers: Vec<u64> = expected.iter().map(|(number, _)| *number).collect();
    // Concurrent callers are written in any order.
    records.reverse();
    let later = records.split_off(2);
    for records in [records, later] {
        assert!(keep(&state, records).await);
    }
    state.settle(vec![numbers[1], numbers[3]]);
    state.settle(Vec::new());
    // An unknown record, as after a start with another folder.
    state.settle(vec![7]);
    state.close().await;

    let (state, left) = reopen(&path);
    assert_eq!(left, [0, 2, 4].map(|index: usize| expected[index].clone()));
    state.settle(vec![numbers[0], numbers[2]]);
    state.close().await;
    assert_eq!(data(&reopen(&path).1), ["data4"]);
}

#[tokio::test]
async fn records_of_shards_are_read_again_among_others() {
    let (_folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    let from_shard = |sequence, shard| {
        let record = Record::from_shard(ShardId(shard), sequence, format!("key {shard} é"), 7, "YQo=".to_owned());
        Accepted::new(sequence, record)
    };
    let direct_put = Accepted::new(2, Record::direct_put(2, 7, "YQo=".to_owned()));
    let records = vec![from_shard(1, 3), direct_put, from_shard(3, 0), from_shard(4, 3)];
    let expected: Vec<(u64, Record)> =
        records.iter().map(|accepted| (accepted.receipt.sequence(), accepted.record.clone())).collect();
    assert!(keep(&state, records).await);
    state.settle(vec![expected[2].0]);
    state.close().await;
    let (state, left) = reopen(&path);
    assert_eq!(left, [0, 1, 3].map(|index: usize| expected[index].clone()));
    state.settle(expected.into_iter().map(|(number, _)| number).collect());
    state.close().await;
    assert_eq!(reopen(&path).1, []);
}

#[tokio::test]
async fn kept_records_are_on_disk_before_the_response() {
    let (folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    assert!(keep(&state, accepted(3)).await);
    // As a killed process leaves it.
    let copy = folder.path().join("copy.redb");
    fs::copy(&path, &copy).unwrap();
    assert_eq!(data(&reopen(&copy).1), ["data0", "data1", "data2"]);
}

/// As after a failed commit, of which it is not known whether the records are on disk.
#[test]
fn records_that_are_kept_again_under_their_numbers_stay() {
    let (_folder, path) = place();
    let (database, commits) = open(&path).unwrap();
    read(&database, &commits).unwrap();
    let again = accepted(2);
    let settled = again.iter().map(|accepted| accepted.receipt.sequence()).chain([7]).collect();
    let mut writer = Writer { path: path.clone(), database: Some(database), commits, settled };
    writer.write(again.iter()).unwrap();
    drop(writer);
    assert_eq!(data(&reopen(&path).1), ["data0", "data1"]);
}

#[tokio::test]
async fn many_callers_share_a_transaction() {
    let (_folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    let records = accepted(3 * u32::try_from(AT_ONCE).unwrap());
    let keeps = records.into_iter().map(|record| keep(&state, vec![record]));
    assert!(futures_util::future::join_all(keeps).await.iter().all(|kept| *kept));
    state.close().await;
    assert_eq!(reopen(&path).1.len(), 3 * AT_ONCE);
}

#[tokio::test]
async fn a_closed_state_keeps_nothing() {
    let (_folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    state.close().await;
    state.close().await;
    state.settle(vec![1]);
    assert!(!keep(&state, accepted(2)).await);
    assert!(reopen(&path).1.is_empty());
}

#[tokio::test]
async fn a_file_is_locked_against_other_processes() {
    let (_folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    let in_use = format!("{} is in use by another process: name another folder with `--state DIR`", path.display());
    assert_eq!(State::open(&path).unwrap_err().to_string(), in_use);
    state.close().await;
    assert!(State::open(&path).is_ok());
}

/// The files of a run that was stopped and of one that was killed, each with the number of the last commit.
async fn left(path: &Path) -> [(Vec<u8>, Option<u64>); 2] {
    let (state, _) = State::open(path).unwrap();
    let records = accepted(60);
    let numbers: Vec<u64> = records.iter().map(|accepted| accepted.receipt.sequence()).collect();
    for accepted in records {
        assert!(keep(&state, vec![accepted]).await);
    }
    state.settle(numbers[..5].to_vec());
    // The first transaction also removes the settled records, so that the second is all of the last commit.
    for _ in 0..2 {
        assert!(keep(&state, accepted(1)).await);
    }
    let killed = (fs::read(path).unwrap(), count_beside(path));
    state.close().await;
    [(fs::read(path).unwrap(), count_beside(path)), killed]
}

/// Opens and closes.
async fn left_over(path: &Path) -> Vec<(u64, Record)> {
    let (state, records) = reopen(path);
    state.close().await;
    records
}

#[tokio::test]
async fn no_damage_is_silent() {
    let (folder, path) = place();
    let left = left(&path).await;
    let place = folder.path().join("damaged");
    for (run, (whole, count)) in ["stopped", "killed"].into_iter().zip(left) {
        let path = place.join("s.redb");
        let open = |name: &str, content: &[u8]| {
            fs::create_dir(&place).unwrap();
            write(&path, content, count);
            let opened = State::open(&path).map(|(_state, left)| left.records);
            let kept = copies(&path).into_iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
            let after = fs::read(&path).unwrap();
            fs::remove_dir_all(&place).unwrap();
            if opened.is_err() {
                assert!(after == content && kept.is_empty(), "{run} {name}: the damaged file was changed");
            }
            assert!(kept.iter().all(|kept| kept == content), "{run} {name}: the copy is another one");
            (opened, !kept.is_empty())
        };
        let (expected, kept) = open("whole", &whole);
        let expected = expected.unwrap();
        assert_eq!((expected.len(), kept), (57, false), "{run}: an intact file is not reported");
        let (mut refused, mut repaired) = (0, 0);
        for (name, content) in damages(&whole) {
            match open(&name, &content) {
                (Ok(records), false) => assert_eq!(records, expected, "{run} {name}: an unreported loss"),
                (Ok(_), true) => repaired += 1,
                (Err(error), _) => {
                    let text = error.to_string();
                    assert!(text.contains("s.redb (`--state`)") && !text.contains('\n'), "{run} {name}: {text}");
                    refused += 1;
                }
            }
        }
        println!("{run}: {refused} refused, {repaired} repaired");
        assert!(refused >= 10, "{run}: {refused} refused, {repaired} repaired");
        assert!(run == "stopped" || repaired > 0, "{run}: {refused} refused, {repaired} repaired");
    }
}

#[tokio::test]
async fn records_of_lost_commits_are_reported_once() {
    let (_folder, path) = place();
    let [_, (killed, count)] = left(&path).await;
    write(&path, &without_the_last_commit(&killed), count);
    let (state, records) = reopen(&path);
    assert_eq!((records.len(), copies(&path).len()), (56, 1));
    assert!(keep(&state, accepted(1)).await);
    state.close().await;
    assert_eq!((left_over(&path).await.len(), copies(&path).len()), (57, 1));
}

#[tokio::test]
async fn empty_and_missing_files_are_distinguished() {
    let (_folder, path) = place();
    let [(stopped, count), _] = left(&path).await;
    write(&path, b"", count);
    let error = State::open(&path).map(drop).unwrap_err().to_string();
    let expected =
        format!("the state {} (`--state`) cannot be used: found a file of 0 bytes; accepted is", path.display());
    assert!(error.starts_with(&expected) && error.contains(" begin a new one by `mv "), "{error}");
    // As the message says.
    fs::remove_file(&path).unwrap();
    assert_eq!(left_over(&path).await, []);
    // A kill between the making of the two files.
    write(&path, b"", Some(0));
    assert_eq!(left_over(&path).await, []);
    // A file of before commits were counted.
    write(&path, &stopped, None);
    assert_eq!(left_over(&path).await.len(), 57);
    assert!(count_beside(&path).is_some());
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_an_error() {
    let (folder, _) = place();
    let error = State::open(folder.path()).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("could not read the records in "), "{error}");
    assert!(State::open(&folder.path().join("no/such/folder")).is_err());
}
