//! The selection of records, and the report of a dry run.

use std::fs;
use std::time::SystemTime;

use serde_json::json;
use test_support::exit::Exit;

use crate::firehose::Firehose;
use crate::run::{Numbers, Redrive, all, each, line, now_ms, old, snapshot};

const HOUR_MS: u64 = 3_600_000;

/// 2026-11-01 in UTC.
const MIDNIGHT: u64 = 1_793_491_200_000;

#[test]
fn options_select() {
    let text = [
        line("error", "Lambda.FunctionError", MIDNIGHT - 1),
        line("timeout", "Lambda.FunctionTimedOut", MIDNIGHT),
        line("failed", "Lambda.ProcessingFailedStatus", MIDNIGHT + 1),
        "{\"rawData\":\"dW5rbm93bg==\"}\n".to_owned(),
        line("fresh", "Lambda.FunctionError", now_ms() - HOUR_MS),
    ]
    .concat();
    for (options, expected) in [
        (&[][..], &["error", "timeout", "failed", "unknown", "fresh"][..]),
        (&["--error-code", "Lambda.FunctionError"], &["error", "fresh"]),
        (&["--error-code", "Lambda.FunctionTimedOut", "--error-code", "unknown"], &["timeout", "unknown"]),
        (&["--error-code", "FunctionError"], &[]),
        (&["--until", "2026-11-01"], &["error"]),
        (&["--since", "2026-11-01T00:00:00Z", "--until", "2026-11-01T00:00:00.001Z"], &["timeout"]),
        (&["--since", "2h"], &["fresh"]),
        (&["--until", "30m", "--error-code", "Lambda.FunctionError"], &["error", "fresh"]),
        (&["--since", "30m"], &[]),
        (&["--limit", "2"], &["error", "timeout"]),
        (&["--error-code", "Lambda.FunctionError", "--limit", "1"], &["error"]),
    ] {
        let (redrive, firehose) = (Redrive::of(&[("a", &text)]), Firehose::start());
        let exit = redrive.end(&firehose, &[options, &["--archive", "done"]].concat());
        assert_eq!(
            (exit.code, firehose.texts()),
            (Some(0), expected.iter().map(ToString::to_string).collect()),
            "{options:?}"
        );
        let report = exit.report();
        let limit_reached = options.contains(&"--limit");
        assert_eq!(report["limit_reached"], limit_reached, "{options:?}");
        if !limit_reached {
            crate::run::whole(&report);
            assert_eq!(report["records"]["not_selected"], 5 - expected.len(), "{options:?}");
        }
        // Only an object whose records are all put is moved.
        assert_eq!(redrive.names(), [if options.is_empty() { "done/a" } else { "a" }], "{options:?}");
        // The rest is put without options.
        redrive.end(&firehose, &[]);
        assert_eq!(firehose.counts(), each(["error", "timeout", "failed", "unknown", "fresh"], 1), "{options:?}");
    }
}

