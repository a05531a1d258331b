use super::*;

const HOURS: u32 = 24;
const DAY_MS: i64 = 24 * HOUR_MS;
const ALL: ReadLimits = ReadLimits { records: usize::MAX, bytes: usize::MAX };
const FIRST: ShardId = ShardId(0);
const SECOND: ShardId = ShardId(1);

fn retention(max_bytes: usize) -> Arc<Retention> {
    Retention::new(2, HOURS, RetentionMemory::new(max_bytes))
}

fn entry(shard: ShardId, data: &str) -> IncomingRecord {
    IncomingRecord { data: data.to_owned(), shard: Some((shard, "key".to_owned())) }
}

/// Puts one record, and returns its number.
fn put(retention: &Retention, shard: ShardId, data: &str, now_ms: i64) -> u64 {
    let (found, number) = retention.put([Ok(entry(shard, data))], now_ms)[0].unwrap();
    assert_eq!(found, shard);
    number
}

fn data(retention: &Retention, shard: ShardId, from: u64, now_ms: i64) -> Vec<String> {
    let read = retention.read(shard, from, ALL, now_ms);
    read.records.into_iter().map(|(_, record)| record.data.clone()).collect()
}

#[test]
fn records_of_a_shard_are_read_from_each_start() {
    let retention = retention(10_000);
    assert!(data(&retention, FIRST, retention.position(FIRST, Start::Latest), 0).is_empty());
    let numbers =
        [put(&retention, FIRST, "YQ==", 10), put(&retention, SECOND, "Yg==", 20), put(&retention, FIRST, "Yw==", 30)];
    assert!(numbers.is_sorted_by(|one, next| one < next));
    for (start, expected) in [
        (Start::TrimHorizon, &["YQ==", "Yw=="][..]),
        (Start::Number(numbers[0]), &["YQ==", "Yw=="]),
        (Start::Number(numbers[0] + 1), &["Yw=="]),
        (Start::Time(10), &["YQ==", "Yw=="]),
        (Start::Time(11), &["Yw=="]),
        (Start::Time(31), &[]),
        (Start::Latest, &[]),
    ] {
        assert_eq!(data(&retention, FIRST, retention.position(FIRST, start), 30), expected, "{start:?}");
    }
    assert_eq!(data(&retention, SECOND, 0, 30), ["Yg=="]);
    // A position stays where it is until there are records.
    let latest = retention.position(FIRST, Start::Latest);
    assert_eq!(retention.read(FIRST, latest, ALL, 30).next, latest);
    put(&retention, FIRST, "ZA==", 40);
    assert_eq!(data(&retention, FIRST, latest, 40), ["ZA=="]);
}

#[test]
fn a_read_has_limits_and_is_behind_until_the_last_record() {
    let retention = retention(10_000);
    for now_ms in [10, 20, 30] {
        put(&retention, FIRST, "YWFh", now_ms);
    }
    for (records, bytes, count, behind_ms) in
        [(3, 9, 3, 0), (2, 9, 2, 70), (3, 8, 2, 70), (3, 0, 1, 80), (1, 9, 1, 80), (3, 6, 2, 70)]
    {
        let read = retention.read(FIRST, 0, ReadLimits { records, bytes }, 100);
        assert_eq!((read.records.len(), read.behind_ms), (count, behind_ms), "{records} {bytes}");
        let rest = retention.read(FIRST, read.next, ALL, 100);
        assert_eq!(rest.records.len(), 3 - count);
    }
    // Also in the millisecond of the last one: 0 would mean that there are no more.
    assert_eq!(retention.read(FIRST, 0, ReadLimits { records: 2, bytes: 9 }, 30).behind_ms, 1);
}

#[test]
fn a_record_is_kept_for_the_retention_and_no_longer() {
    let retention = retention(10_000);
    put(&retention, FIRST, "YQ==", 0);
    let second = put(&retention, FIRST, "Yg==", DAY_MS);
    assert_eq!(data(&retention, FIRST, 0, DAY_MS), ["YQ==", "Yg=="]);
    assert_eq!(data(&retention, FIRST, 0, DAY_MS + 1), ["Yg=="]);
    retention.set_hours(48);
    assert_eq!((retention.hours(), data(&retention, FIRST, 0, 3 * DAY_MS)), (48, vec!["Yg==".to_owned()]));
    retention.set_hours(24);
    assert!(data(&retention, FIRST, second, 3 * DAY_MS).is_empty());
}

#[test]
fn a_read_begins_after_expired_records_and_leaves_other_shards_alone() {
    let retention = retention(10_000);
    let [first, second] = [FIRST, SECOND].map(|shard| put(&retention, shard, "YQ==", 0));
    let later = put(&retention, FIRST, "Yg==", DAY_MS);
    for (from, now_ms, start) in [
        (0, DAY_MS, 0),
        (first, DAY_MS, first),
        (0, DAY_MS + 1, first + 1),
        (first, DAY_MS + 1, first + 1),
        (first + 1, DAY_MS + 1, first + 1),
        (later, DAY_MS + 1, later),
    ] {
        assert_eq!(retention.read(FIRST, from, ALL, now_ms).start, start, "{from} {now_ms}");
    }
    // Each read of a stream with many shards would visit all of them.
    assert_eq!(retention.position(SECOND, Start::Time(0)), second);
    assert_eq!(retention.read(SECOND, 0, ALL, DAY_MS + 1).next, second + 1);
}

