//! Finished objects are moved to the archive.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;
use test_support::exit::Exit;
use test_support::until;

use crate::firehose::{Act, Firehose};
use crate::run::{NAME, Numbers, Redrive, all, line, old};

#[test]
fn finished_objects_are_moved_and_the_rest_stays() {
    let mixed = old("a") + &line("b", "Other", 1);
    let name = format!("2026/11/{NAME}");
    let (redrive, firehose) =
        (Redrive::of(&[(&name, &all(["c"])), ("mixed", &mixed), ("z/blank", "\n")]), Firehose::start());
    let archive = ["--archive", "old/done/"];
    let code = ["--error-code", "Lambda.FunctionError"];
    let exit = redrive.run(
        &firehose,
        &[archive, code].concat(),
        0,
        &json!({ "found": 3, "selected": 2, "put": 2, "not_selected": 1 }),
    );
    exit.objects(&json!({ "found": 3, "done": 2, "archived": 2 }));
    let done = [format!("old/done/2026/11/{NAME}"), "old/done/z/blank".to_owned()];
    assert_eq!(redrive.names(), ["mixed", &done[0], &done[1]]);
    assert_eq!(fs::read_to_string(redrive.errors().join(&done[0])).unwrap(), all(["c"]));
    // The archive is not read again, although it is below the source.
    let rest = json!({ "found": 2, "put_before": 1, "selected": 1, "put": 1 });
    redrive.run(&firehose, &archive, 0, &rest).objects(&json!({ "found": 1, "done": 1, "archived": 1 }));
    assert_eq!(redrive.names(), [&done[0], "old/done/mixed", &done[1]]);
    redrive.run(&firehose, &archive, 0, &json!({})).objects(&json!({}));
    assert_eq!(firehose.texts(), ["c", "a", "b"]);
}

#[test]
fn objects_of_a_folder_are_named_and_moved_by_their_keys() {
    // `/lead//a`, `/lead/.`, and `b/c` below an object `b`.
    let names = ["%/lead/%/a", "%/lead/%2E", "b", "b%+/c"];
    let content = all(["x"]) + "corrupt\n";
    let redrive = Redrive::of(&names.map(|name| (name, content.as_str())));
    let firehose = Firehose::start();
    let numbers = json!({ "found": 8, "selected": 4, "put": 4, "corrupt": 4 });
    let exit = redrive.run(&firehose, &["--archive", "done"], 1, &numbers);
    let root = redrive.errors().canonicalize().unwrap().display().to_string();
    let expected_message =
        ["/lead/.", "/lead//a", "b", "b/c"].map(|key| format!("{root}/{key}, line 2, byte 191: not a JSON object"));
    exit.reports(&expected_message.each_ref().map(String::as_str));
    assert_eq!(redrive.names(), ["done/%/lead/%/a", "done/%/lead/%2E", "done/b", "done/b%+/c"]);
}

