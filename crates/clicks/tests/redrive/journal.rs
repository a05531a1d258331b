//! What the journal keeps between runs.

use std::fs;
use std::process::Command;

use serde_json::json;
use test_support::exit::Exit;
use test_support::until;

use crate::firehose::{ARN, Act, Firehose};
use crate::run::{NAME, Numbers, Redrive, all, each, gzip, new, numbered, old};

#[test]
fn limits_add_up() {
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    for number in 0..3 {
        redrive.write(&number.to_string(), all(numbered(number * 350, number * 350 + 350)));
    }
    for (limit, before, put, is_reached) in [
        ("1", 0, 1, true),
        ("499", 1, 499, true),
        ("501", 500, 501, true),
        ("49", 1_001, 49, false),
        ("1", 1_050, 0, false),
    ] {
        let exit = redrive.end(&firehose, &["--limit", limit]);
        let report = exit.report();
        assert_eq!((exit.code, &report["limit_reached"]), (Some(0), &json!(is_reached)), "{limit}");
        assert_eq!((&report["records"]["put"], &report["records"]["selected"]), (&json!(put), &json!(put)), "{limit}");
        assert_eq!(firehose.texts(), numbered(0, before + put), "{limit}");
    }
    redrive.end(&firehose, &[]).objects(&json!({ "found": 3, "done": 3 }));
}

#[test]
fn a_journal_belongs_to_one_stream_and_one_process() {
    let firehose = Firehose::with(&[Act::Hangs]);
    let redrive = Redrive::of(&[("a", &all(["a"]))]);
    let mut first = redrive.spawn(&firehose, &[]);
    until(|| firehose.calls().len() == 1);
    redrive.end(&firehose, &[]).refuses(1, "the journal state/journal is in use by another `clicks redrive`\n");
    first.kill().unwrap();
    first.wait().unwrap();
    redrive.run(&firehose, &[], 1, &json!({ "found": 1, "uncertain": 1 }));

    // The same by another name.
    let same = firehose.url() + "/";
    let exit = Exit::from(redrive.command(&same, &[]).output().unwrap());
    exit.comes_to(1, &json!({ "found": 1, "uncertain": 1 }));
    let other = Firehose::start();
    let identity = |firehose: &Firehose| format!("{ARN} (localhost-{})", firehose.url().rsplit(':').next().unwrap());
    let message = format!(
        "error: state/journal: the journal of another stream: {}; accepted is that of {} (`--journal FILE`)\n",
        identity(&firehose),
        identity(&other)
    );
    redrive.end(&other, &[]).refuses(2, &message);
    fs::write(redrive.journal(), "no database").unwrap();
    redrive
        .end(&firehose, &[])
        .refuses(1, "the journal state/journal (`--journal`) cannot be used: found a damaged file");
    assert_eq!(firehose.texts(), ["a"]);
}

#[test]
fn an_object_of_firehose_is_recognized_in_every_folder() {
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    let text = all(["a", "b", "a"]);
    redrive.write(&format!("2026/11/{NAME}"), &text);
    redrive.run(&firehose, &[], 0, &json!({ "found": 3, "selected": 3, "put": 3 }));
    let plain = text.clone().into_bytes();
    for (name, content) in
        [(format!("done/{NAME}"), plain.clone()), (format!("{NAME}.gz"), gzip(&text)), (NAME.to_owned(), plain)]
    {
        fs::rename(redrive.errors(), redrive.folder.path().join("before")).unwrap();
        redrive.write(&name, content);
        redrive.run(&firehose, &[], 0, &json!({ "found": 3, "put_before": 3 }));
        fs::remove_dir_all(redrive.folder.path().join("before")).unwrap();
    }
    assert_eq!(firehose.texts(), ["a", "b", "a"]);
}

#[test]
fn two_copies_of_an_object_are_put_once() {
    for options in [&[][..], &["--dry-run"]] {
        let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
        let text = all(["a", "b", "a"]);
        redrive.write(&format!("2026/{NAME}"), &text);
        redrive.write(&format!("copy/{NAME}"), &text);
        redrive.write(&format!("copy/{NAME}.gz"), gzip(text + &old("c")));
        let exit = redrive.end(&firehose, options);
        let records = exit.report()["records"].clone();
        assert_eq!(
            (&records["found"], &records["selected"], &records["put_before"]),
            (&json!(10), &json!(4), &json!(6))
        );
        if options.is_empty() {
            assert_eq!(firehose.texts(), ["a", "b", "a", "c"]);
            redrive.run(&firehose, &[], 0, &json!({ "found": 10, "put_before": 10 }));
        }
    }
}

