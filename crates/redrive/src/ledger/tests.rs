use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::tables::MOST_SKEW_MS;
use super::*;
use test_support::damage::{copies, count_beside, damages, without_the_last_commit, write};

const NOW: u64 = 1_700_000_000_000;

fn open(path: &Path) -> Ledger {
    Ledger::open(path, false, None).unwrap()
}

fn entry(line: u128, content: u128, arrival_ms: Option<i64>) -> Entry {
    Entry { line, content, arrival_ms, state: State::Open }
}

/// What a later run finds, of objects that it sees first.
fn look(path: &Path, entries: &[Entry]) -> Vec<State> {
    let ledger = open(path);
    let run = ledger.run;
    ledger.look(entries, &vec![true; entries.len()], run, NOW).unwrap()
}

#[test]
fn each_state_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/ledger");
    let [put, refused, lost, unknown] = [1, 2, 3, 4].map(|line| entry(line, 100 + line, Some(1)));
    let ledger = open(&path);
    ledger.sending(&[put, refused, lost], 10).unwrap();
    ledger.answered(&[put], &[refused], 10, 20).unwrap();
    ledger.set_aside(&[9], 10).unwrap();
    drop(ledger);
    assert_eq!(look(&path, &[put, refused, lost, unknown]), [State::Put, State::Open, State::Sending, State::Open]);
    assert_eq!(open(&path).known(&[9, 1, 4]).unwrap(), [true, true, false]);
}

#[test]
fn what_is_refused_is_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let states = [State::Open, State::Sending, State::FailedAgain];
    let entries: Vec<Entry> =
        (1..).zip(states).map(|(line, state)| Entry { state, ..entry(line, 100 + line, None) }).collect();
    let ledger = open(&path);
    ledger.sending(&entries, NOW).unwrap();
    ledger.answered(&[], &entries, NOW, NOW).unwrap();
    drop(ledger);
    assert_eq!(look(&path, &entries), states);
}

#[test]
fn what_was_put_fails_again_as_often_as_it_was_put() {
    const END: u64 = NOW + 1_000;
    let at = |ms: u64| Some(i64::try_from(ms).unwrap());
    for (arrivals, expected) in [
        // Put twice, so two have come back, and the third is a new one.
        (vec![at(NOW + 500); 3], vec![true, true, false]),
        // By a clock that is late, or early.
        (vec![at(NOW - MOST_SKEW_MS), at(END + MOST_SKEW_MS)], vec![true, true]),
        // Long before, or long after.
        (vec![at(NOW - MOST_SKEW_MS - 1), at(END + MOST_SKEW_MS + 1)], vec![false, false]),
        (vec![None, Some(-1), None], vec![true, true, false]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let ledger = open(&path);
        let put = [entry(1, 7, None), entry(2, 7, None), entry(3, 8, None)];
        ledger.sending(&put, NOW).unwrap();
        ledger.answered(&put, &[], NOW, END).unwrap();
        let come: Vec<Entry> = (10..).zip(&arrivals).map(|(line, arrival)| entry(line, 7, *arrival)).collect();
        // An object that was there when the records were put is none that they can have come back in.
        let seen_before = ledger.run;
        let open_ones = vec![State::Open; come.len()];
        assert_eq!(ledger.look(&come, &vec![true; come.len()], seen_before, NOW).unwrap(), open_ones);
        drop(ledger);
        // Nor is anything taken for lines that nobody chose.
        let ledger = open(&path);
        let run = ledger.run;
        assert_eq!(ledger.look(&come, &vec![false; come.len()], run, NOW).unwrap(), open_ones);
        assert_eq!(ledger.look(&come, &vec![true; come.len()], seen_before, NOW).unwrap(), open_ones);
        drop(ledger);

        let failed: Vec<State> =
            expected.iter().map(|again| if *again { State::FailedAgain } else { State::Open }).collect();
        assert_eq!(look(&path, &come), failed, "{arrivals:?}");
        // Looking once more takes no more of what was put.
        assert_eq!(look(&path, &come), failed, "{arrivals:?}");
    }
}

#[test]
fn what_was_refused_can_not_fail_again_and_what_was_lost_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = open(&path);
    let [put, refused] = [entry(1, 7, None), entry(2, 7, None)];
    ledger.sending(&[put, refused], 1_000).unwrap();
    ledger.answered(&[put], &[refused], 1_000, 2_000).unwrap();
    let lost = [entry(3, 8, None), entry(4, 8, None)];
    ledger.sending(&lost, 3_000).unwrap();
    drop(ledger);
    let come = [entry(10, 7, Some(1_500)), entry(11, 7, Some(1_500)), entry(12, 8, Some(3_500))];
    assert_eq!(look(&path, &come), [State::FailedAgain, State::Open, State::FailedAgain]);
    // Perhaps it was another one of the same bytes that failed.
    assert_eq!(look(&path, &lost), [State::Sending; 2]);
}

