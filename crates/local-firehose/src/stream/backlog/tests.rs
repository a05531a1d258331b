use super::*;
use crate::stream::receipt::{RECORD_BYTES, cost};
use firehose_model::event::Record;

/// A backlog for this many records of four bytes.
fn backlog(records: usize) -> Backlog {
    Backlog::new(records * (4 + RECORD_BYTES), None, &[])
}

fn record(sequence: u64, data: &str) -> Accepted {
    Accepted::new(sequence, Record::direct_put(sequence, 0, data.to_owned()))
}

fn accept(backlog: &Backlog, bytes: usize) -> Option<Receipt> {
    let data = "a".repeat(bytes);
    backlog.reserve(cost(&data, "")).then(|| record(1, &data).receipt)
}

#[test]
fn a_backlog_has_a_limit() {
    let backlog = backlog(3);
    let mut receipts: Vec<Receipt> = (0..3).map(|_| accept(&backlog, 4).unwrap()).collect();
    assert!(accept(&backlog, 0).is_none());
    // Only settled records release memory.
    backlog.settle(Vec::new());
    assert!(accept(&backlog, 4).is_none());
    backlog.settle(receipts.drain(..2).collect());
    let room = 2 * (4 + RECORD_BYTES) - RECORD_BYTES;
    assert!(accept(&backlog, room + 1).is_none());
    receipts.push(accept(&backlog, room).unwrap());
    assert!(accept(&backlog, 0).is_none());
    backlog.settle(receipts);
    assert_eq!((0..9).map_while(|_| accept(&backlog, 4)).count(), 3);
}

#[test]
fn a_record_with_two_receipts_is_settled_with_the_second() {
    let backlog = backlog(1);
    let receipt = accept(&backlog, 4).unwrap();
    let second = receipt.duplicate();
    assert_eq!(second.sequence(), receipt.sequence());
    backlog.settle(vec![second]);
    assert_eq!((accept(&backlog, 4).is_none(), backlog.unsettled()), (true, 1));
    backlog.settle(vec![receipt]);
    assert!(accept(&backlog, 4).is_some());
}

#[test]
fn a_receipt_that_is_dropped_settles_nothing() {
    let backlog = backlog(1);
    let receipt = accept(&backlog, 4).unwrap();
    drop(receipt.duplicate());
    backlog.settle(vec![receipt]);
    assert_eq!(backlog.unsettled(), 1);

    let backlog = self::backlog(1);
    drop(accept(&backlog, 4).unwrap());
    assert!(accept(&backlog, 4).is_none());
}

#[test]
fn decompressed_data_counts_until_its_parts_are_settled() {
    let backlog = Backlog::new(2 * MAX_DECOMPRESSED, None, &[]);
    // A record, and a part that shares its receipt.
    let Accepted { record: one, receipt } = record(1, "YQo=");
    let part = Accepted { receipt: receipt.duplicate(), record: one.clone() };
    let mut parts = [Accepted { record: one, receipt }, part];
    assert!(backlog.reserve_decompressed() && backlog.reserve_decompressed() && !backlog.reserve_decompressed());
    backlog.hold_decompressed(&mut parts);
    assert!(!backlog.reserve_decompressed());
    backlog.reserve(parts[0].bytes());
    let [first, second] = parts.map(|part| part.receipt);
    // The other is free, too: the record has failed.
    backlog.hold_decompressed(&mut []);
    for (receipt, held) in [(first, 4), (second, 0)] {
        backlog.settle(vec![receipt]);
        assert_eq!(backlog.decompressed.load(Ordering::Relaxed), held);
    }
    // One fits always.
    let small = self::backlog(1);
    assert!(small.reserve_decompressed() && !small.reserve_decompressed());
}

#[test]
fn records_of_an_earlier_run_count_whatever_their_size() {
    let mut left: Vec<Accepted> = (0..3).map(|sequence| record(sequence, "YQo=")).collect();
    let backlog = Backlog::new(4 + RECORD_BYTES, None, &left);
    for _settled in 0..3 {
        assert!(accept(&backlog, 4).is_none());
        backlog.settle(left.pop().map(|accepted| accepted.receipt).into_iter().collect());
    }
    assert!(accept(&backlog, 4).is_some());
}
