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

#[test]
fn a_full_shard_has_accepted_a_record_before_the_last_round() {
    let delays =
        |random| (1..MAX_ROUNDS_WITHOUT_SUCCESS).map(move |rounds| BACKOFF.delay_at(rounds, random).as_millis());
    assert_eq!(delays(1.0).collect::<Vec<_>>(), [100, 200, 400, 800, 1_600]);
    assert!(delays(0.0).sum::<u128>() > 1_000, "more than a second");
}
