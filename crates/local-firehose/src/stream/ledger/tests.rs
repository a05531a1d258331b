use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::stream::receipt::RECORD_BYTES;

type Buffer = UnboundedReceiver<Vec<Accepted>>;

/// A ledger for so many records of four bytes, without a state.
fn ledger(records: usize) -> Arc<Ledger> {
    let watched = Arc::new(Watched::new("s"));
    let (ledger, left) = Ledger::new(records * (4 + RECORD_BYTES), None, Vec::new(), watched);
    assert!(left.is_empty());
    Arc::new(ledger)
}

fn accept(ledger: &Ledger, bytes: usize) -> Option<Receipt> {
    ledger.accept("a".repeat(bytes), 0).map(|accepted| accepted.receipt)
}

fn accepted(ledger: &Ledger) -> Accepted {
    ledger.accept("YQo=".to_owned(), 0).unwrap()
}

fn buffer() -> (mpsc::UnboundedSender<Vec<Accepted>>, Buffer) {
    mpsc::unbounded_channel()
}

#[test]
fn what_is_under_way_has_a_limit() {
    let ledger = ledger(3);
    let mut receipts: Vec<Receipt> = (0..3).map(|_| accept(&ledger, 4).unwrap()).collect();
    assert!(accept(&ledger, 0).is_none());
    // Room is made by what is settled, and by nothing else.
    ledger.settle(Vec::new());
    assert!(accept(&ledger, 4).is_none());
    ledger.settle(receipts.drain(..2).collect());
    // Not by a byte more.
    assert!(accept(&ledger, 2 * (4 + RECORD_BYTES) - RECORD_BYTES + 1).is_none());
    receipts.push(accept(&ledger, 2 * (4 + RECORD_BYTES) - RECORD_BYTES).unwrap());
    assert!(accept(&ledger, 0).is_none());
    ledger.settle(receipts);
    assert_eq!((0..9).map_while(|_| accept(&ledger, 4)).count(), 3);
}

#[test]
fn a_record_with_two_ways_is_settled_with_the_second() {
    let ledger = ledger(1);
    let receipt = accept(&ledger, 4).unwrap();
    let second = receipt.second();
    assert_eq!(second.sequence(), receipt.sequence());
    ledger.settle(vec![second]);
    assert!(accept(&ledger, 4).is_none());
    ledger.settle(vec![receipt]);
    assert!(accept(&ledger, 4).is_some());
}

#[test]
fn a_receipt_that_is_dropped_settles_nothing() {
    let ledger = ledger(1);
    let receipt = accept(&ledger, 4).unwrap();
    drop(receipt.second());
    ledger.settle(vec![receipt]);
    assert_eq!(ledger.unsettled(), 1);

    let ledger = self::ledger(1);
    drop(accept(&ledger, 4).unwrap());
    assert!(accept(&ledger, 4).is_none());
}

#[test]
fn numbers_go_on_after_those_that_were_left() {
    let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap();
    let hour = 3_600_000_000;
    for (left, least) in [(vec![], now), (vec![7], now), (vec![7, now + hour], now + hour + 1)] {
        let records = left.iter().map(|sequence| (*sequence, Record::direct_put(*sequence, 0, "YQo=".to_owned())));
        let watched = Arc::new(Watched::new("s"));
        let (ledger, accepted) = Ledger::new(usize::MAX, None, records.collect(), Arc::clone(&watched));
        assert_eq!(accepted.iter().map(|accepted| accepted.receipt.sequence()).collect::<Vec<_>>(), left);
        assert_eq!(watched.view().accepted, left.len() as u64);
        let next = [(); 3].map(|()| accept(&ledger, 4).unwrap().sequence());
        assert!(next[0] >= least && next[0] < least + hour, "{next:?} after {left:?}");
        assert_eq!(next, [next[0], next[0] + 1, next[0] + 2]);
    }
}

/// As with a clock that is set back between two runs.
#[tokio::test]
async fn numbers_go_on_after_those_that_are_settled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    let hour = 3_600_000_000;
    let mut last = u64::try_from(Timestamp::now().as_microsecond()).unwrap() + hour;
    let (state, _) = State::open(&path).unwrap();
    assert_eq!(state.last(), None);
    // The greatest counts, whichever gets to the disk last.
    for sequence in [last, last - 1] {
        let record = Record::from_shard(Shard(1), sequence, "key".to_owned(), 0, "YQo=".to_owned());
        assert!(state.keep(vec![Accepted::new(sequence, record)]).await.is_some());
        state.settle(vec![sequence]);
    }
    state.close().await;
    for _run in 0..3 {
        let (state, left) = State::open(&path).unwrap();
        assert_eq!((state.last(), left.len()), (Some(last), 0));
        let ledger = Arc::new(Ledger::new(usize::MAX, Some(state), left, Arc::new(Watched::new("s"))).0);
        let accepted = ledger.accept_from(Shard(1), "key".to_owned(), "YQo=".to_owned(), 0).unwrap();
        last += 1;
        assert_eq!(accepted.receipt.sequence(), last);
        let (sender, mut buffer) = buffer();
        assert!(ledger.keep(vec![accepted], sender).await);
        ledger.settle(buffer.recv().await.unwrap().into_iter().map(|accepted| accepted.receipt).collect());
        ledger.close().await;
    }
}

