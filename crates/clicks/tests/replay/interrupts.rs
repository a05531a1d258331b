//! Interrupts of a replay.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::json;
use test_support::exit::Exit;
use test_support::replay::Replay;
use test_support::until;

#[test]
fn a_signal_keeps_results_and_discards_the_batch_in_flight() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let replay = Replay::of(&[("clicks", "{}\n{\"do\":\"fail\"}\n{\"do\":\"hang\"}\n{}\n")]);
        let mark = replay.folder.path().join("hangs");
        let variable = format!("HANG_MARK={}", mark.display());
        let child =
            replay.command(&["in", "--buffer-records", "1", "--retries", "0", "--env", &variable]).spawn().unwrap();
        let hanging = || fs::read_to_string(&mark).unwrap_or_default();
        until(|| !hanging().is_empty());
        let exit = Exit::after(signal, child);
        assert_eq!(exit.code, Some(130), "{}", exit.stderr);
        assert!(exit.stderr.contains("interrupted: the batch in flight was discarded (1 record)\n"));
        let report = exit.report();
        assert_eq!(report["records"], json!({ "total": 2, "ok": 1, "dropped": 0, "failed": 1 }));
        assert_eq!(report["interrupted"], true);
        assert_eq!((replay.delivered().as_str(), replay.errors().len()), ("{}\n", 1));
        // Its log after the last response is kept, and its process is gone.
        assert_eq!(replay.events().len(), 3);
        assert!(!is_running(&hanging()));
    }
}

#[test]
fn nohup_is_respected() {
    let replay = Replay::of(&[("clicks", "{\"do\":\"hang\"}\n")]);
    let mark = replay.folder.path().join("hangs");
    let variable = format!("HANG_MARK={}", mark.display());
    let clicks = replay.command(&["in", "--timeout-seconds", "1", "--retries", "0", "--env", &variable]);
    // Without the wrapper that resets signals.
    let arguments = clicks.get_args().skip_while(|argument| *argument != "replay");
    let mut shell = Command::new("sh");
    shell.current_dir(replay.folder.path()).args([
        "-c",
        "trap '' HUP; exec \"$@\"",
        "sh",
        &test_support::executable("clicks"),
    ]);
    let child = shell.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| mark.exists());
    let exit = Exit::after("-HUP", child);
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert_eq!(exit.report()["interrupted"], false);
}

fn is_running(process: &str) -> bool {
    fs::exists(format!("/proc/{}", process.trim())).unwrap()
}

#[test]
fn a_replay_of_a_silent_pipe_can_be_interrupted() {
    let replay = Replay::of(&[]);
    let pipe = replay.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = replay.command(&["pipe"]).spawn().unwrap();
    until(|| replay.out().exists());
    let exit = Exit::after("-INT", child);
    assert_eq!(exit.code, Some(130), "{}", exit.stderr);
    assert_eq!(exit.report()["records"]["total"], 0);
    assert!(!exit.stderr.contains("discarded"), "{}", exit.stderr);
}

#[test]
fn a_build_can_be_interrupted() {
    let replay = Replay::of(&[("clicks", "{}\n")]);
    let (cargo, mark) = (replay.folder.path().join("cargo"), replay.folder.path().join("builds"));
    fs::write(&cargo, format!("#!/bin/sh\necho $$ > {0}.new && mv {0}.new {0}\nexec sleep 600\n", mark.display()))
        .unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let child = replay.bare_command(&["in", "--json"]).env("CARGO", &cargo).spawn().unwrap();
    until(|| mark.exists());
    let exit = Exit::after("-TERM", child);
    assert_eq!(exit.code, Some(130), "{}", exit.stderr);
    assert_eq!(exit.report()["interrupted"], true);
    let process = fs::read_to_string(&mark).unwrap();
    until(|| !is_running(&process));
}