#[test]
fn objects_finished_by_an_earlier_run_are_moved_by_a_later_one() {
    let (redrive, firehose) = (Redrive::of(&[("2026/a", &all(["a"])), ("2026/b", &all(["b"]))]), Firehose::start());
    redrive.run(&firehose, &["--limit", "1"], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    redrive.run(&firehose, &["--archive", "done", "--dry-run"], 0, &json!({ "found": 1, "selected": 1 }));
    assert_eq!(redrive.names(), ["2026/a", "2026/b"]);
    redrive.run(&firehose, &[], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    redrive
        .run(&firehose, &["--archive", "done"], 0, &json!({}))
        .objects(&json!({ "found": 2, "done": 2, "archived": 2 }));
    assert_eq!(redrive.names(), ["done/2026/a", "done/2026/b"]);
    // A source of one object.
    redrive.write("c", old("c"));
    redrive.run(&firehose, &["errors/c", "--archive", "done"], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    assert_eq!(redrive.names(), ["done/2026/a", "done/2026/b", "done/c"]);
}

#[test]
fn an_object_that_changed_during_the_run_is_not_moved() {
    let firehose = Firehose::with(&[Act::IsHeld]);
    let redrive = Redrive::of(&[("a", &all(["a"])), ("b", &all(["b"]))]);
    let child = redrive.spawn(&firehose, &["--archive", "done"]);
    until(|| firehose.calls().len() == 1);
    redrive.write("a", all(["a", "new"]));
    fs::remove_file(redrive.errors().join("b")).unwrap();
    firehose.release();
    let exit = Exit::of(child);
    exit.comes_to(1, &json!({ "found": 2, "selected": 2, "put": 2 }));
    exit.objects(&json!({ "found": 2, "done": 2, "not_archived": 2 }));
    let place = |name: &str| redrive.errors().canonicalize().unwrap().join(name).display().to_string();
    exit.reports(
        &["a", "b"]
            .map(|name| format!("{}: not moved to the archive, because it changed during the run", place(name)))
            .each_ref()
            .map(String::as_str),
    );
    let rest = json!({ "found": 2, "put_before": 1, "selected": 1, "put": 1 });
    redrive.run(&firehose, &["--archive", "done"], 0, &rest).objects(&json!({ "found": 1, "done": 1, "archived": 1 }));
    assert_eq!(
        (redrive.names(), firehose.texts()),
        (vec!["done/a".to_owned()], vec!["a".into(), "b".into(), "new".into()])
    );
}

#[test]
fn an_existing_object_in_the_archive_is_not_overwritten() {
    // Of another size, and of the same.
    for there in ["another", &old("b")] {
        let (redrive, firehose) = (Redrive::of(&[("a", &old("a")), ("done/a", there)]), Firehose::start());
        for put in [json!({ "found": 1, "selected": 1, "put": 1 }), json!({})] {
            let exit = redrive.run(&firehose, &["--archive", "done"], 1, &put);
            exit.objects(&json!({ "found": 1, "done": 1, "not_archived": 1 }));
            assert!(exit.stderr.ends_with("/done/a: another object already exists there\n"), "{}", exit.stderr);
        }
        assert_eq!(redrive.names(), ["a", "done/a"]);
        assert_eq!(fs::read_to_string(redrive.errors().join("done/a")).unwrap(), there);
        // An object with the same content is accepted.
        fs::copy(redrive.errors().join("a"), redrive.errors().join("done/a")).unwrap();
        redrive.run(&firehose, &["--archive", "done"], 0, &json!({}));
        assert_eq!((redrive.names(), firehose.texts()), (vec!["done/a".to_owned()], vec!["a".to_owned()]));
    }
}

#[test]
fn an_object_found_through_a_link_is_not_moved() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
    let other = redrive.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("c"), all(["c"])).unwrap();
    fs::write(redrive.folder.path().join("b"), all(["b"])).unwrap();
    symlink("../b", redrive.errors().join("b")).unwrap();
    symlink("../other", redrive.errors().join("folder")).unwrap();
    for (records, objects) in [
        (
            json!({ "found": 3, "selected": 3, "put": 3 }),
            json!({ "found": 3, "done": 3, "archived": 1, "not_archived": 2 }),
        ),
        (json!({}), json!({ "found": 2, "done": 2, "not_archived": 2 })),
    ] {
        let exit = redrive.run(&firehose, &["--archive", "done"], 1, &records);
        exit.objects(&objects);
        let root = redrive.errors().canonicalize().unwrap().display().to_string();
        for name in ["b", "folder/c"] {
            let expected_message =
                format!("could not move {root}/{name} to {root}/done/{name}: its path has a symbolic link; ");
            assert!(exit.stderr.contains(&expected_message), "{}", exit.stderr);
        }
        assert!(redrive.errors().join("b").is_file() && other.join("c").is_file());
        assert!(redrive.errors().join("done/a").is_file());
    }
}
