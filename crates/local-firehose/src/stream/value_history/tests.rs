use super::*;
use crate::stream::event::{Kind, ObjectSummary};
use crate::stream::value_counts::MAX_VALUES;

/// The start of a minute.
const START: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;

fn stored(field: &str, values: &[(&str, u64)]) -> StreamEvent {
    let object = ObjectSummary { path: "o".to_owned(), kind: Kind::Delivered, records: 9, bytes: 9, at_ms: 7 };
    let values = values.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect();
    let values = ValueCounts(BTreeMap::from([(field.to_owned(), values)]));
    StreamEvent::Stored { object, failed_by_code: BTreeMap::new(), values }
}

/// A history of objects with values of the field `f`, each at a time after [`START`].
fn history(objects: &[(i64, &[(&str, u64)])]) -> ValueHistory {
    let mut history = ValueHistory::default();
    for (after_ms, values) in objects {
        history.record(&stored("f", values), START + after_ms);
    }
    history
}

/// The values in their order, with the counts that are not zero, each with its place before the last bucket.
fn seen(history: &ValueHistory, after_ms: i64) -> Vec<(String, Vec<(usize, u64)>)> {
    let ValueRanking { at_ms, mut fields, .. } = history.ranking(START + after_ms);
    assert_eq!(at_ms.len(), 15);
    let values = fields.remove("f").unwrap_or_default().into_iter();
    let places = |counts: Vec<u64>| {
        assert_eq!(counts.len(), 15);
        counts.into_iter().rev().enumerate().filter(|(_, count)| *count > 0).collect()
    };
    values.map(|RankedValue { value, counts }| (value, places(counts))).collect()
}

#[test]
fn values_count_in_their_minute_until_it_expires() {
    let a = |count: u64| [("a", count)];
    let seen_as = |counts: &[(usize, u64)]| vec![("a".to_owned(), counts.to_vec())];
    for (objects, after_ms, expected) in [
        // Within a minute, and at its ends.
        (vec![(0, a(1)), (59_999, a(2)), (60_000, a(4))], 60_000, seen_as(&[(0, 4), (1, 3)])),
        // Gaps are zeros.
        (vec![(0, a(1)), (5 * MINUTE, a(2))], 6 * MINUTE, seen_as(&[(1, 2), (6, 1)])),
        (vec![], 0, vec![]),
        // The first bucket is the last one that is seen, and the next does not see it.
        (vec![(0, a(1))], 15 * MINUTE - 1, seen_as(&[(14, 1)])),
        (vec![(0, a(1))], 15 * MINUTE, vec![]),
        // Long idle, in the buckets and in the ranking.
        (vec![(0, a(1)), (48 * 60 * MINUTE, a(2))], 48 * 60 * MINUTE, seen_as(&[(0, 2)])),
        // A clock that is set back, and a ranking before an object.
        (vec![(0, a(1)), (3 * MINUTE, a(2)), (MINUTE, a(4))], 3 * MINUTE, seen_as(&[(2, 4), (3, 1)])),
        (vec![(0, a(1)), (3 * MINUTE, a(2))], MINUTE, seen_as(&[(1, 1)])),
    ] {
        let objects: Vec<(i64, &[(&str, u64)])> =
            objects.iter().map(|(after_ms, values)| (*after_ms, &values[..])).collect();
        assert_eq!(seen(&history(&objects), after_ms), expected, "{objects:?}");
    }
}

#[test]
fn values_are_ranked_by_the_sum_of_all_minutes() {
    for (objects, expected) in [
        (&[(0, &[("a", 3), ("b", 2)][..]), (MINUTE, &[("b", 2)])][..], &["b", "a"][..]),
        // Equal sums are in alphabetical order.
        (&[(0, &[("b", 2), ("a", 1)]), (MINUTE, &[("a", 1), ("c", 2)])], &["a", "b", "c"]),
        // An expired count is not in the sum.
        (&[(-14 * MINUTE, &[("a", 9)]), (MINUTE, &[("a", 1), ("b", 2)])], &["b", "a"]),
    ] {
        let ranked: Vec<_> = seen(&history(objects), MINUTE).into_iter().map(|(value, _)| value).collect();
        assert_eq!(ranked, expected, "{objects:?}");
    }
}

#[test]
fn values_and_buckets_are_limited() {
    let names: Vec<String> = (0..2 * MAX_VALUES).map(|number| format!("{number:03}")).collect();
    let mut history = ValueHistory::default();
    for minute in 0..100 {
        for (name, count) in names.iter().zip(1..) {
            history.record(&stored("f", &[(name, count)]), START + minute * MINUTE);
        }
    }
    assert_eq!(history.buckets.len(), 15);
    assert!(history.buckets.iter().all(|bucket| bucket.counts.0["f"].len() == MAX_VALUES));
    let ranked = seen(&history, 99 * MINUTE);
    // The most frequent of those that are counted.
    let expected: Vec<_> = names[..MAX_VALUES].iter().rev().take(20).collect();
    assert_eq!(ranked.iter().map(|(value, _)| value).collect::<Vec<_>>(), expected);
    assert!(ranked[0].1.len() == 15 && ranked[0].1.iter().all(|(_, count)| *count == 200), "{:?}", ranked[0]);
}

#[test]
fn each_field_has_a_ranking_of_its_own() {
    let mut history = ValueHistory::default();
    history.record(&stored("mysfitId", &[("m", 2)]), START);
    history.record(&stored("species", &[("m", 1)]), START);
    // Objects without a known value, and other events, take no memory.
    history.record(&stored("goodevil", &[]), START + MINUTE);
    history.record(&StreamEvent::UploadStarted, START + MINUTE);
    assert_eq!(history.buckets.len(), 1);
    let json = serde_json::to_value(history.ranking(START)).unwrap();
    assert_eq!((&json["bucket_ms"], &json["at_ms"][14]), (&MINUTE.into(), &START.into()));
    assert_eq!(json["at_ms"][0], START - 14 * MINUTE);
    let counts = |last: u64| [&[0; 14][..], &[last]].concat();
    let expected = serde_json::json!({
        "mysfitId": [{ "value": "m", "counts": counts(2) }],
        "species": [{ "value": "m", "counts": counts(1) }],
    });
    assert_eq!(json["fields"], expected);
}
