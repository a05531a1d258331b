use std::fs;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::kinesis::shard::Shard;
use crate::stream::ledger::Ledger;
use crate::stream::watched::Watched;

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

#[tokio::test]
async fn a_file_that_can_not_be_read_is_told() {
    let (folder, path) = place();
    let (state, _) = State::open(&path).unwrap();
    assert!(state.keep(accepted(100)).await.is_some());
    state.close().await;
    let whole = fs::read(&path).unwrap();
    let mut zeros = whole.clone();
    zeros[64..320].fill(0);
    let mut pages = whole.clone();
    pages[4096..].fill(0xa5);
    // One record's text, which no page's structure depends on.
    let mut text = whole.clone();
    let place = text.windows(6).position(|bytes| bytes == b"data42").unwrap();
    text[place] = b'D';
    for (name, content) in [
        ("text", b"{\"userId\":\"guest\"}\n".repeat(999)),
        ("short", b"redb".to_vec()),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("head", whole[..64].to_vec()),
        ("zeros", zeros),
        ("pages", pages),
        ("one byte", text),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, &content).unwrap();
        let error = State::open(&path).map(|(_, records)| records.len()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("could not read the records in {} (`--state`)", path.display()),
            "{name}"
        );
        assert!(!anyhow::Error::from(error).root_cause().to_string().contains('\n'));
        // It is not made into a new one.
        assert_eq!(fs::read(&path).unwrap().len(), content.len(), "{name}");
    }
    let error = State::open(folder.path()).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("could not read the records in "), "{error}");
    assert!(State::open(&folder.path().join("no/such/folder")).is_err());
}
