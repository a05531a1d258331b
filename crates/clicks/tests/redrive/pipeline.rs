//! Redrive with `clicks up`.

use std::path::Path;

use serde_json::{Value, json};
use test_support::exit::Exit;
use test_support::files::objects;
use test_support::up::{PROCESSOR, STREAM, Up};

use crate::run::{Numbers, Redrive};

/// Puts the error objects of a pipeline in the folder into the one that runs now.
fn redrive(redrive: &Redrive, up: &Up, more: &[&str]) -> Exit {
    let arguments =
        ["out/bucket/errors", "--stream", STREAM, "--endpoint", up.firehose(), "--journal", "journal", "--json"];
    redrive.bare_command(&arguments).args(more).output().unwrap().into()
}

#[test]
fn records_that_the_processor_failed_are_delivered_after_it_is_fixed() {
    let folder = Redrive::of(&[]);
    let root = folder.folder.path();
    let mysfits = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/mysfits.json");
    let mysfits: Value = serde_json::from_slice(&std::fs::read(mysfits).unwrap()).unwrap();
    let known = mysfits[0]["mysfitId"].as_str().unwrap();
    let unknown = "00000000-0000-4000-8000-000000000000";
    let click = |n: usize| json!({ "userId": format!("user {n}"), "mysfitId": if n.is_multiple_of(3) { known } else { unknown } });
    let clicks: Vec<String> = (0..1_500).map(|n| click(n).to_string()).collect();
    let guest = json!({ "userId": "guest", "mysfitId": unknown }).to_string();

    let mut up = Up::start_in(root, &[PROCESSOR, "--env", "ON_UNKNOWN_KEY=fail"]);
    up.put(&[clicks.clone(), vec![guest; 10]].concat());
    let end = up.stop();
    let totals = "mysfits-clicks: 1510 accepted, 500 delivered, 0 dropped, 1010 failed";
    assert_eq!(end.stdout.lines().last(), Some(totals), "{}", end.stderr);

    let mut up = Up::start_in(root, &[PROCESSOR, "--env", "ON_UNKNOWN_KEY=pass"]);
    let some = redrive(&folder, &up, &["--limit", "7"]);
    assert_eq!((some.code, &some.report()["records"]["put"]), (Some(0), &json!(7)), "{}", some.stderr);
    let rest = redrive(&folder, &up, &["--archive", "redriven"]);
    rest.comes_to(0, &json!({ "found": 1_010, "put_before": 7, "selected": 1_003, "put": 1_003 }));
    up.until_processed(1_010);
    let end = up.stop();
    let totals = "mysfits-clicks: 1010 accepted, 1010 delivered, 0 dropped, 0 failed";
    assert_eq!(end.stdout.lines().last(), Some(totals), "{}", end.stderr);

    let mut users: Vec<String> = up
        .delivered()
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["userId"].as_str().unwrap().to_owned())
        .collect();
    let mut expected: Vec<String> = (0..1_500).map(|n| format!("user {n}")).collect();
    expected.extend(vec!["guest".to_owned(); 10]);
    users.sort();
    expected.sort();
    assert!(users == expected, "{} of {}", users.len(), expected.len());
    assert_eq!(objects(&root.join("out/bucket/errors")).lines().count(), 1_010);
    assert_eq!(objects(&root.join("out/bucket/errors/redriven")).lines().count(), 1_010);
}

#[test]
fn records_that_fail_again_are_held_back() {
    let folder = Redrive::of(&[]);
    let up = Up::start_in(folder.folder.path(), &[]);
    let bad = json!({ "do": "fail" }).to_string();
    up.put(&[bad.as_str(), "{}", &bad]);
    up.until_processed(3);
    redrive(&folder, &up, &["--archive", "done"]).comes_to(0, &json!({ "found": 2, "selected": 2, "put": 2 }));
    up.until_processed(5);
    for _ in 0..2 {
        redrive(&folder, &up, &[]).comes_to(1, &json!({ "found": 2, "failed_again": 2 }));
    }
    redrive(&folder, &up, &["--again"]).comes_to(0, &json!({ "found": 2, "selected": 2, "put": 2 }));
    up.until_processed(7);
    redrive(&folder, &up, &[]).comes_to(1, &json!({ "found": 2, "failed_again": 2 }));
    // A new failed record.
    up.put(&[json!({ "do": "fail", "n": 1 }).to_string()]);
    up.until_processed(8);
    redrive(&folder, &up, &[]).comes_to(1, &json!({ "found": 3, "failed_again": 2, "selected": 1, "put": 1 }));
    up.until_processed(9);
}
