//! How the pipeline ends that is told to.

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
    // One that has ended and that nobody has asked for has no command any more.
    fs::read(format!("/proc/{}/cmdline", process.trim())).is_ok_and(|command| !command.is_empty())
}

/// The functions that were started with the variable `MARK`, which names the test's folder.
fn functions_of(folder: &Path) -> Vec<String> {
    let variable = format!("MARK={}", folder.display());
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let has_it = |process: &String| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    };
    processes.filter(has_it).collect()
}

/// A pipeline whose function has an event that it never answers, and the function's process.
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
fn what_waits_is_put_through_and_no_function_is_left() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let variable = format!("MARK={}", folder.path().display());
        let mut up = Up::start_in(
            folder.path(),
            // Nothing goes anywhere by itself, but for two records that are a batch.
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
        let ended = up.end();
        assert_eq!(ended.code, Some(0), "{signal}: {}", ended.stderr);
        assert_eq!(ended.stdout, "mysfits-clicks: 5 accepted, 3 delivered, 1 dropped, 1 failed\n");
        // The one that was dropped waits for its place in the backup.
        assert_eq!(ended.stderr, "putting 5 records through; interrupt again to leave at once\n");
        assert_eq!(up.delivered(), [records[0], records[3], records[4]]);
        assert_eq!(up.errors().len(), 1);
        assert_eq!(up.objects("source"), records.concat());
        assert_eq!(functions_of(folder.path()), [""; 0]);
    }
}

#[test]
fn with_nothing_under_way_it_just_ends() {
    let mut up = Up::start(&[]);
    up.put(&["{}"]);
    up.until_processed(1);
    let ended = up.stop();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(ended.stdout, "mysfits-clicks: 1 accepted, 1 delivered, 0 dropped, 0 failed\n");
}

#[test]
fn a_second_signal_gives_up_and_tells_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (mut up, function) = hanging(folder.path(), &[], &[r#"{"do":"hang"}"#, "{}"]);
    up.signal("-TERM");
    until(|| up.stderr().ends_with("putting 2 records through; interrupt again to leave at once\n"));
    up.signal("-INT");
    let ended = up.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let lost = "\n2 records are not through: they are lost (`--state DIR` would keep them)\n";
    assert!(ended.stderr.ends_with(lost), "{}", ended.stderr);
    assert_eq!(ended.stdout, "mysfits-clicks: 2 accepted, 0 delivered, 0 dropped, 0 failed\n");
    until(|| !is_running(&function));
}

#[test]
fn with_a_state_the_next_start_delivers_once_what_was_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let records = ["{\"n\":0}\n", "{\"n\":1}\n", "{\"do\":\"hang\"}\n", "{\"n\":3}\n", "{\"n\":4}\n"];
    // One batch that is delivered, one that hangs, and one that waits for its turn.
    let arguments = ["--state", "state", "--concurrency", "1", "--buffer-records", "2"];
    let (mut up, function) = hanging(folder.path(), &arguments, &records);
    up.until_processed(2);
    // What was settled before a record was accepted is off the disk when that one is on it.
    up.put(&["{\"n\":5}\n"]);
    up.signal("-TERM");
    until(|| up.stderr().ends_with("putting 4 records through; interrupt again to leave at once\n"));
    up.signal("-TERM");
    let ended = up.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let kept = "\n4 records are not through: they are kept in state for the next start\n";
    assert!(ended.stderr.ends_with(kept), "{}", ended.stderr);
    assert_eq!(ended.stdout, "mysfits-clicks: 6 accepted, 2 delivered, 0 dropped, 0 failed\n");
    until(|| !is_running(&function));

    // With no function, so that nothing hangs again.
    for left in [4, 0] {
        let mut up = Up::start_in(folder.path(), &["--state", "state", "--function", "none"]);
        up.until_processed(left);
        let ended = up.stop();
        assert_eq!(ended.stdout, format!("mysfits-clicks: {left} accepted, {left} delivered, 0 dropped, 0 failed\n"));
        let mut delivered = up.delivered();
        // The stand-in has added a line's end.
        delivered.retain(|line| !line.is_empty());
        delivered.sort();
        let mut expected = records.map(str::trim_end).to_vec();
        expected.push("{\"n\":5}");
        expected.sort_unstable();
        assert_eq!(delivered, expected);
    }
}

#[test]
fn open_connections_are_let_go() {
    let folder = tempfile::tempdir().unwrap();
    // What hangs keeps the process, so that no connection ends with it.
    let (mut up, _function) = hanging(folder.path(), &[], &[r#"{"do":"hang"}"#]);
    let mut viewer = Connection::open(up.page());
    viewer.send(b"GET /pipeline/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    viewer.head().is(200);
    let mut used = Connection::open(up.page());
    used.get("/", "localhost").is(200);
    let mut others = [used, Connection::open(up.page()), Connection::open(up.firehose())];
    // All are known to the server when it has answered a later one.
    for url in [up.page(), up.firehose()] {
        Connection::open(url).get("/", "localhost");
    }

    up.signal("-TERM");
    assert!(viewer.rest().ends_with("\r\n0\r\n\r\n"), "cut off");
    for connection in &mut others {
        assert_eq!(connection.rest(), "");
    }
    until(|| up.stderr().ends_with("putting 1 records through; interrupt again to leave at once\n"));
    up.signal("-TERM");
    assert_eq!(up.end().code, Some(130));
}

#[test]
fn a_click_that_has_begun_is_taken() {
    let mut up = Up::start(&[]);
    let click = r#"{"userId":"guest","mysfitId":"a"}"#;
    let mut connection = Connection::open(up.page());
    let length = click.len();
    connection
        .send(format!("PUT /clicks HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{{").as_bytes());
    // It is at the server when that has answered a later one.
    Connection::open(up.page()).get("/", "localhost");
    up.signal("-TERM");
    until(|| TcpStream::connect(up.page().trim_start_matches("http://")).is_err());
    connection.send(&click.as_bytes()[1..]);
    connection.response().is(200);
    let ended = up.end();
    assert_eq!((ended.code, up.delivered()), (Some(0), vec![click.to_owned()]));
}

#[test]
fn a_build_can_be_left() {
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
