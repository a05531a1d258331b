//! The stop of a pipeline.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use test_support::http::Connection;
use test_support::until;
use test_support::up::{Up, bare_command};

fn is_running(process: &str) -> bool {
    // A zombie has no command line.
    fs::read(format!("/proc/{}/cmdline", process.trim())).is_ok_and(|command| !command.is_empty())
}

/// The functions with the variable `MARK`, which is the test's folder.
fn functions_of(folder: &Path) -> Vec<String> {
    let variable = format!("MARK={}", folder.display());
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let has_it = |process: &String| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    };
    processes.filter(has_it).collect()
}

/// A pipeline whose function hangs, and the function's process.
fn hanging(folder: &Path, arguments: &[&str], records: &[&str]) -> (Up, String) {
    let mark = folder.join("hangs");
    let variable = format!("HANG_MARK={}", mark.display());
    let up = Up::start_in(folder, &[&["--env", &variable, "--timeout-seconds", "300"], arguments].concat());
    up.put(records);
    let process = || fs::read_to_string(&mark).unwrap_or_default();
    until(|| !process().is_empty());
    let process = process();
    assert!(is_running(&process));
    (up, process)
}

#[test]
fn a_stop_flushes_all_records_and_leaves_no_function() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let variable = format!("MARK={}", folder.path().display());
        let mut up = Up::start_in(
            folder.path(),
            // Without a stop, nothing is flushed but batches of two records.
            &[
                "--buffer-seconds",
                "900",
                "--destination-seconds",
                "900",
                "--buffer-records",
                "2",
                "--backup-prefix",
                "source/",
                "--env",
                &variable,
            ],
        );
        let records = [r#"{"n":1}"#, r#"{"do":"drop"}"#, r#"{"do":"fail"}"#, r#"{"n":2}"#, r#"{"n":3}"#];
        up.put(&records[..3]);
        up.until(|view| view["waiting"]["records"] == 1);
        up.put(&records[3..]);
        up.until(|view| view["waiting"]["records"] == 3);
        let view = up.snapshot();
        assert_eq!((&view["buffered"]["records"], &view["objects"]), (&json!(1), &json!([])), "{view:#}");
        assert!(!functions_of(folder.path()).is_empty());

        up.signal(signal);
        let end = up.end();
        assert_eq!(end.code, Some(0), "{signal}: {}", end.stderr);
        assert_eq!(
            end.stdout,
            "3 of 5 records delivered, 1 dropped, 1 failed, none left\nmysfits-clicks: 5 accepted, 3 delivered, 1 dropped, 1 failed\n"
        );
        // The dropped record is pending for the backup.
        assert_eq!(end.stderr, "flushing 5 records; press Ctrl-C again to exit at once\n");
        assert_eq!(up.delivered(), [records[0], records[3], records[4]]);
        assert_eq!(up.errors().len(), 1);
        assert_eq!(up.objects("source"), records.concat());
        assert_eq!(functions_of(folder.path()), [""; 0]);
    }
}

#[test]
fn a_stop_without_records_in_flight_prints_totals_only() {
    let mut up = Up::start(&[]);
    up.put(&["{}"]);
    up.until_processed(1);
    let end = up.stop();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        end.stdout,
        "1 of 1 record delivered, none left\nmysfits-clicks: 1 accepted, 1 delivered, 0 dropped, 0 failed\n"
    );
}

