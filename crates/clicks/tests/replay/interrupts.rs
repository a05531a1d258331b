//! How a replay ends that is told to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::json;
use test_support::exit::Exit;
use test_support::replay::Replay;
use test_support::until;

#[test]
fn a_signal_keeps_what_is_done_and_gives_up_the_batch_in_hand() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let replay = Replay::of(&[("clicks", "{}\n{\"do\":\"fail\"}\n{\"do\":\"hang\"}\n{}\n")]);
        let mark = replay.folder.path().join("hangs");
        let variable = format!("HANG_MARK={}", mark.display());
        let child =
            replay.command(&["in", "--buffer-records", "1", "--retries", "0", "--env", &variable]).spawn().unwrap();
        let hanging = || fs::read_to_string(&mark).unwrap_or_default();
        until(|| !hanging().is_empty());
        let ended = Exit::after(signal, child);
        assert_eq!(ended.code, Some(130), "{}", ended.stderr);
        assert!(ended.stderr.contains("interrupted: the batch in hand was given up (records: 1)\n"));
        let report = ended.report();
        assert_eq!(report["records"], json!({ "total": 2, "ok": 1, "dropped": 0, "failed": 1 }));
        assert_eq!(report["interrupted"], true);
        assert_eq!((replay.delivered().as_str(), replay.errors().len()), ("{}\n", 1));
        // What it wrote after its last reply is not lost, and it is gone.
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
    // Without what gives it the default signals.
    let arguments = clicks.get_args().skip_while(|argument| *argument != "replay");
    let mut shell = Command::new("sh");
    shell.current_dir(replay.folder.path()).args([
        "-c",
        "trap '' HUP; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_clicks"),
    ]);
    let child = shell.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| mark.exists());
    let ended = Exit::after("-HUP", child);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(ended.report()["interrupted"], false);
}

fn is_running(process: &str) -> bool {
    fs::exists(format!("/proc/{}", process.trim())).unwrap()
}

#[test]
fn a_pipe_that_nobody_writes_to_can_be_left() {
    let replay = Replay::of(&[]);
    let pipe = replay.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = replay.command(&["pipe"]).spawn().unwrap();
    until(|| replay.out().exists());
    let ended = Exit::after("-INT", child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_eq!(ended.report()["records"]["total"], 0);
    assert!(!ended.stderr.contains("given up"), "{}", ended.stderr);
}

#[test]
fn a_build_can_be_left() {
    let replay = Replay::of(&[("clicks", "{}\n")]);
    let (cargo, mark) = (replay.folder.path().join("cargo"), replay.folder.path().join("builds"));
    fs::write(&cargo, format!("#!/bin/sh\necho $$ > {0}.new && mv {0}.new {0}\nexec sleep 600\n", mark.display()))
        .unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let child = replay.bare_command(&["in", "--json"]).env("CARGO", &cargo).spawn().unwrap();
    until(|| mark.exists());
    let ended = Exit::after("-TERM", child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_eq!(ended.report()["interrupted"], true);
    let process = fs::read_to_string(&mark).unwrap();
    until(|| !is_running(&process));
}
