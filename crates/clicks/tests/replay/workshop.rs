//! `docs/workshop.md` shows a run: its input, and what is then in the bucket.

use std::fs;
use std::path::Path;

use serde_json::Value;
use test_support::exit::Exit;
use test_support::replay::Replay;

#[test]
fn the_page_of_the_workshop_shows_what_a_run_delivers() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/workshop.md")).unwrap();
    let input = page.lines().find_map(|line| line.strip_prefix("printf '%s\\n' ")).unwrap();
    let clicks: Vec<&str> = input.split('\'').filter(|word| word.starts_with('{')).collect();
    let mut shown = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let (delivered, failed) = (shown.next().unwrap(), shown.next().unwrap());

    let replay = Replay::of(&[("clicks.jsonl", &clicks.join("\n"))]);
    let exit = Exit::from(replay.bare_command(&["--json", "--out", "out", "in/clicks.jsonl"]).output().unwrap());
    assert_eq!(exit.report()["failed_by_reason"], serde_json::json!({ "unknown_key": 1 }), "{}", exit.stderr);
    assert_eq!(replay.delivered(), delivered);
    assert_eq!(without_times(replay.errors().remove(0)), without_times(serde_json::from_str(failed).unwrap()));
}

fn without_times(mut error: Value) -> Value {
    for name in ["arrivalTimestamp", "attemptEndingTimestamp"] {
        assert!(error[name].is_u64(), "{error}");
        error[name] = Value::Null;
    }
    error
}
