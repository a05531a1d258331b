//! `clicks up` on a terminal.

use test_support::http::Connection;
use test_support::terminal::Terminal;
use test_support::up::{STREAM, batch, command};

fn address(terminal: &Terminal, name: &str) -> String {
    let screen = terminal.screen();
    let line = screen.iter().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{screen:?}")).trim().to_owned()
}

fn put(url: &str, records: &[&str]) {
    let headers = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Firehose_20150804.PutRecordBatch\r\n";
    let response = Connection::open(url).ask("POST", "/", headers, &batch(STREAM, records).to_string());
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn the_status_is_the_last_line_and_is_gone_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(command(folder.path(), &["--retries", "1"]), 80);
    terminal.until_line(|line| line == "0 accepted, 0 delivered, 0 dropped, 0 failed");
    let firehose = address(&terminal, "firehose");
    put(&firehose, &["{}", "{\"do\":\"drop\"}", "{\"do\":\"fail\"}"]);
    terminal.until_line(|line| line == "3 accepted, 1 delivered, 1 dropped, 1 failed");
    put(&firehose, &["{\"do\":\"crash\"}"]);
    let totals = "4 accepted, 1 delivered, 1 dropped, 2 failed";
    terminal.until_line(|line| line == totals);
    let message = "warning: mysfits-clicks: attempts 1 to 2 of 2 failed: the function";
    let screen = terminal.screen();
    assert!(screen.iter().any(|line| line.starts_with(message)), "{screen:#?}");
    assert_eq!(screen.iter().filter(|line| line.contains(" accepted, ")).collect::<Vec<_>>(), [totals], "{screen:#?}");

    terminal.signal("-INT");
    assert_eq!(terminal.end().code(), Some(0));
    let screen = terminal.screen();
    let end = ["1 of 4 records delivered, 1 dropped, 2 failed, none left", &format!("{STREAM}: {totals}"), ""];
    assert!(screen.ends_with(&end.map(str::to_owned)), "{screen:#?}");
    assert_eq!(screen.iter().filter(|line| line.contains(" accepted, ")).count(), 1, "{screen:#?}");
}

#[test]
fn json_lines_and_other_outputs_have_no_status() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(command(folder.path(), &["--json"]), 80);
    terminal.until_line(|line| line.starts_with("{\"event\":\"ready\""));
    terminal.signal("-INT");
    assert_eq!(terminal.end().code(), Some(0));
    let written = terminal.written();
    assert_eq!((written.lines().count(), written.contains('\u{1b}')), (2, false), "{written:?}");
}

#[test]
fn an_error_has_the_colours_of_clap() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--destination", "gs://clicks"];
    let mut terminal = Terminal::start(command(folder.path(), &arguments), 80);
    assert_eq!(terminal.end().code(), Some(2));
    let of_clap = {
        let mut terminal = Terminal::start(command(folder.path(), &["--colour"]), 80);
        assert_eq!(terminal.end().code(), Some(2));
        terminal.written()
    };
    let (label, _) = of_clap.split_once(" unexpected argument").unwrap();
    assert!(label.contains('\u{1b}') && terminal.written().starts_with(label), "{label:?} {:?}", terminal.written());

    let mut without = command(folder.path(), &arguments);
    without.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(without, 80);
    assert_eq!(terminal.end().code(), Some(2));
    assert!(terminal.written().starts_with("error: `--destination`: "), "{:?}", terminal.written());
}
