//! A damaged or missing journal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;
use test_support::exit::Exit;
use test_support::until;

use crate::firehose::{Act, Firehose};
use crate::run::{Redrive, all, each, numbered, snapshot};

/// The copies of damaged journals.
fn kept(redrive: &Redrive) -> Vec<PathBuf> {
    let entries = fs::read_dir(redrive.folder.path().join("state")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.display().to_string().contains("/journal.damaged-")).collect()
}

#[test]
fn a_damaged_or_missing_journal_puts_nothing_twice() {
    for (found, damage) in [
        ("found a file of 0 bytes", (|journal| Some(journal[..0].to_vec())) as fn(&[u8]) -> Option<Vec<u8>>),
        ("found no file, although ", |_| None),
        ("found a damaged file, or one of another program (", |journal| Some(journal[..journal.len() / 2].to_vec())),
        ("found a damaged file, or one of another program (", |journal| Some(vec![0; journal.len()])),
        ("found a damaged file, or one of another program (", |_| Some(b"{}\n".repeat(9_999))),
        ("found a damaged file, or one of another program (", |journal| {
            Some(journal.iter().enumerate().map(|(at, byte)| if at / 4096 == 1 { 0 } else { *byte }).collect())
        }),
    ] {
        let (redrive, firehose) = (Redrive::of(&[("a", &all(["a", "b"]))]), Firehose::start());
        redrive.run(&firehose, &[], 0, &json!({ "found": 2, "selected": 2, "put": 2 }));
        // So that it is read again.
        redrive.write("a", all(["a", "b", "c"]));
        let damaged = damage(&fs::read(redrive.journal()).unwrap());
        match &damaged {
            Some(content) => fs::write(redrive.journal(), content).unwrap(),
            None => fs::remove_file(redrive.journal()).unwrap(),
        }
        let before = snapshot(redrive.folder.path());
        for options in [&[][..], &["--dry-run"], &["--damaged-journal", "older"]] {
            let exit = redrive.end(&firehose, options);
            exit.refuses(1, &format!("error: the journal state/journal (`--journal`) cannot be used: {found}"));
            assert!(exit.stderr.contains("`--damaged-journal new` starts a new one"), "{}", exit.stderr);
            assert!(snapshot(redrive.folder.path()) == before, "{found}: something was written");
        }
        assert_eq!(firehose.texts(), ["a", "b"], "{found}");
        let new = ["--damaged-journal", "new"];
        let exit = redrive.run(&firehose, &new, 0, &json!({ "found": 3, "selected": 3, "put": 3 }));
        assert!(
            exit.stderr.contains("starts a new one; records that were put before may be put twice\n"),
            "{}",
            exit.stderr
        );
        let copies: Vec<Vec<u8>> = kept(&redrive).into_iter().map(|path| fs::read(path).unwrap()).collect();
        assert_eq!(copies, damaged.filter(|damaged| !damaged.is_empty()).into_iter().collect::<Vec<_>>());
        redrive.run(&firehose, &[], 0, &json!({}));
    }
}

#[test]
fn a_journal_without_its_last_commit_puts_nothing_twice() {
    let firehose = Firehose::with(&[Act::Takes, Act::Hangs]);
    let redrive = Redrive::of(&[("a", &all(numbered(0, 1_000)))]);
    let mut child = redrive.spawn(&firehose, &[]);
    until(|| firehose.calls().len() == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    // redb recovers, without the commit of the last call.
    let mut journal = fs::read(redrive.journal()).unwrap();
    let transaction = |slot: usize| u64::from_le_bytes(journal[slot + 104..slot + 112].try_into().unwrap());
    let newest = [64, 192].into_iter().max_by_key(|slot| transaction(*slot)).unwrap();
    journal[newest + 104] ^= 1;
    fs::write(redrive.journal(), &journal).unwrap();
    let message = "found a damaged file: its last commits cannot be read (1 missing); accepted is the file";
    redrive.end(&firehose, &[]).refuses(1, message);
    assert!(fs::read(redrive.journal()).unwrap() == journal && kept(&redrive).is_empty());
    assert_eq!(firehose.counts(), each(numbered(0, 1_000), 1));
    // By option, records are put twice.
    let older = ["--damaged-journal", "older"];
    let exit =
        redrive.run(&firehose, &older, 0, &json!({ "found": 1_000, "put_before": 500, "selected": 500, "put": 500 }));
    assert!(exit.stderr.contains("records that were put after it may be put twice\n"), "{}", exit.stderr);
    assert_eq!(kept(&redrive).into_iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), [journal]);
    redrive.run(&firehose, &[], 0, &json!({}));
}

#[test]
fn a_folder_as_journal_is_refused_and_files_are_private() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
    fs::create_dir_all(redrive.journal()).unwrap();
    redrive
        .end(&firehose, &[])
        .refuses(1, "error: could not open the journal state/journal (`--journal`): Is a directory (os error 21)");
    fs::remove_dir_all(redrive.folder.path().join("state")).unwrap();
    redrive.run(&firehose, &[], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    let state = redrive.folder.path().join("state");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        [&state, &redrive.journal(), &state.join("journal.commits")].map(|path| mode(path)),
        [0o700, 0o600, 0o600]
    );
    // An earlier version or a copy may have another mode.
    fs::set_permissions(redrive.journal(), fs::Permissions::from_mode(0o644)).unwrap();
    redrive.run(&firehose, &[], 0, &json!({}));
    assert_eq!(mode(&redrive.journal()), 0o600);
    // The default folder of journals.
    let folder = redrive.folder.path().join(".local/state/clicks/redrive");
    fs::create_dir_all(&folder).unwrap();
    let arguments = ["errors", "--stream", "clicks", "--json", "--endpoint", &firehose.url()];
    let expected_message =
        format!("{}: other users can read this folder; accepted is a private one (`chmod 700 ", folder.display());
    for (bits, is_reported) in [(0o755, true), (0o700, false)] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(bits)).unwrap();
        let exit = Exit::from(redrive.bare_command(&arguments).output().unwrap());
        assert_eq!((exit.code, exit.stderr.contains(&expected_message)), (Some(0), is_reported), "{}", exit.stderr);
    }
}