#[test]
fn a_dry_run_reports_what_would_be_put() {
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    redrive.write("a", all(["a", "b"]) + &line("c", "Lambda.FunctionTimedOut", now_ms() - 2 * HOUR_MS));
    let good = line("d", "Lambda.FunctionError", now_ms() - 25 * HOUR_MS);
    redrive.write("b", format!("{good}corrupt\n"));
    redrive.write("c", line("e", "Lambda.FunctionError", now_ms() - 8 * 24 * HOUR_MS) + &line("f", "Other", now_ms()));
    redrive.write("d.txt", "text");
    // A dry run does not call the service.
    let no_service = "http://127.0.0.1:9";
    let run = |options: &[&str]| {
        let before = snapshot(redrive.folder.path());
        let exit = Exit::from(redrive.command(no_service, options).output().unwrap());
        assert!(snapshot(redrive.folder.path()) == before, "something was written");
        exit
    };
    let exit = run(&["--dry-run", "--archive", "done"]);
    exit.comes_to(0, &json!({ "found": 7, "selected": 6, "corrupt": 1 }));
    exit.objects(&json!({ "found": 4, "foreign": 1 }));
    let report = exit.report();
    assert_eq!(
        report["selected_by_error_code"],
        json!({ "Lambda.FunctionError": 4, "Lambda.FunctionTimedOut": 1, "Other": 1 })
    );
    assert_eq!(
        report["selected_by_age"],
        json!({ "over_thirty_days": 2, "over_an_hour": 1, "over_a_day": 1, "over_seven_days": 1, "up_to_an_hour": 1 })
    );
    assert_eq!(report["selected_by_function"], json!({ "arn:f": 6 }));
    assert_eq!((&report["dry_run"], &report["calls"], &report["quarantine"]), (&json!(true), &json!(0), &json!(null)));
    let message = format!("/b, line 2, byte {}: not a JSON object\n", good.len());
    assert!(exit.stderr.contains(&message), "{}", exit.stderr);
    assert!(!redrive.folder.path().join("state").exists());
    run(&["--dry-run", "--error-code", "Other"])
        .comes_to(0, &json!({ "found": 7, "selected": 1, "not_selected": 5, "corrupt": 1 }));
    let limited = run(&["--dry-run", "--limit", "2"]);
    assert_eq!(
        (&limited.report()["limit_reached"], &limited.report()["records"]["selected"]),
        (&json!(true), &json!(2))
    );

    // A dry run does not change an existing journal.
    redrive.run(
        &firehose,
        &["--error-code", "Lambda.FunctionError"],
        1,
        &json!({
            "found": 7, "selected": 4, "put": 4, "not_selected": 2, "corrupt": 1,
        }),
    );
    redrive.write("e", crate::run::new("a"));
    let modified = || fs::metadata(redrive.journal()).unwrap().modified().unwrap();
    let before: SystemTime = modified();
    for _ in 0..2 {
        let expected = json!({ "found": 6, "selected": 2, "put_before": 3, "failed_again": 1 });
        run(&["--dry-run"]).comes_to(0, &expected);
    }
    assert_eq!(modified(), before);
    assert_eq!(firehose.texts(), ["a", "b", "d", "e"]);
}

#[test]
fn the_table_has_the_numbers_of_the_json() {
    let (redrive, firehose) = (Redrive::of(&[("a", &(old("a") + "corrupt\n"))]), Firehose::start());
    let arguments = ["errors", "--stream", "clicks", "--endpoint", &firehose.url(), "--journal", "journal"];
    let output = redrive.bare_command(&arguments).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let row = |name: &str| table.lines().find_map(|line| line.trim_start().strip_prefix(name)).map(str::trim);
    for (name, value) in [
        ("objects ", "1"),
        ("selected ", "1"),
        ("Lambda.FunctionError ", "1"),
        ("over 30 days ", "1"),
        ("put ", "1"),
        ("corrupt ", "1"),
        ("stream ", &firehose.target()),
        ("corrupt lines ", "journal.corrupt.jsonl"),
    ] {
        assert_eq!(row(name), Some(value), "{name}: {table}");
    }
    assert_eq!((output.status.code(), firehose.texts()), (Some(1), vec!["a".to_owned()]));
}

#[test]
fn many_codes_and_lines_are_summarized() {
    let text = (0..100).map(|number| line("a", &format!("Code{number:03}"), MIDNIGHT)).collect::<String>();
    let (redrive, firehose) = (Redrive::of(&[("a", &(text + &"corrupt\n".repeat(30)))]), Firehose::start());
    let exit = redrive.run(&firehose, &[], 1, &json!({ "found": 130, "selected": 100, "put": 100, "corrupt": 30 }));
    assert_eq!(exit.report()["selected_by_error_code"]["others"], 50);
    // The first line is about the journal, the last one refers to the rest.
    assert_eq!(exit.stderr.lines().count(), 1 + 20 + 1, "{}", exit.stderr);
    assert!(exit.stderr.ends_with("more corrupt lines: see state/journal.corrupt.jsonl\n"), "{}", exit.stderr);
    assert_eq!(fs::read_to_string(redrive.quarantine()).unwrap().lines().count(), 30);
}
