use super::*;

fn records(sizes: &[usize]) -> Vec<Record> {
    sizes.iter().map(|size| Record { data: vec![b'x'; size - 1], partition_key: "k".to_owned() }).collect()
}

#[test]
fn calls_keep_the_limits_and_the_order() {
    const MIB: usize = 1 << 20;
    for (sizes, lengths) in [
        (vec![], vec![]),
        (vec![9], vec![1]),
        (vec![9; 500], vec![500]),
        (vec![9; 1_001], vec![500, 500, 1]),
        (vec![MIB; 5], vec![5]),
        (vec![MIB; 11], vec![5, 5, 1]),
        (vec![MIB, MIB, MIB, MIB, MIB - 1, 1, 1], vec![6, 1]),
        (vec![6 * MIB, 9], vec![1, 1]),
    ] {
        let left: Vec<usize> = (0..sizes.len()).collect();
        let records = records(&sizes);
        let calls = calls(&records, &left);
        assert_eq!(calls.iter().map(|call| call.len()).collect::<Vec<_>>(), lengths, "{} records", sizes.len());
        assert_eq!(calls.concat(), left);
    }
}

#[test]
fn only_remaining_records_count() {
    let records = records(&[1 << 20; 8]);
    assert_eq!(calls(&records, &[1, 3, 4, 5, 6, 7]), [&[1, 3, 4, 5, 6][..], &[7][..]]);
}

/// The delays after rounds that stored something, or nothing.
fn delays(rounds: &[bool], random: f64) -> Vec<Option<u128>> {
    let mut retries = Retries::default();
    let delay = |stored_some: &bool| retries.delay(*stored_some, random).map(|delay| delay.as_millis());
    rounds.iter().map(delay).collect()
}

#[test]
fn delays_double_until_too_many_rounds_stored_nothing() {
    for (random, expected) in [
        (1.0, [Some(100), Some(200), Some(400), Some(800), Some(1_600), None]),
        (0.5, [Some(75), Some(150), Some(300), Some(600), Some(1_200), None]),
        (0.0, [Some(50), Some(100), Some(200), Some(400), Some(800), None]),
    ] {
        assert_eq!(delays(&[false; 6], random), expected, "{random}");
        assert!(expected.into_iter().flatten().sum::<u128>() > 1_000, "more than a second: {random}");
    }
}

#[test]
fn a_stored_record_resets_the_delays() {
    assert_eq!(delays(&[true; 100], 1.0), [Some(100); 100]);
    let rounds = [false, false, false, false, false, true, false, false, false, false, false, false];
    let expected = [100, 200, 400, 800, 1_600, 100, 100, 200, 400, 800, 1_600].map(Some);
    assert_eq!(delays(&rounds, 1.0), [&expected[..], &[None]].concat());
}
