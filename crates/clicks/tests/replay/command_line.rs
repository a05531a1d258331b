//! Exit codes, messages, and Ctrl-C.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::folder::{Ended, Replay};

#[test]
fn a_function_that_does_not_start_says_why_and_fails_no_record() {
    let replay = Replay::of(&[("clicks", "{}\n")]);
    let ended = replay.run(&["in", "--env", "REFUSE_TO_START=1"]);
    ended.refuses(1, "the function ended (exit status: 78) before it asked for an event; its last lines:");
    ended.refuses(1, "REFUSE_TO_START: found a value; accepted is none");
    assert!(replay.errors().is_empty());
}

#[test]
fn wrong_usage_is_told_before_anything_runs() {
    let replay =
        Replay::of(&[("good", "{}\n"), ("unknown", "a,b\n"), ("wrong-event", "{\"records\":[{\"recordId\":7}]}")]);
    for (arguments, message) in [
        (&["in/unknown"][..], "in/unknown: found what is not JSON: `a,b`; accepted are Firehose events"),
        (&["in"], "in/unknown: found what is not JSON"),
        (&["in/wrong-event"], "in/wrong-event, line 1: found an event whose `records[0].recordId` is not a string"),
        (&["in/none"], "could not read in/none"),
        (&["in/good", "--buffer-mb", "5"], "accepted is a number from 0.2 to 3"),
        (&["in/good", "--env", "KEY"], "accepted is KEY=VALUE"),
        (&["in/good", "--colour"], "--colour"),
        (&[], "FILE|DIR"),
    ] {
        replay.run(arguments).refuses(2, message);
        assert!(!replay.out().exists());
    }
    replay.run(&["in/good"]);
    replay.run(&["in/good"]).refuses(2, "`--out out` is not an empty folder: name a new or an empty one");
}

#[test]
fn people_get_a_table_without_controls() {
    let replay = Replay::of(&[("clicks", "{}\n")]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_clicks"));
    command.current_dir(replay.folder.path()).args(["replay", "in", "--service", "http://127.0.0.1:9"]);
    let ended = Ended::from(command.args(["--function", env!("CARGO_BIN_EXE_stand-in-function")]).output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("records                 1\n  ok                    1\n"), "{}", ended.stdout);
    let folder = ended.stderr.trim_end().strip_prefix("writing to ").expect("one line");
    assert!(folder.starts_with("out/replay-20") && replay.folder.path().join(folder).is_dir());
    assert!(!(ended.stdout + &ended.stderr).contains('\x1b'));
}

#[test]
fn ctrl_c_keeps_what_is_done() {
    let replay = Replay::of(&[("clicks", "{}\n{\"do\":\"hang\"}\n{}\n")]);
    let mut command = replay.command(&["in", "--buffer-records", "1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The second event is on its way once the first one is delivered.
    let patience = Instant::now() + Duration::from_secs(30);
    while replay.objects("firehose").0 == 0 {
        assert!(Instant::now() < patience, "nothing was delivered");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let report = ended.report();
    assert_eq!((&report["records"]["total"], &report["interrupted"]), (&json!(1), &json!(true)));
    assert_eq!(replay.delivered(), "{}\n");
}
