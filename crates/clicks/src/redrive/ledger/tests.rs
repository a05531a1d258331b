use super::*;

const TARGET_NAME: &str = "clicks of us-east-1";

fn open(path: &Path) -> Ledger {
    Ledger::open(path, TARGET_NAME, false).unwrap()
}

fn entry(line: u128, content: u128, arrival_ms: Option<i64>) -> Entry {
    Entry { line, content, arrival_ms }
}

#[test]
fn each_state_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/ledger");
    let [put, refused, lost, open_one] = [1, 2, 3, 4].map(|line| entry(line, 100 + line, Some(1)));
    let mut ledger = open(&path);
    ledger.sending(&[put, refused, lost], 10).unwrap();
    ledger.answered(&[put], &[refused], 10, 20).unwrap();
    ledger.set_aside(&[9], 10).unwrap();
    drop(ledger);
    let mut ledger = open(&path);
    let states = ledger.look(&[put, refused, lost, open_one], 5, 30).unwrap();
    assert_eq!(states, [State::Put, State::Open, State::Sending, State::Open]);
    assert_eq!(ledger.known(&[9, 1, 4]).unwrap(), [true, true, false]);
}

#[test]
fn what_was_put_fails_again_as_often_as_it_was_put() {
    const PUT: u64 = 1_700_000_000_000;
    const END: u64 = PUT + 1_000;
    const SEEN: u64 = END + 60_000;
    let at = |ms: u64| Some(i64::try_from(ms).unwrap());
    for (arrivals, first_ms, expected) in [
        // Put twice, so two have come back, and the third is a new one.
        (vec![at(PUT + 500); 3], SEEN, vec![true, true, false]),
        // By a clock that is late, or early.
        (vec![at(PUT - MOST_SKEW_MS), at(END + MOST_SKEW_MS)], SEEN, vec![true, true]),
        // Long before, or long after.
        (vec![at(PUT - MOST_SKEW_MS - 1), at(END + MOST_SKEW_MS + 1)], SEEN, vec![false, false]),
        // An object that was there when the record was put.
        (vec![at(PUT + 500), None], PUT, vec![false, false]),
        (vec![None, Some(-1), None], SEEN, vec![true, true, false]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(&folder.path().join("ledger"));
        let put = [entry(1, 7, None), entry(2, 7, None), entry(3, 8, None)];
        ledger.sending(&put, PUT).unwrap();
        ledger.answered(&put, &[], PUT, END).unwrap();
        let come: Vec<Entry> = (10..).zip(&arrivals).map(|(line, arrival)| entry(line, 7, *arrival)).collect();
        let failed: Vec<State> =
            expected.iter().map(|again| if *again { State::FailedAgain } else { State::Open }).collect();
        assert_eq!(ledger.look(&come, first_ms, SEEN).unwrap(), failed, "{arrivals:?} {first_ms}");
        // Looking once more takes no more of what was put.
        assert_eq!(ledger.look(&come, first_ms, SEEN).unwrap(), failed, "{arrivals:?} {first_ms}");
    }
}

#[test]
fn what_was_refused_can_not_fail_again_and_what_was_lost_can() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(&folder.path().join("ledger"));
    let [put, refused] = [entry(1, 7, None), entry(2, 7, None)];
    ledger.sending(&[put, refused], 1_000).unwrap();
    ledger.answered(&[put], &[refused], 1_000, 2_000).unwrap();
    ledger.sending(&[entry(3, 8, None)], 3_000).unwrap();
    let come = [entry(10, 7, Some(1_500)), entry(11, 7, Some(1_500)), entry(12, 8, Some(3_500))];
    assert_eq!(ledger.look(&come, 9_000, 9_000).unwrap(), [State::FailedAgain, State::Open, State::FailedAgain]);
}

#[test]
fn objects_are_done_with_their_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut ledger = open(&path);
    let seen = |first_ms, done: Option<&str>| Seen { first_ms, done: done.map(str::to_owned) };
    assert_eq!(ledger.see(["a", "b"].into_iter(), 5).unwrap(), [seen(5, None), seen(5, None)]);
    ledger.done("a", 5, "v1").unwrap();
    drop(ledger);
    let found = open(&path).see(["a", "b", "c"].into_iter(), 6).unwrap();
    assert_eq!(found, [seen(5, Some("v1")), seen(5, None), seen(6, None)]);
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/ledger");
    let dry = || Ledger::open(&path, TARGET_NAME, true).unwrap();
    let one = entry(1, 7, None);
    dry().sending(&[one], 1).unwrap();
    assert!(!path.exists() && !path.parent().unwrap().exists());

    let mut ledger = open(&path);
    ledger.sending(&[one], 1_000).unwrap();
    ledger.answered(&[one], &[], 1_000, 2_000).unwrap();
    drop(ledger);
    let come = [entry(10, 7, None)];
    for _ in 0..2 {
        let mut dry = dry();
        // It sees what is there, and what it did itself.
        assert_eq!(dry.look(&[one], 9_000, 9_000).unwrap(), [State::Put]);
        assert_eq!(dry.look(&come, 9_000, 9_000).unwrap(), [State::FailedAgain]);
        dry.set_aside(&[11], 9_000).unwrap();
        assert_eq!(dry.known(&[10, 11]).unwrap(), [true, true]);
    }
    assert_eq!(open(&path).known(&[10, 11]).unwrap(), [false, false]);
}

#[test]
fn a_ledger_is_of_one_target_and_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = open(&path);
    let error = Ledger::open(&path, TARGET_NAME, true).err().unwrap().to_string();
    assert!(error.ends_with("is in use by another `clicks redrive`"), "{error}");
    drop(ledger);
    let error = Ledger::open(&path, "clicks of 127.0.0.1", false).err().unwrap().to_string();
    assert!(
        error.contains("found the ledger of clicks of us-east-1 in form 1; accepted is that of clicks of 127.0.0.1")
    );
    fs::write(&path, "no database").unwrap();
    let error = Ledger::open(&path, TARGET_NAME, false).err().unwrap().to_string();
    assert!(error.starts_with("could not read or write the ledger"), "{error}");
}