#[test]
fn only_new_lines_of_a_changed_object_are_put() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["x", "y", "x"]))]), Firehose::start());
    let run = |records: &[&str], numbers| {
        redrive.write("a", all(records));
        redrive.run(&firehose, &[], 0, &numbers);
    };
    run(&["x", "y", "x"], json!({ "found": 3, "selected": 3, "put": 3 }));
    // More, other, fewer lines, and another order.
    run(&["x", "y", "x", "z", "x"], json!({ "found": 5, "put_before": 3, "selected": 2, "put": 2 }));
    run(&["new", "z", "x"], json!({ "found": 3, "put_before": 2, "selected": 1, "put": 1 }));
    run(&["y"], json!({ "found": 1, "put_before": 1 }));
    run(&["x", "x", "z", "y", "x", "new"], json!({ "found": 6, "put_before": 6 }));
    assert_eq!(firehose.texts(), ["x", "y", "x", "z", "x", "new"]);
}

#[test]
fn the_journal_is_in_the_users_state_folder() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
    let root = redrive.folder.path().to_owned();
    let command = || redrive.bare_command(&["errors", "--stream", "clicks", "--json", "--endpoint", &firehose.url()]);
    let in_state: fn(&mut Command) = |command| {
        command.env("XDG_STATE_HOME", command.get_current_dir().unwrap().join("xdg"));
    };
    let relative: fn(&mut Command) = |command| {
        command.env("XDG_STATE_HOME", "xdg");
    };
    for (change, expected) in [(in_state, "xdg/clicks"), (relative, ".local/state/clicks")] {
        let mut command = command();
        change(&mut command);
        let exit = Exit::from(command.output().unwrap());
        let path = root.join(expected).join(format!("redrive/{}.journal", firehose.target()));
        assert_eq!((exit.code, &exit.report()["journal"]), (Some(0), &json!(path)), "{}", exit.stderr);
        assert!(path.is_file());
    }
    // Two journals put the records twice.
    assert_eq!(firehose.counts(), each(["a"], 2));
    let exit = Exit::from(command().env_remove("HOME").output().unwrap());
    exit.refuses(2, "neither XDG_STATE_HOME nor HOME is set; name the journal (`--journal FILE`)\n");
}

/// Firehose writes an object once, so its records can't have failed again.
#[test]
fn a_copy_of_an_object_is_no_newer_than_the_first() {
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    let text = [new("a"), new("a")].concat();
    redrive.write(NAME, &text);
    redrive.run(&firehose, &["--limit", "1"], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    redrive.write(&format!("{NAME}.gz"), gzip(&text));
    redrive.write(NAME, &(text + "\n"));
    redrive.run(&firehose, &[], 0, &json!({ "found": 4, "put_before": 3, "selected": 1, "put": 1 }));
    assert_eq!(firehose.texts(), ["a", "a"]);
}

#[test]
fn lines_of_another_object_of_the_same_name_are_reported() {
    let (redrive, firehose) = (Redrive::of(&[("a/errors.jsonl", &all(["a", "b"]))]), Firehose::start());
    redrive.run(&firehose, &[], 0, &json!({ "found": 2, "selected": 2, "put": 2 }));
    redrive.write("b/errors.jsonl", all(["b", "c"]));
    let exit = redrive.run(&firehose, &[], 0, &json!({ "found": 2, "put_before": 1, "selected": 1, "put": 1 }));
    let place = redrive.errors().canonicalize().unwrap().join("b/errors.jsonl");
    exit.reports(&[&format!(
        "{}: 1 of its lines are those of an object of the same name, and are not put again",
        place.display()
    )]);
    redrive.run(&firehose, &[], 0, &json!({}));
    assert_eq!(firehose.texts(), ["a", "b", "c"]);
}

#[test]
fn a_dry_run_counts_copies_as_a_run_does() {
    let firehose = Firehose::start();
    let text = all(["a", "b"]) + "corrupt\n";
    let redrive = Redrive::of(&[(&format!("a/{NAME}"), &text), (&format!("b/{NAME}"), &text)]);
    let expected = json!({ "found": 6, "selected": 2, "put_before": 2, "corrupt": 1, "corrupt_before": 1 });
    redrive.run(&firehose, &["--dry-run"], 0, &expected);
    let mut expected = expected;
    expected["put"] = json!(2);
    redrive.run(&firehose, &[], 1, &expected);
}
