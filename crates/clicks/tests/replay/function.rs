//! The function's executable, its environment, and its start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;
use test_support::exit::Exit;
use test_support::replay::Replay;
use test_support::stand_in;

/// A cargo that writes down how it was called, and has built the stand-in.
fn fake_cargo(replay: &Replay) -> PathBuf {
    let cargo = replay.folder.path().join("cargo");
    let arguments = replay.folder.path().join("arguments");
    let (arguments, stand_in) = (arguments.display(), stand_in());
    let script = format!("#!/bin/sh\necho \"$@\" > {arguments}\necho '{{\"executable\":\"{stand_in}\"}}'\n");
    fs::write(&cargo, script).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    cargo
}

#[test]
fn options_are_checked_before_the_build() {
    let replay = Replay::of(&[("good", "{}\n"), ("unknown", "a,b\n")]);
    let run = |arguments: &[&str]| {
        Exit::from(replay.bare_command(arguments).env("CARGO", "/nonexistent/cargo").output().unwrap())
    };
    run(&["in/goood"]).refuses(2, "could not read in/goood");
    run(&["in/unknown"]).refuses(2, "in/unknown: found");
    run(&["in/good", "--out", "in"]).refuses(2, "`--out in` is not an empty folder");
    run(&["in/good"]).refuses(1, "could not run /nonexistent/cargo to build click-processor; give its executable");
}

#[test]
fn the_locked_processor_is_built_and_reported() {
    let replay = Replay::of(&[("clicks", "{}\n")]);
    let mut command = replay.bare_command(&["in", "--json"]);
    let exit = Exit::from(command.env("CARGO", fake_cargo(&replay)).output().unwrap());
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let start = format!("building click-processor…\nrunning {}\n", stand_in());
    assert!(exit.stderr.starts_with(&start), "{}", exit.stderr);
    let arguments = fs::read_to_string(replay.folder.path().join("arguments")).unwrap();
    assert!(arguments.starts_with("build --locked --package click-processor "), "{arguments}");
}

#[test]
fn a_function_is_an_executable_file() {
    let replay = Replay::of(&[("clicks", "{}\n")]);
    for path in ["no/such/file", "in", "in/clicks", "stand-in-function"] {
        let mut command = replay.bare_command(&["in", "--out", "out", "--function", path]);
        let message =
            format!("`--function`: found `{path}`, which is not an executable file; accepted is one, by its path");
        Exit::from(command.output().unwrap()).refuses(2, &message);
        assert!(!replay.out().exists());
    }
    // Relative to where `clicks` is, whatever finds it later.
    std::os::unix::fs::symlink(stand_in(), replay.folder.path().join("bootstrap")).unwrap();
    let mut command = replay.bare_command(&["in", "--json", "--out", "out", "--function", "./bootstrap 'an argument'"]);
    let exit = Exit::from(command.output().unwrap());
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(exit.stderr.starts_with("running /"), "{}", exit.stderr);
}

#[test]
fn a_function_that_does_not_start_says_why_and_fails_no_record() {
    let replay = Replay::of(&[("clicks", "{}\n")]);
    let exit = replay.run(&["in", "--env", "REFUSE_TO_START=1"]);
    let lines: Vec<String> = (11..=30).map(|number| format!("\\u{{1b}}[31mrefusal {number}\n")).collect();
    let how = "the function exited (exit status: 78) before it requested an event, and wrote:\n";
    exit.refuses(1, &(how.to_owned() + &lines.concat()));
    assert!(replay.errors().is_empty());
    assert_eq!(replay.log().lines().count(), 31);

    let replay = Replay::of(&[("clicks", "{}\n")]);
    let exit = replay.run(&["in", "--function", "/bin/true"]);
    exit.refuses(2, "cannot be used multiple times");
    let mut command = replay.bare_command(&["in", "--service", "http://127.0.0.1:9", "--function", "/bin/true"]);
    let message = "the function exited (exit status: 0) before it requested an event, and wrote nothing\n";
    Exit::from(command.output().unwrap()).refuses(1, message);
}

#[test]
fn a_function_that_does_not_start_again_fails_its_records() {
    let replay = Replay::of(&[("clicks", "{\"do\":\"crash\"}\n{}\n")]);
    let mark = format!("START_ONCE={}", replay.folder.path().join("started").display());
    let exit = replay.run(&["in", "--buffer-records", "1", "--env", &mark]);
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let report = exit.report();
    assert_eq!((&report["records"]["failed"], &report["attempts"]), (&json!(2), &json!(8)));
    assert_eq!(report["failed_by_code"], json!({ "Lambda.FunctionError": 2 }));
    assert_eq!((replay.errors().len(), replay.events().len()), (2, 1));
}

#[test]
fn the_service_is_a_local_one_unless_named() {
    let replay = Replay::of(&[("clicks", "{\"do\":\"ask\"}\n")]);
    let mut command = replay.bare_command(&["in", "--json", "--out", "out", "--function", &stand_in()]);
    command.args(["--env", "NO_METRICS=1", "--service-latency-ms", "200"]);
    command.env("MYSFITS_API_URL", "http://elsewhere.example").env("LOOKUP_API_URL", "http://elsewhere.example");
    let exit = Exit::from(command.output().unwrap());
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(replay.log().starts_with("service http://127.0.0.1:"), "{}", replay.log());
    let report = exit.report();
    assert!(report["batch_ms"]["first"].as_f64().unwrap() >= 200.0, "{report}");
    // As the service counts, because the function doesn't.
    assert_eq!(report["service_requests"], 1);
}

#[test]
fn configuration_is_inherited_and_an_option_wins() {
    for (option, expected) in [(&[][..], "7"), (&["--env", "LOOKUP_TIMEOUT_MS=8"], "8")] {
        let replay = Replay::of(&[("clicks", "{}\n")]);
        let mut command = replay.command(&[&["in"], option].concat());
        command.env("LOOKUP_TIMEOUT_MS", "7").env("SSL_CERT_FILE", "ca.pem").env("HOME", "/home");
        assert_eq!(command.output().unwrap().status.code(), Some(0));
        let log = replay.log();
        assert!(log.contains(&format!("inherited LOOKUP_TIMEOUT_MS={expected}\n")), "{log}");
        assert!(log.contains("inherited SSL_CERT_FILE=ca.pem\n") && !log.contains("HOME"), "{log}");
    }
}
