use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::tables::MAX_SKEW_MS;
use super::*;
use test_support::damage::{copies, count_beside, damages, without_the_last_commit, write};

const NOW: u64 = 1_700_000_000_000;

fn open(path: &Path) -> Journal {
    Journal::open(path, false, None).unwrap()
}

fn entry(line: u128, content: u128, arrival_ms: Option<i64>) -> Entry {
    Entry { line, content, arrival_ms, state: State::Unknown }
}

/// The states that a later run finds, in objects that it sees first.
fn look(path: &Path, entries: &[Entry]) -> Vec<State> {
    let journal = open(path);
    let run = journal.run;
    journal.classify(entries, &vec![true; entries.len()], run, NOW).unwrap()
}

#[test]
fn each_state_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/journal");
    let [put, refused, lost, unknown] = [1, 2, 3, 4].map(|line| entry(line, 100 + line, Some(1)));
    let journal = open(&path);
    journal.sending(&[put, refused, lost], 10).unwrap();
    journal.record_response(&[put], &[refused], 10, 20).unwrap();
    journal.quarantined(&[9], 10).unwrap();
    drop(journal);
    assert_eq!(
        look(&path, &[put, refused, lost, unknown]),
        [State::Put, State::Unknown, State::Sending, State::Unknown]
    );
    assert_eq!(open(&path).contains(&[9, 1, 4]).unwrap(), [true, true, false]);
}

#[test]
fn a_refused_record_has_its_previous_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let states = [State::Unknown, State::Sending, State::FailedAgain];
    let entries: Vec<Entry> =
        (1..).zip(states).map(|(line, state)| Entry { state, ..entry(line, 100 + line, None) }).collect();
    let journal = open(&path);
    journal.sending(&entries, NOW).unwrap();
    journal.record_response(&[], &entries, NOW, NOW).unwrap();
    drop(journal);
    assert_eq!(look(&path, &entries), states);
}

#[test]
fn a_record_can_fail_again_as_often_as_it_was_put() {
    const END: u64 = NOW + 1_000;
    let at = |ms: u64| Some(i64::try_from(ms).unwrap());
    for (arrivals, expected) in [
        // Put twice, so two have come back, and the third is a new one.
        (vec![at(NOW + 500); 3], vec![true, true, false]),
        // The clock is late, or early.
        (vec![at(NOW - MAX_SKEW_MS), at(END + MAX_SKEW_MS)], vec![true, true]),
        // Long before, or long after.
        (vec![at(NOW - MAX_SKEW_MS - 1), at(END + MAX_SKEW_MS + 1)], vec![false, false]),
        (vec![None, Some(-1), None], vec![true, true, false]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = open(&path);
        let put = [entry(1, 7, None), entry(2, 7, None), entry(3, 8, None)];
        journal.sending(&put, NOW).unwrap();
        journal.record_response(&put, &[], NOW, END).unwrap();
        let come: Vec<Entry> = (10..).zip(&arrivals).map(|(line, arrival)| entry(line, 7, *arrival)).collect();
        // Records can't have come back in an object that was there before they were put.
        let seen_before = journal.run;
        let unknown_ones = vec![State::Unknown; come.len()];
        assert_eq!(journal.classify(&come, &vec![true; come.len()], seen_before, NOW).unwrap(), unknown_ones);
        drop(journal);
        // Lines that are not selected take nothing off the puts.
        let journal = open(&path);
        let run = journal.run;
        assert_eq!(journal.classify(&come, &vec![false; come.len()], run, NOW).unwrap(), unknown_ones);
        assert_eq!(journal.classify(&come, &vec![true; come.len()], seen_before, NOW).unwrap(), unknown_ones);
        drop(journal);

        let failed: Vec<State> =
            expected.iter().map(|again| if *again { State::FailedAgain } else { State::Unknown }).collect();
        assert_eq!(look(&path, &come), failed, "{arrivals:?}");
        // A second look takes nothing more off the puts.
        assert_eq!(look(&path, &come), failed, "{arrivals:?}");
    }
}

#[test]
fn a_refused_record_can_not_fail_again_and_an_uncertain_one_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = open(&path);
    let [put, refused] = [entry(1, 7, None), entry(2, 7, None)];
    journal.sending(&[put, refused], 1_000).unwrap();
    journal.record_response(&[put], &[refused], 1_000, 2_000).unwrap();
    let lost = [entry(3, 8, None), entry(4, 8, None)];
    journal.sending(&lost, 3_000).unwrap();
    drop(journal);
    let come = [entry(10, 7, Some(1_500)), entry(11, 7, Some(1_500)), entry(12, 8, Some(3_500))];
    assert_eq!(look(&path, &come), [State::FailedAgain, State::Unknown, State::FailedAgain]);
    // Perhaps it was another one of the same bytes that failed.
    assert_eq!(look(&path, &lost), [State::Sending; 2]);
}