#[test]
fn unread_shards_are_found_in_turn() {
    let retention = retention(10_000);
    let (_is_closed, from) = retention.reader(0);
    let numbers = [FIRST, SECOND, SECOND].map(|shard| put(&retention, shard, "YQ==", 0));
    let at = |first, second| BTreeMap::from([(FIRST, first), (SECOND, second)]);
    for (positions, after, end, found, lag) in [
        (at(from, from), FIRST, u64::MAX, Some(SECOND), 3),
        (at(from, from), SECOND, u64::MAX, Some(FIRST), 3),
        (at(from, from), FIRST, numbers[1], Some(FIRST), 1),
        (at(from, from), FIRST, numbers[2], Some(SECOND), 2),
        (at(from, from), FIRST, from, None, 0),
        (at(numbers[0] + 1, numbers[1] + 1), SECOND, u64::MAX, Some(SECOND), 1),
        (at(numbers[0] + 1, numbers[2] + 1), FIRST, u64::MAX, None, 0),
    ] {
        assert_eq!(retention.unread(&positions, after, end), found, "{positions:?} {after} {end}");
        assert_eq!(retention.lag(&positions, end), lag, "{positions:?} {end}");
    }
    // Expired ones are found once.
    retention.read(FIRST, 0, ALL, DAY_MS + 1);
    let positions = at(from, numbers[2] + 1);
    assert_eq!((retention.unread(&positions, FIRST, u64::MAX), retention.lag(&positions, u64::MAX)), (Some(FIRST), 0));
    assert_eq!(retention.unread(&at(numbers[0] + 1, numbers[2] + 1), FIRST, u64::MAX), None);
}

#[test]
fn a_full_memory_refuses_records_until_others_expire_or_a_stream_is_dropped() {
    let size = cost("YQ==", "key");
    let memory = RetentionMemory::new(2 * size);
    let [one, other] = [(); 2].map(|()| Retention::new(2, HOURS, memory.clone()));
    put(&one, FIRST, "YQ==", 0);
    put(&other, FIRST, "YQ==", 10);
    let entries = || [Ok(entry(FIRST, "YQ==")), Err(PutError::Unavailable)];
    let full = vec![Err(PutError::RetentionFull), Err(PutError::Unavailable)];
    assert_eq!(one.put(entries(), 20), full);
    // Nothing is forgotten.
    assert_eq!(data(&one, FIRST, 0, DAY_MS), ["YQ=="]);
    assert!(one.put(entries(), DAY_MS + 1)[0].is_ok());
    assert_eq!(other.put(entries(), DAY_MS + 1), full);
    drop(one);
    assert!(other.put(entries(), DAY_MS + 1)[0].is_ok());
}

#[test]
fn a_number_is_one_of_the_shard() {
    let retention = retention(10_000);
    let first = put(&retention, FIRST, "YQ==", 0);
    let second = put(&retention, SECOND, "YQ==", DAY_MS);
    let at = |number: u64| Timestamp::from_microsecond(number.try_into().unwrap()).unwrap();
    for (shard, number, expected) in [
        (FIRST, 0, true),
        (FIRST, first, true),
        (SECOND, second, true),
        (FIRST, second, false),
        (FIRST, first - 1, false),
        (FIRST, second + 1, false),
        (ShardId(2), 0, false),
    ] {
        assert_eq!(retention.has(shard, number, at(first)), expected, "{shard} {number}");
    }
    assert!(data(&retention, FIRST, 0, DAY_MS + 1).is_empty());
    // It has expired.
    assert!(retention.has(FIRST, first, at(first)));
    // Those of an earlier run.
    for (number, expected) in [(first - 10, true), (first - 11, false)] {
        assert_eq!(retention.has(FIRST, number, at(first - 10)), expected, "{number}");
    }
}

#[tokio::test]
async fn a_closed_stream_refuses_records_and_waits_for_its_readers() {
    let retention = retention(10_000);
    put(&retention, FIRST, "YQ==", 0);
    let (mut is_closed, from) = retention.reader(7);
    assert!(data(&retention, FIRST, from, 0).is_empty());
    put(&retention, FIRST, "Yg==", 0);
    is_closed.changed().await.unwrap();
    assert_eq!(data(&retention, FIRST, from, 0), ["Yg=="]);
    retention.close();
    assert!(*is_closed.borrow_and_update());
    assert_eq!(retention.put([Ok(entry(FIRST, "YQ=="))], 0), [Err(PutError::Unavailable)]);
    let finished = tokio::time::timeout(Duration::from_millis(50), retention.readers_finished());
    assert!(finished.await.is_err());
    drop(is_closed);
    retention.readers_finished().await;
    // Numbers follow those of a reader's earlier run.
    let later = u64::MAX / 2;
    assert_eq!(retention.reader(later).1, later);
}