#[test]
fn a_second_signal_aborts_and_reports_lost_records() {
    let folder = tempfile::tempdir().unwrap();
    let (mut up, function) = hanging(folder.path(), &[], &[r#"{"do":"hang"}"#, "{}"]);
    up.signal("-TERM");
    until(|| up.stderr().ends_with("flushing 2 records; press Ctrl-C again to exit at once\n"));
    up.signal("-INT");
    let end = up.end();
    assert_eq!(end.code, Some(130), "{}", end.stderr);
    let lost = "\nwarning: 2 records were not flushed and are lost (`--state DIR` would keep them)\n";
    assert!(end.stderr.ends_with(lost), "{}", end.stderr);
    assert_eq!(
        end.stdout,
        "0 of 2 records delivered, 2 left\nmysfits-clicks: 2 accepted, 0 delivered, 0 dropped, 0 failed\n"
    );
    until(|| !is_running(&function));
}

#[test]
fn with_a_state_the_next_start_delivers_aborted_records_once() {
    let folder = tempfile::tempdir().unwrap();
    let records = ["{\"n\":0}\n", "{\"n\":1}\n", "{\"do\":\"hang\"}\n", "{\"n\":3}\n", "{\"n\":4}\n"];
    // One batch that is delivered, one that hangs, and one that is buffered.
    let arguments = ["--state", "state", "--concurrency", "1", "--buffer-records", "2"];
    let (mut up, function) = hanging(folder.path(), &arguments, &records);
    up.until_processed(2);
    // The write of a record to the state removes those that were processed before.
    up.put(&["{\"n\":5}\n"]);
    up.signal("-TERM");
    until(|| up.stderr().ends_with("flushing 4 records; press Ctrl-C again to exit at once\n"));
    up.signal("-TERM");
    let end = up.end();
    assert_eq!(end.code, Some(130), "{}", end.stderr);
    let kept = "\nwarning: 4 records were not flushed; state keeps them for the next start\n";
    assert!(end.stderr.ends_with(kept), "{}", end.stderr);
    assert_eq!(
        end.stdout,
        "2 of 6 records delivered, 4 left\nmysfits-clicks: 6 accepted, 2 delivered, 0 dropped, 0 failed\n"
    );
    until(|| !is_running(&function));

    // With no function, so that nothing hangs again.
    for left in [4, 0] {
        let mut up = Up::start_in(folder.path(), &["--state", "state", "--function", "none"]);
        up.until_processed(left);
        let end = up.stop();
        let summary = if left == 4 { "4 of 4 records delivered, none left" } else { "no record accepted" };
        assert_eq!(
            end.stdout,
            format!("{summary}\nmysfits-clicks: {left} accepted, {left} delivered, 0 dropped, 0 failed\n")
        );
        let mut delivered = up.delivered();
        // The stand-in adds a line's end.
        delivered.retain(|line| !line.is_empty());
        delivered.sort();
        let mut expected = records.map(str::trim_end).to_vec();
        expected.push("{\"n\":5}");
        expected.sort_unstable();
        assert_eq!(delivered, expected);
    }
}

#[test]
fn a_stop_closes_open_connections() {
    let folder = tempfile::tempdir().unwrap();
    // The hanging function keeps the process, so that no connection is closed by its exit.
    let (mut up, _function) = hanging(folder.path(), &[], &[r#"{"do":"hang"}"#]);
    let mut viewer = Connection::open(up.page());
    viewer.send(b"GET /pipeline/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    viewer.head().is(200);
    let mut used = Connection::open(up.page());
    used.get("/", "localhost").is(200);
    let mut others = [used, Connection::open(up.page()), Connection::open(up.firehose())];
    // The server has accepted all of them when it has responded on a later one.
    for url in [up.page(), up.firehose()] {
        Connection::open(url).get("/", "localhost");
    }

    up.signal("-TERM");
    assert!(viewer.rest().ends_with("\r\n0\r\n\r\n"), "cut off");
    for connection in &mut others {
        assert_eq!(connection.rest(), "");
    }
    until(|| up.stderr().ends_with("flushing 1 record; press Ctrl-C again to exit at once\n"));
    up.signal("-TERM");
    assert_eq!(up.end().code, Some(130));
}

#[test]
fn a_click_in_flight_is_accepted() {
    let mut up = Up::start(&[]);
    let click = r#"{"userId":"guest","mysfitId":"a"}"#;
    let mut connection = Connection::open(up.page());
    let length = click.len();
    connection
        .send(format!("PUT /clicks HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{{").as_bytes());
    // The server has accepted it when it has responded on a later one.
    Connection::open(up.page()).get("/", "localhost");
    up.signal("-TERM");
    until(|| TcpStream::connect(up.page().trim_start_matches("http://")).is_err());
    connection.send(&click.as_bytes()[1..]);
    connection.response().is(200);
    let end = up.end();
    assert_eq!((end.code, up.delivered()), (Some(0), vec![click.to_owned()]));
}

#[test]
fn a_build_can_be_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let (cargo, mark) = (folder.path().join("cargo"), folder.path().join("builds"));
    let script = format!("#!/bin/sh\necho $$ > {0}.new && mv {0}.new {0}\nexec sleep 600\n", mark.display());
    fs::write(&cargo, script).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = bare_command(folder.path());
    command.args(["--port", "0", "--firehose-port", "0", "--service-port", "0"]).env("CARGO", &cargo);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    until(|| mark.exists());
    test_support::signal("-TERM", child.id());
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!((child.wait().unwrap().code(), stdout.as_str()), (Some(0), ""));
    let process = fs::read_to_string(&mark).unwrap();
    until(|| !is_running(&process));
}