#[test]
fn objects_are_done_in_a_version() {
    const NAME: &str = "clicks-1-2026-11-26-10-00-00-0f0e1d2c-3b4a-4958-8776-655443322110";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let new = |first_run| ObjectState { first_run, is_done: false, is_new: true };
    let seen = |first_run, is_done| ObjectState { first_run, is_done, is_new: false };
    let see = |journal: &Journal, objects: &[(&'static str, &'static str)]| {
        let objects = objects.iter().map(|(place, version)| (*place, (*version).to_owned()));
        journal.register(objects).unwrap()
    };
    let journal = open(&path);
    let found = see(&journal, &[("a", "1"), ("b", "1"), (NAME, "1")]);
    assert_eq!(found, [new(1); 3]);
    for name in ["a", NAME] {
        journal.done(name, "1", seen(1, false)).unwrap();
    }
    drop(journal);
    let journal = open(&path);
    let found = see(&journal, &[("a", "1"), ("b", "1"), ("c", "1"), (NAME, "1")]);
    assert_eq!(found, [seen(1, true), seen(1, false), new(2), seen(1, true)]);
    // In another version something may have come back, unless it is another copy of what Firehose has written once.
    assert_eq!(see(&journal, &[("a", "2"), (NAME, "2")]), [seen(2, false), seen(1, false)]);
    assert_eq!(see(&journal, &[(NAME, "1")]), [seen(1, false)]);
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/journal");
    let dry = || Journal::open(&path, true, None).unwrap();
    let one = entry(1, 7, None);
    dry().sending(&[one], 1).unwrap();
    assert!(!path.parent().unwrap().exists());

    let journal = open(&path);
    journal.sending(&[one], 1_000).unwrap();
    journal.record_response(&[one], &[], 1_000, 2_000).unwrap();
    drop(journal);
    for _ in 0..2 {
        let dry = dry();
        // It sees the file's states and its own changes.
        let found = dry.classify(&[one, entry(10, 7, None)], &[true; 2], dry.run, 9_000).unwrap();
        assert_eq!(found, [State::Put, State::FailedAgain]);
        dry.quarantined(&[11], 9_000).unwrap();
        assert_eq!(dry.contains(&[10, 11]).unwrap(), [true, true]);
    }
    assert_eq!(open(&path).contains(&[10, 11]).unwrap(), [false, false]);
}

#[test]
fn a_journal_belongs_to_one_stream_and_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/journal");
    let journal = open(&path);
    assert!(journal.is_new);
    journal.check_stream("arn:one").unwrap();
    let error = Journal::open(&path, true, None).err().unwrap().to_string();
    assert!(error.ends_with("is in use by another `clicks redrive`"), "{error}");
    drop(journal);
    let journal = open(&path);
    assert!(!journal.is_new);
    journal.check_stream("arn:one").unwrap();
    let error = journal.check_stream("arn:two").unwrap_err().to_string();
    assert!(
        error.contains("the journal of another stream: arn:one; accepted is that of arn:two (`--journal FILE`)"),
        "{error}"
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(&path), mode(path.parent().unwrap())], [0o600, 0o700]);
}

#[test]
fn an_invalid_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    fs::write(&path, "no database").unwrap();
    let error = Journal::open(&path, false, None).err().unwrap().to_string();
    assert!(error.contains("cannot be used: found a damaged file, or one of another program"), "{error}");

    let path = folder.path().join("later");
    let journal = open(&path);
    let later = |begun: &WriteTransaction| Ok((drop(begun.open_table(ABOUT)?.insert(FORMAT.0, "2")?), true));
    journal.write(later).unwrap();
    drop(journal);
    let error = Journal::open(&path, false, None).err().unwrap().to_string();
    assert!(error.ends_with("unknown format of a journal: 2; accepted is 1"), "{error}");

    let error = Journal::open(&path.join("below a file"), false, None).err().unwrap().to_string();
    assert!(error.starts_with("could not open") && error.ends_with("(`--journal`)"), "{error}");
}