#[test]
fn objects_are_done_in_a_version() {
    const NAME: &str = "clicks-1-2026-11-26-10-00-00-0f0e1d2c-3b4a-4958-8776-655443322110";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let new = |first_run| Seen { first_run, is_done: false, is_new: true };
    let seen = |first_run, is_done| Seen { first_run, is_done, is_new: false };
    let see = |ledger: &Ledger, objects: &[(&'static str, &'static str)]| {
        let objects = objects.iter().map(|(place, version)| (ObjectName::of(place), *version));
        ledger.see(objects).unwrap()
    };
    let ledger = open(&path);
    let found = see(&ledger, &[("a", "1"), ("b", "1"), (NAME, "1")]);
    assert_eq!(found, [new(1); 3]);
    for name in ["a", NAME] {
        ledger.done(ObjectName::of(name), "1", seen(1, false)).unwrap();
    }
    drop(ledger);
    let ledger = open(&path);
    let found = see(&ledger, &[("a", "1"), ("b", "1"), ("c", "1"), (NAME, "1")]);
    assert_eq!(found, [seen(1, true), seen(1, false), new(2), seen(1, true)]);
    // In another version something may have come back, unless it is another copy of what Firehose has written once.
    assert_eq!(see(&ledger, &[("a", "2"), (NAME, "2")]), [seen(2, false), seen(1, false)]);
    assert_eq!(see(&ledger, &[(NAME, "1")]), [seen(1, false)]);
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/ledger");
    let dry = || Ledger::open(&path, true, None).unwrap();
    let one = entry(1, 7, None);
    dry().sending(&[one], 1).unwrap();
    assert!(!path.parent().unwrap().exists());

    let ledger = open(&path);
    ledger.sending(&[one], 1_000).unwrap();
    ledger.answered(&[one], &[], 1_000, 2_000).unwrap();
    drop(ledger);
    for _ in 0..2 {
        let dry = dry();
        // It sees what is there, and what it did itself.
        let found = dry.look(&[one, entry(10, 7, None)], &[true; 2], dry.run, 9_000).unwrap();
        assert_eq!(found, [State::Put, State::FailedAgain]);
        dry.set_aside(&[11], 9_000).unwrap();
        assert_eq!(dry.known(&[10, 11]).unwrap(), [true, true]);
    }
    assert_eq!(open(&path).known(&[10, 11]).unwrap(), [false, false]);
}

#[test]
fn a_ledger_is_of_one_stream_and_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/ledger");
    let ledger = open(&path);
    assert!(ledger.is_new());
    ledger.is_of("arn:one").unwrap();
    let error = Ledger::open(&path, true, None).err().unwrap().to_string();
    assert!(error.ends_with("is in use by another `clicks redrive`"), "{error}");
    drop(ledger);
    let ledger = open(&path);
    assert!(!ledger.is_new());
    ledger.is_of("arn:one").unwrap();
    let error = ledger.is_of("arn:two").unwrap_err().to_string();
    assert!(
        error.contains("found the ledger of arn:one; accepted is that of arn:two: name it with `--ledger"),
        "{error}"
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(&path), mode(path.parent().unwrap())], [0o600, 0o700]);
}

#[test]
fn what_is_no_ledger_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    fs::write(&path, "no database").unwrap();
    let error = Ledger::open(&path, false, None).err().unwrap().to_string();
    assert!(error.contains("cannot be used: found a damaged file, or one of another program"), "{error}");

    let path = folder.path().join("later");
    let ledger = open(&path);
    let later = |begun: &WriteTransaction| Ok((drop(begun.open_table(ABOUT)?.insert(FORM.0, "2")?), true));
    ledger.write(later).unwrap();
    drop(ledger);
    let error = Ledger::open(&path, false, None).err().unwrap().to_string();
    assert!(error.ends_with("found a ledger of the form 2; accepted is the form 1"), "{error}");

    let error = Ledger::open(&path.join("below a file"), false, None).err().unwrap().to_string();
    assert!(error.starts_with("could not open") && error.ends_with("(`--ledger`)"), "{error}");
}

const LINES: u128 = 40;

/// What a run has left that ended, and one that was killed, each after `LINES` lines were put; with the number of the last commit.
fn left(path: &Path) -> [(Vec<u8>, Option<u64>); 2] {
    let ledger = open(path);
    for line in 0..LINES {
        let entry = entry(line, 100 + line, Some(1));
        ledger.sending(&[entry], NOW).unwrap();
        ledger.answered(&[entry], &[], NOW, NOW).unwrap();
    }
    let killed = (fs::read(path).unwrap(), count_beside(path));
    drop(ledger);
    [(fs::read(path).unwrap(), count_beside(path)), killed]
}

fn states(ledger: &Ledger) -> Vec<State> {
    let entries: Vec<Entry> = (0..LINES).map(|line| entry(line, 100 + line, Some(1))).collect();
    ledger.look(&entries, &vec![true; entries.len()], 1, NOW).unwrap()
}

