//! Exit codes, messages, and what is printed where.

use std::fs;

use test_support::exit::Exit;
use test_support::replay::Replay;
use test_support::stand_in;

const REPLY: &str = include_str!("../../../../fixtures/expected/direct-put.json");

#[test]
fn wrong_usage_is_refused_before_anything_runs() {
    let replay = Replay::of(&[
        ("good", "{}\n"),
        ("unknown", "a,b\n"),
        ("wrong-event", "{\"records\":[{\"recordId\":7}]}"),
        ("reply", REPLY),
        ("empty", ""),
    ]);
    for (arguments, message) in [
        (&["in/unknown"][..], "in/unknown: found what is not JSON: `a,b`; accepted are Firehose events"),
        (&["in/good", "in/unknown"], "in/unknown: found what is not JSON"),
        (&["in/wrong-event"], "in/wrong-event, line 1: found an event whose `records[0].recordId` is not a string"),
        (&["in/reply"], "in/reply, line 1: found a function's response"),
        (&["in/good", "in/empty"], "error: in/empty is empty; accepted are Firehose events"),
        (&["in/none"], "could not read in/none"),
        (&["in/good", "--buffer-mb", "5"], "accepted is a number from 0.2 to 3"),
        (&["in/good", "--env", "KEY"], "accepted is KEY=VALUE"),
        (&["in/good", "--env", "MYSFITS_API_URL=http://x"], "set the service with `--service URL`"),
        (&["in/good", "--env", "LOOKUP_API_URL=http://x"], "set the service with `--service URL`"),
        (&["in/good", "--service-latency-ms", "5"], "'--service <URL>' cannot be used with '--service-latency-ms <N>'"),
        (&["in/good", "--colour"], "--colour"),
        (&[], "FILE|DIR"),
    ] {
        replay.run(arguments).refuses(2, message);
        assert!(!replay.out().exists());
    }
    for url in ["ftp://x", "http://", "localhost:8080"] {
        let exit = Exit::from(replay.bare_command(&["in/good", "--service", url]).output().unwrap());
        exit.refuses(2, "accepted is a URL with http:// or https://");
    }
}

#[test]
fn the_output_is_a_new_folder() {
    let replay = Replay::of(&[("good", "{}\n")]);
    drop(replay.run(&["in/good"]));
    replay.run(&["in/good"]).refuses(2, "`--out out` is not an empty folder; accepted is a new or an empty one");
    let out = |folder: &str| {
        let mut command =
            replay.bare_command(&["in/good", "--service", "http://127.0.0.1:9", "--function", &stand_in()]);
        Exit::from(command.args(["--out", folder]).output().unwrap())
    };
    out("in/good").refuses(2, "`--out in/good` is not an empty folder");
    out("in/good/under-a-file").refuses(2, "could not create the folder in/good/under-a-file: Not a directory");
}

#[test]
fn a_terminal_gets_a_table_without_control_characters() {
    let replay = Replay::of(&[("clicks", "{}\n")]);
    let mut command = replay.bare_command(&["in", "--service", "http://127.0.0.1:9", "--function", &stand_in()]);
    let exit = Exit::from(command.output().unwrap());
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(exit.stdout.starts_with(
        "1 of 1 record delivered, none failed\n\nrecords                       1\n  ok                          1\n"
    ));
    let lines: Vec<&str> = exit.stderr.lines().collect();
    let [running, writing] = lines[..] else { panic!("{lines:?}") };
    assert_eq!(running, format!("running {}", stand_in()));
    let folder = writing.strip_prefix("writing to ").unwrap();
    assert!(folder.starts_with("out/replay-20") && replay.folder.path().join(folder).is_dir());
    assert!(!(exit.stdout + &exit.stderr).contains('\x1b'));
}

#[test]
fn a_closed_pipe_changes_nothing() {
    let replay = Replay::of(&[("clicks", "{}\n{\"do\":\"fail\"}\n")]);
    let mut child = replay.command(&["in", "--verbose"]).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(replay.delivered(), "{}\n");
    fs::remove_dir_all(replay.out()).unwrap();
    let mut child = replay.command(&["in", "--allow-failed"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(Exit::from(child.wait_with_output().unwrap()).stderr.lines().count(), 2);
}

#[test]
fn verbose_prints_the_log() {
    for (arguments, shown) in [(&["in"][..], false), (&["in", "--verbose"], true)] {
        let replay = Replay::of(&[("clicks", "{}\n")]);
        let exit = replay.run(arguments);
        assert_eq!(exit.stderr.contains("\nservice http://127.0.0.1:9/prod/\n"), shown, "{}", exit.stderr);
    }
}