const LINES: u128 = 40;

/// The files of a run that stopped and of one that was killed, each after it put `LINES` lines; with the number of the last commit.
fn left(path: &Path) -> [(Vec<u8>, Option<u64>); 2] {
    let journal = open(path);
    for line in 0..LINES {
        let entry = entry(line, 100 + line, Some(1));
        journal.sending(&[entry], NOW).unwrap();
        journal.record_response(&[entry], &[], NOW, NOW).unwrap();
    }
    let killed = (fs::read(path).unwrap(), count_beside(path));
    drop(journal);
    [(fs::read(path).unwrap(), count_beside(path)), killed]
}

fn states(journal: &Journal) -> Vec<State> {
    let entries: Vec<Entry> = (0..LINES).map(|line| entry(line, 100 + line, Some(1))).collect();
    journal.classify(&entries, &vec![true; entries.len()], 1, NOW).unwrap()
}

#[test]
fn no_damage_puts_anything_twice() {
    let folder = tempfile::tempdir().unwrap();
    let left = left(&folder.path().join("journal"));
    let place = folder.path().join("damaged");
    let path = place.join("journal");
    for (run, (whole, count)) in ["stopped", "killed"].into_iter().zip(left) {
        let mut damages = damages(&whole);
        damages.insert("whole".to_owned(), whole);
        let mut refused = 0;
        for (name, content) in damages {
            fs::create_dir(&place).unwrap();
            write(&path, &content, count);
            let before = count_beside(&path);
            let opened: Vec<_> = [true, false].map(|dry_run| Journal::open(&path, dry_run, None)).into_iter().collect();
            assert_eq!(opened[0].is_ok(), opened[1].is_ok(), "{run} {name}: a dry run says the same");
            for journal in opened {
                match journal {
                    // A record without the state `Put` is put again.
                    Ok(journal) => {
                        assert_eq!(states(&journal), [State::Put; LINES as usize], "{run} {name}");
                    }
                    Err(error) => {
                        let error = error.to_string();
                        let is_reported = error.contains("damaged/journal (`--journal`)") && !error.contains('\n');
                        assert!(is_reported && name != "whole", "{run} {name}: {error}");
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
fn a_damaged_journal_is_used_by_choice_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let [(ended, _), (killed, count)] = left(&path);
    // The commit before is that of a call's start.
    let killed = without_the_last_commit(&killed);
    let older = [&[State::Put; LINES as usize - 1][..], &[State::Sending]].concat();
    let new = vec![State::Unknown; LINES as usize];
    let garbage = ended[..5_000].to_vec();
    let (new_one, behind) = ("`--damaged-journal new` starts a new one", "`--damaged-journal older` continues from");
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
            let opened = Journal::open(&path, dry_run, option);
            if let Some(expected) = expected.filter(|_| option.is_some()) {
                let journal = opened.unwrap();
                assert_eq!(&states(&journal), expected, "{found} {option:?}");
                assert_eq!(journal.is_new, *expected == new, "{found} {option:?}");
            } else {
                let error = opened.err().unwrap().to_string();
                assert!(error.contains(found) && error.contains(choices), "{found}: {error}");
            }
        }
        // The damaged file is kept, where it holds something.
        let kept: Vec<Vec<u8>> = copies(&path).into_iter().map(|path| fs::read(path).unwrap()).collect();
        let is_kept = expected.is_some() && content.is_some_and(|content| !content.is_empty());
        assert_eq!(kept, content.filter(|_| is_kept).cloned().into_iter().collect::<Vec<_>>(), "{found} {option:?}");
        // From then on it is sound.
        if let Some(expected) = expected {
            assert_eq!(&states(&Journal::open(&path, false, None).unwrap()), expected, "{found} {option:?}");
        }
    }
}

#[test]
fn a_journal_without_a_commit_count_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let [(ended, _), (killed, _)] = left(&path);
    for content in [ended, killed] {
        write(&path, &content, None);
        assert_eq!(states(&open(&path)), [State::Put; LINES as usize]);
        assert!(count_beside(&path).is_some());
    }
}