#[test]
fn no_damage_puts_anything_twice() {
    let folder = tempfile::tempdir().unwrap();
    let left = left(&folder.path().join("ledger"));
    let place = folder.path().join("damaged");
    let path = place.join("ledger");
    for (run, (whole, count)) in ["ended", "killed"].into_iter().zip(left) {
        let mut damages = damages(&whole);
        damages.insert("whole".to_owned(), whole);
        let mut refused = 0;
        for (name, content) in damages {
            fs::create_dir(&place).unwrap();
            write(&path, &content, count);
            let before = count_beside(&path);
            let opened: Vec<_> = [true, false].map(|dry_run| Ledger::open(&path, dry_run, None)).into_iter().collect();
            assert_eq!(opened[0].is_ok(), opened[1].is_ok(), "{run} {name}: a dry run says the same");
            for ledger in opened {
                match ledger {
                    // A record that is not known to be put is put again.
                    Ok(ledger) => {
                        assert_eq!(states(&ledger), [State::Put; LINES as usize], "{run} {name}");
                    }
                    Err(error) => {
                        let error = error.to_string();
                        let is_told = error.contains("damaged/ledger (`--ledger`)") && !error.contains('\n');
                        assert!(is_told && name != "whole", "{run} {name}: {error}");
                        assert!(fs::read(&path).unwrap() == content && copies(&path).is_empty(), "{run} {name}");
                        assert_eq!(count_beside(&path), before);
                        refused += 1;
                    }
                }
            }
            fs::remove_dir_all(&place).unwrap();
        }
        println!("{run}: {refused} refused");
        assert!(refused >= 20, "{run}: {refused} refused");
    }
}

#[test]
fn a_damaged_ledger_is_gone_on_with_by_choice_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let [(ended, _), (killed, count)] = left(&path);
    // The one before is that of a call's begin.
    let killed = without_the_last_commit(&killed);
    let older = [&[State::Put; LINES as usize - 1][..], &[State::Sending]].concat();
    let new = vec![State::Open; LINES as usize];
    let garbage = ended[..5_000].to_vec();
    let (new_one, behind) = ("`--damaged-ledger new` begins a new one", "`--damaged-ledger older` goes on with");
    for (content, found, choices, option, expected) in [
        (Some(&killed), "its last commits cannot be read (1 missing)", behind, OnDamage::Older, Some(&older)),
        (Some(&killed), "its last commits cannot be read (1 missing)", behind, OnDamage::New, Some(&new)),
        (Some(&garbage), "found a damaged file, or one of another program (", new_one, OnDamage::Older, None),
        (Some(&garbage), "found a damaged file, or one of another program (", new_one, OnDamage::New, Some(&new)),
        (Some(&Vec::new()), "found a file of 0 bytes", new_one, OnDamage::Older, None),
        (Some(&Vec::new()), "found a file of 0 bytes", new_one, OnDamage::New, Some(&new)),
        (None, "found no file, although 81 commits were written to it", new_one, OnDamage::Older, None),
        (None, "found no file, although 81 commits were written to it", new_one, OnDamage::New, Some(&new)),
    ] {
        for kept in copies(&path) {
            fs::remove_file(kept).unwrap();
        }
        write(&path, content.unwrap_or(&Vec::new()), count);
        if content.is_none() {
            fs::remove_file(&path).unwrap();
        }
        for (dry_run, option) in [(true, None), (false, None), (true, Some(option)), (false, Some(option))] {
            let opened = Ledger::open(&path, dry_run, option);
            if let Some(expected) = expected.filter(|_| option.is_some()) {
                let ledger = opened.unwrap();
                assert_eq!(&states(&ledger), expected, "{found} {option:?}");
                assert_eq!(ledger.is_new(), *expected == new, "{found} {option:?}");
            } else {
                let error = opened.err().unwrap().to_string();
                assert!(error.contains(found) && error.contains(choices), "{found}: {error}");
            }
        }
        // The damaged file is kept, where it holds something.
        let kept: Vec<Vec<u8>> = copies(&path).into_iter().map(|path| fs::read(path).unwrap()).collect();
        let is_kept = expected.is_some() && content.is_some_and(|content| !content.is_empty());
        assert_eq!(kept, content.filter(|_| is_kept).cloned().into_iter().collect::<Vec<_>>(), "{found} {option:?}");
        // From then on it is as any other.
        if let Some(expected) = expected {
            assert_eq!(&states(&Ledger::open(&path, false, None).unwrap()), expected, "{found} {option:?}");
        }
    }
}

#[test]
fn a_ledger_of_before_commits_were_counted_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let [(ended, _), (killed, _)] = left(&path);
    for content in [ended, killed] {
        write(&path, &content, None);
        assert_eq!(states(&open(&path)), [State::Put; LINES as usize]);
        assert!(count_beside(&path).is_some());
    }
}
