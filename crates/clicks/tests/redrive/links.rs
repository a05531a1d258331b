//! Symbolic links below the source.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::firehose::Firehose;
use crate::run::{Redrive, all};

#[test]
fn a_circle_is_skipped_and_no_record_is_put_twice() {
    let (redrive, firehose) = (Redrive::of(&[("2026/a", &all(["a", "b"]))]), Firehose::start());
    let other = redrive.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("c"), all(["c"])).unwrap();
    // To itself, to what it is in, to one folder twice, to a file by another name, to nothing.
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
    let ended = redrive.run(&firehose, &[], 0, &json!({ "found": 3, "selected": 3, "put": 3 }));
    let mut texts = firehose.texts();
    texts.sort();
    assert_eq!(texts, ["a", "b", "c"]);
    for link in ["loop", "2026/up", "source", "year", "two", "z", "gone"] {
        let told =
            format!("{}: skipped, as it is a link ", redrive.errors().canonicalize().unwrap().join(link).display());
        assert!(ended.stderr.contains(&told), "{link}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("/one: skipped"), "{}", ended.stderr);
}
