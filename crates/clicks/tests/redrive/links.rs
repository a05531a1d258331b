//! Folders with symbolic links and unreadable folders.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use serde_json::json;

use crate::firehose::Firehose;
use crate::run::{Numbers, Redrive, all};

#[test]
fn a_cycle_of_links_is_skipped_and_no_record_is_put_twice() {
    let (redrive, firehose) = (Redrive::of(&[("2026/a", &all(["a", "b"]))]), Firehose::start());
    let other = redrive.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("c"), all(["c"])).unwrap();
    // To itself, to a parent folder, to one folder twice, to a file by another name, to nothing.
    for (link, target) in [
        ("loop", "loop"),
        ("2026/up", ".."),
        ("source", "."),
        ("year", "2026"),
        ("one", "../other"),
        ("two", "../other"),
        ("z", "2026/a"),
        ("gone", "no/such"),
    ] {
        symlink(target, redrive.errors().join(link)).unwrap();
    }
    let exit = redrive.run(&firehose, &[], 0, &json!({ "found": 3, "selected": 3, "put": 3 }));
    let mut texts = firehose.texts();
    texts.sort();
    assert_eq!(texts, ["a", "b", "c"]);
    for link in ["loop", "2026/up", "source", "year", "two", "z", "gone"] {
        let expected_message =
            format!("{}: skipped: a ", redrive.errors().canonicalize().unwrap().join(link).display());
        assert!(exit.stderr.contains(&expected_message), "{link}: {}", exit.stderr);
    }
    assert!(!exit.stderr.contains("/one: skipped"), "{}", exit.stderr);
}

#[test]
fn a_folder_that_can_not_be_read_is_reported_and_the_rest_is_put() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"])), ("deep/b", &all(["b"]))]), Firehose::start());
    // A path of more than 4,096 bytes (PATH_MAX) can't be read by any user.
    let mut folder = File::open(redrive.errors().join("deep")).unwrap();
    let name = "d".repeat(255);
    for _ in 0..17 {
        mkdirat(&folder, &*name, Mode::RWXU).unwrap();
        folder = openat(&folder, &*name, OFlags::DIRECTORY, Mode::empty()).unwrap().into();
    }
    let exit = redrive.run(&firehose, &[], 1, &json!({ "found": 2, "selected": 2, "put": 2 }));
    exit.objects(&json!({ "found": 2, "done": 2, "unreadable": 1 }));
    let expected_message = format!("{}/deep/ddd", redrive.errors().canonicalize().unwrap().display());
    assert!(exit.stderr.contains(&expected_message), "{}", exit.stderr);
    assert_eq!(firehose.texts(), ["a", "b"]);
}