#[tokio::test]
async fn what_is_kept_gets_into_the_buffer_in_the_order_of_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let (state, _) = State::open(&folder.path().join("s.redb")).unwrap();
    let ledger = Arc::new(Ledger::new(usize::MAX, Some(state), Vec::new(), Arc::new(Watched::new("s"))).0);
    let (sender, mut buffer) = buffer();
    // The earlier the call, the more there is to write.
    let record = |bytes: usize| ledger.accept("a".repeat(bytes), 0).unwrap();
    let calls: Vec<_> = (0..20).rev().map(|call| ledger.keep(vec![record(call * 50_000)], sender.clone())).collect();
    assert!(futures_util::future::join_all(calls).await.into_iter().all(|kept| kept));
    let numbers: Vec<u64> = (0..20).map(|_| buffer.try_recv().unwrap().remove(0).receipt.sequence()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[test]
fn what_was_left_counts_whatever_its_size() {
    let left: Vec<(u64, Record)> =
        (0..3).map(|sequence| (sequence, Record::direct_put(sequence, 0, "YQo=".to_owned()))).collect();
    let (ledger, mut accepted) = Ledger::new(4 + RECORD_BYTES, None, left, Arc::new(Watched::new("s")));
    for _settled in 0..3 {
        assert!(accept(&ledger, 4).is_none());
        ledger.settle(accepted.pop().map(|accepted| accepted.receipt).into_iter().collect());
    }
    assert!(accept(&ledger, 4).is_some());
}

#[tokio::test]
async fn what_is_kept_gets_into_the_buffer() {
    let folder = tempfile::tempdir().unwrap();
    for state in [None, Some(State::open(&folder.path().join("s.redb")).unwrap().0)] {
        let watched = Arc::new(Watched::new("s"));
        let ledger = Arc::new(Ledger::new(usize::MAX, state, Vec::new(), Arc::clone(&watched)).0);
        let records = vec![accepted(&ledger), accepted(&ledger)];
        let numbers =
            |records: &[Accepted]| records.iter().map(|accepted| accepted.receipt.sequence()).collect::<Vec<_>>();
        let expected = numbers(&records);
        let (sender, mut buffer) = buffer();
        assert!(ledger.keep(records, sender).await);
        assert_eq!(numbers(&buffer.recv().await.unwrap()), expected);
        assert_eq!(watched.view().accepted, 2);
        ledger.close().await;
    }
}

#[tokio::test]
async fn what_can_not_be_kept_is_as_if_it_had_never_come() {
    let folder = tempfile::tempdir().unwrap();
    let (state, _) = State::open(&folder.path().join("s.redb")).unwrap();
    let watched = Arc::new(Watched::new("s"));
    let ledger = Arc::new(Ledger::new(2 * (4 + RECORD_BYTES), Some(state), Vec::new(), Arc::clone(&watched)).0);
    // A state that is closed takes nothing any more.
    ledger.close().await;
    for _attempt in 0..3 {
        let (sender, mut buffer) = buffer();
        assert!(!ledger.keep(vec![accepted(&ledger), accepted(&ledger)], sender).await);
        assert!(buffer.recv().await.is_none());
        assert_eq!((watched.view().accepted, ledger.unsettled()), (0, 0));
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_take_its_records_along() {
    let folder = tempfile::tempdir().unwrap();
    let (state, _) = State::open(&folder.path().join("s.redb")).unwrap();
    let ledger = Arc::new(Ledger::new(usize::MAX, Some(state), Vec::new(), Arc::new(Watched::new("s"))).0);
    let (sender, mut buffer) = buffer();
    let mut keep = Box::pin(ledger.keep(vec![accepted(&ledger)], sender));
    tokio::select! {
        biased;
        _kept = &mut keep => panic!("the disk was faster than a function call"),
        () = std::future::ready(()) => {}
    }
    drop(keep);
    assert_eq!(buffer.recv().await.unwrap().len(), 1);
}
