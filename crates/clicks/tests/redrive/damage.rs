//! A ledger that is not what it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;
use test_support::exit::Exit;
use test_support::until;

use crate::firehose::{Act, Firehose};
use crate::run::{Redrive, all, each, numbered, snapshot};

/// What was kept of damaged ledgers.
fn kept(redrive: &Redrive) -> Vec<PathBuf> {
    let entries = fs::read_dir(redrive.folder.path().join("state")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.display().to_string().contains("/ledger.damaged-")).collect()
}

#[test]
fn a_ledger_that_is_damaged_or_gone_puts_nothing_twice() {
    for (found, damage) in [
        ("found a file of 0 bytes", (|ledger| Some(ledger[..0].to_vec())) as fn(&[u8]) -> Option<Vec<u8>>),
        ("found no file, although ", |_| None),
        ("found a damaged file, or one of another program (", |ledger| Some(ledger[..ledger.len() / 2].to_vec())),
        ("found a damaged file, or one of another program (", |ledger| Some(vec![0; ledger.len()])),
        ("found a damaged file, or one of another program (", |_| Some(b"{}\n".repeat(9_999))),
        ("found a damaged file, or one of another program (", |ledger| {
            Some(ledger.iter().enumerate().map(|(at, byte)| if at / 4096 == 1 { 0 } else { *byte }).collect())
        }),
    ] {
        let (redrive, firehose) = (Redrive::of(&[("a", &all(["a", "b"]))]), Firehose::start());
        redrive.run(&firehose, &[], 0, &json!({ "found": 2, "selected": 2, "put": 2 }));
        // So that it is read again.
        redrive.write("a", all(["a", "b", "c"]));
        let damaged = damage(&fs::read(redrive.ledger()).unwrap());
        match &damaged {
            Some(content) => fs::write(redrive.ledger(), content).unwrap(),
            None => fs::remove_file(redrive.ledger()).unwrap(),
        }
        let before = snapshot(redrive.folder.path());
        for options in [&[][..], &["--dry-run"], &["--damaged-ledger", "older"]] {
            let ended = redrive.end(&firehose, options);
            ended.refuses(1, &format!("error: the ledger state/ledger (`--ledger`) cannot be used: {found}"));
            assert!(ended.stderr.contains("`--damaged-ledger new` begins a new one"), "{}", ended.stderr);
            assert!(snapshot(redrive.folder.path()) == before, "{found}: something was written");
        }
        assert_eq!(firehose.texts(), ["a", "b"], "{found}");
        let new = ["--damaged-ledger", "new"];
        let ended = redrive.run(&firehose, &new, 0, &json!({ "found": 3, "selected": 3, "put": 3 }));
        assert!(ended.stderr.contains("begins a new one; what was put before may be put twice\n"), "{}", ended.stderr);
        let copies: Vec<Vec<u8>> = kept(&redrive).into_iter().map(|path| fs::read(path).unwrap()).collect();
        assert_eq!(copies, damaged.filter(|damaged| !damaged.is_empty()).into_iter().collect::<Vec<_>>());
        redrive.run(&firehose, &[], 0, &json!({}));
    }
}

#[test]
fn a_ledger_without_its_last_commit_puts_nothing_twice() {
    let firehose = Firehose::with(&[Act::Takes, Act::Hangs]);
    let redrive = Redrive::of(&[("a", &all(numbered(0, 1_000)))]);
    let mut child = redrive.spawn(&firehose, &[]);
    until(|| firehose.calls().len() == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    // redb recovers from it, and forgets that the last call was sent.
    let mut ledger = fs::read(redrive.ledger()).unwrap();
    let transaction = |slot: usize| u64::from_le_bytes(ledger[slot + 104..slot + 112].try_into().unwrap());
    let newest = [64, 192].into_iter().max_by_key(|slot| transaction(*slot)).unwrap();
    ledger[newest + 104] ^= 1;
    fs::write(redrive.ledger(), &ledger).unwrap();
    let message = "found a damaged file: its last commits cannot be read (1 missing); accepted is the file";
    redrive.end(&firehose, &[]).refuses(1, message);
    assert!(fs::read(redrive.ledger()).unwrap() == ledger && kept(&redrive).is_empty());
    assert_eq!(firehose.counts(), each(numbered(0, 1_000), 1));
    // As asked for, with what that costs.
    let older = ["--damaged-ledger", "older"];
    let ended =
        redrive.run(&firehose, &older, 0, &json!({ "found": 1_000, "put_before": 500, "selected": 500, "put": 500 }));
    assert!(ended.stderr.contains("what was put after it may be put twice\n"), "{}", ended.stderr);
    assert_eq!(kept(&redrive).into_iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), [ledger]);
    redrive.run(&firehose, &[], 0, &json!({}));
}

#[test]
fn a_folder_in_its_place_is_told_and_files_are_for_their_owner() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
    fs::create_dir_all(redrive.ledger()).unwrap();
    redrive
        .end(&firehose, &[])
        .refuses(1, "error: could not open state/ledger (`--ledger`): Is a directory (os error 21)");
    fs::remove_dir_all(redrive.folder.path().join("state")).unwrap();
    redrive.run(&firehose, &[], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    let state = redrive.folder.path().join("state");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        [&state, &redrive.ledger(), &state.join("ledger.commits")].map(|path| mode(path)),
        [0o700, 0o600, 0o600]
    );
    // As an earlier version, or a copy, has left it.
    fs::set_permissions(redrive.ledger(), fs::Permissions::from_mode(0o644)).unwrap();
    redrive.run(&firehose, &[], 0, &json!({}));
    assert_eq!(mode(&redrive.ledger()), 0o600);
    // The folder where ledgers are kept by default.
    let folder = redrive.folder.path().join(".local/state/clicks/redrive");
    fs::create_dir_all(&folder).unwrap();
    let arguments = ["errors", "--stream", "clicks", "--json", "--endpoint", &firehose.url()];
    let told =
        format!("{}: other users may look into it; accepted is a folder of one user (`chmod 700 ", folder.display());
    for (bits, is_told) in [(0o755, true), (0o700, false)] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(bits)).unwrap();
        let ended = Exit::from(redrive.bare_command(&arguments).output().unwrap());
        assert_eq!((ended.code, ended.stderr.contains(&told)), (Some(0), is_told), "{}", ended.stderr);
    }
}
