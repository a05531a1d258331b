use std::fs;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::stream::ledger::Ledger;
use crate::stream::watched::Watched;
use firehose_model::kinesis::shard::Shard;
use test_support::damage::{copies, count_beside, damages, without_the_last_commit, write};

/// Records as a ledger accepts them, numbered.
fn accepted(count: usize) -> Vec<Accepted> {
    let (ledger, _) = Ledger::new(usize::MAX, None, Vec::new(), Arc::new(Watched::new("s")));
    let record = |number: usize| {
        let arrival_ms = 1_700_000_000_000 + i64::try_from(number).unwrap();
        ledger.accept(format!("data{number}"), arrival_ms).unwrap()
    };
    (0..count).map(record).collect()
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
async fn what_is_not_settled_comes_again_as_it_was_and_in_order() {
    let (_folder, path) = place();
    let (state, none) = State::open(&path).unwrap();
    assert!(none.is_empty());
    let mut records = accepted(5);
    let expected: Vec<(u64, Record)> =
        records.iter().map(|accepted| (accepted.receipt.sequence(), accepted.record.clone())).collect();
    let numbers: Vec<u64> = expected.iter().map(|(number, _)| *number).collect();
    // Callers may overtake each other.
    records.reverse();
    let later = records.split_off(2);
    for records in [records, later] {
        assert!(state.keep(records).await.is_some());
    }
    state.settle(vec![numbers[1], numbers[3]]);
    state.settle(Vec::new());
    // One that is not there, as after a start with another folder.
    state.settle(vec![7]);
    state.close().await;

    let (state, left) = State::open(&path).unwrap();
    assert_eq!(left, [0, 2, 4].map(|index: usize| expected[index].clone()));
    state.settle(vec![numbers[0], numbers[2]]);
    state.close().await;
    assert_eq!(data(&State::open(&path).unwrap().1), ["data4"]);
}

#[tokio::test]
async fn what_came_by_a_shard_comes_again_as_it_was_among_others() {
    let (_folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    let (ledger, _) = Ledger::new(usize::MAX, None, Vec::new(), Arc::new(Watched::new("s")));
    let from_shard = |shard| ledger.accept_from(Shard(shard), format!("key {shard} é"), "YQo=".to_owned(), 7).unwrap();
    let records = vec![from_shard(3), ledger.accept("YQo=".to_owned(), 7).unwrap(), from_shard(0), from_shard(3)];
    let expected: Vec<(u64, Record)> =
        records.iter().map(|accepted| (accepted.receipt.sequence(), accepted.record.clone())).collect();
    assert!(state.keep(records).await.is_some());
    state.settle(vec![expected[2].0]);
    state.close().await;
    let (state, left) = State::open(&path).unwrap();
    assert_eq!(left, [0, 1, 3].map(|index: usize| expected[index].clone()));
    state.settle(expected.into_iter().map(|(number, _)| number).collect());
    state.close().await;
    assert_eq!(State::open(&path).unwrap().1, []);
}

#[tokio::test]
async fn what_is_kept_is_on_the_disk_before_the_answer() {
    let (folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    assert!(state.keep(accepted(3)).await.is_some());
    // What a killed process would leave.
    let copy = folder.path().join("copy.redb");
    fs::copy(&path, &copy).unwrap();
    assert_eq!(data(&State::open(&copy).unwrap().1), ["data0", "data1", "data2"]);
}

#[tokio::test]
async fn many_callers_share_the_disk() {
    let (_folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    let records = accepted(3 * AT_ONCE);
    let keeps = records.into_iter().map(|record| state.keep(vec![record]));
    assert!(futures_util::future::join_all(keeps).await.iter().all(Option::is_some));
    state.close().await;
    assert_eq!(State::open(&path).unwrap().1.len(), 3 * AT_ONCE);
}

#[tokio::test]
async fn what_comes_after_the_end_is_not_kept() {
    let (_folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    state.close().await;
    state.close().await;
    state.settle(vec![1]);
    assert!(state.keep(accepted(2)).await.is_none());
    assert!(State::open(&path).unwrap().1.is_empty());
}

#[tokio::test]
async fn a_file_is_of_one_process() {
    let (_folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    let in_use = format!("{} is in use by another `clicks up`: name another folder with `--state DIR`", path.display());
    assert_eq!(State::open(&path).unwrap_err().to_string(), in_use);
    state.close().await;
    assert!(State::open(&path).is_ok());
}

/// What a run has left that was stopped, and one that was killed; with the number of the last commit.
async fn left(path: &Path) -> [(Vec<u8>, Option<u64>); 2] {
    let (state, _) = State::open(path).unwrap();
    let records = accepted(60);
    let numbers: Vec<u64> = records.iter().map(|accepted| accepted.receipt.sequence()).collect();
    for accepted in records {
        assert!(state.keep(vec![accepted]).await.is_some());
    }
    state.settle(numbers[..5].to_vec());
    // The first takes along what is settled, so that the second is all of the last commit.
    for _ in 0..2 {
        assert!(state.keep(accepted(1)).await.is_some());
    }
    let killed = (fs::read(path).unwrap(), count_beside(path));
    state.close().await;
    [(fs::read(path).unwrap(), count_beside(path)), killed]
}

/// What the next run finds.
async fn left_over(path: &Path) -> Vec<(u64, Record)> {
    let (state, records) = State::open(path).unwrap();
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
            let opened = State::open(&path).map(|(_state, records)| records);
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
        assert_eq!((expected.len(), kept), (57, false), "{run}: what is not damaged is not told");
        let (mut refused, mut repaired) = (0, 0);
        for (name, content) in damages(&whole) {
            match open(&name, &content) {
                (Ok(records), false) => assert_eq!(records, expected, "{run} {name}: a loss that is not told"),
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
async fn what_the_last_commits_held_is_reported_lost_once() {
    let (_folder, path) = place();
    let [_, (killed, count)] = left(&path).await;
    write(&path, &without_the_last_commit(&killed), count);
    let (state, records) = State::open(&path).unwrap();
    assert_eq!((records.len(), copies(&path).len()), (56, 1));
    assert!(state.keep(accepted(1)).await.is_some());
    state.close().await;
    assert_eq!((left_over(&path).await.len(), copies(&path).len()), (57, 1));
}

#[tokio::test]
async fn what_is_empty_or_gone_is_told_apart() {
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
    // Of before commits were counted, and without a number.
    write(&path, &stopped, None);
    assert_eq!(left_over(&path).await.len(), 57);
    assert!(count_beside(&path).is_some());
}

#[tokio::test]
async fn what_can_not_be_opened_is_told() {
    let (folder, _) = place();
    let error = State::open(folder.path()).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("could not read the records in "), "{error}");
    assert!(State::open(&folder.path().join("no/such/folder")).is_err());
}
