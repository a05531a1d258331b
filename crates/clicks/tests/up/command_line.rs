//! The output of the command line: addresses, or an error.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::PATIENCE;
use test_support::http::Connection;
use test_support::up::{STREAM, Up, command};

/// Runs `clicks up`, which must fail to start: its exit code and its standard error.
#[track_caller]
fn refused(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = command(folder, arguments).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _gone = child.kill();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "it started");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Checks the exit code and the start of the one line of each error.
#[track_caller]
fn are_refused(folder: &Path, code: i32, cases: &[(&[&str], &str)]) {
    for (arguments, message) in cases {
        let (end, stderr) = refused(folder, arguments);
        assert_eq!(end, Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with(&format!("error: {message}")), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    }
}

#[test]
fn each_printed_address_serves() {
    let up = Up::start(&["--host", "127.0.0.1"]);
    let page = up.address("page");
    assert!(page.starts_with("http://127.0.0.1:") && page.ends_with('/'), "{page}");
    assert_eq!(up.address("pipeline"), format!("{page}pipeline/"));
    assert_eq!(up.address("clicks"), format!("{page}clicks"));
    assert_eq!(up.address("stream"), "mysfits-clicks into out/bucket");

    let get = |url: &str, path: &str| Connection::open(url).get(path, "localhost");
    assert_eq!(get(up.page(), "/").header("content-type"), Some("text/html"));
    assert_eq!(get(up.page(), "/pipeline/").header("content-type"), Some("text/html"));
    assert_eq!(get(up.page(), "/clicks").header("access-control-allow-methods"), Some("OPTIONS,PUT"));
    let mysfits: Value = serde_json::from_str(&get(up.address("mysfits"), "/mysfits").body).unwrap();
    assert_eq!(mysfits["mysfits"].as_array().unwrap().len(), 12);
    let streams: Value = serde_json::from_str(&up.call("ListDeliveryStreams", &json!({})).body).unwrap();
    assert_eq!(streams["DeliveryStreamNames"], json!([STREAM]));
}

#[test]
fn addresses_and_totals_are_printed_as_lines() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[streams.mysfits-clicks]\n[streams.others]\ndestination = 'other'\n";
    fs::write(folder.path().join("up.toml"), config).unwrap();
    let mut child =
        command(folder.path(), &["--config", "up.toml", "--host", "127.0.0.1"]).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    stdout.read_line(&mut text).unwrap();
    test_support::signal("-TERM", child.id());
    stdout.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut lines = text.lines();
    for name in ["page", "pipeline", "clicks", "firehose", "mysfits"] {
        let line = lines.next().unwrap();
        assert!(line.starts_with(&format!("{name:<10}http://127.0.0.1:")), "{line}");
    }
    let rest: Vec<&str> = lines.collect();
    let expected = [
        "stream    mysfits-clicks into out/bucket",
        "stream    others into other",
        "no record accepted",
        "mysfits-clicks: 0 accepted, 0 delivered, 0 dropped, 0 failed",
        "others: 0 accepted, 0 delivered, 0 dropped, 0 failed",
    ];
    assert_eq!(rest, expected);
}

#[test]
fn a_port_in_use_is_reported_with_its_option() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((test_support::own_address(), 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let in_use = "Address already in use (os error 98)";
    let listen = |option| {
        format!(
            "could not listen on {address} ({in_use}); choose another port with `--{option} N`, or 0 for any free one\n"
        )
    };
    are_refused(
        folder.path(),
        1,
        &[
            (&["--host", &host, "--port", &port], &listen("port")),
            (&["--host", &host, "--firehose-port", &port], &listen("firehose-port")),
            (&["--host", &host, "--source", "kinesis", "--kinesis-port", &port], &listen("kinesis-port")),
            (&["--host", &host, "--service-port", &port], &listen("service-port")),
        ],
    );
    // An address for documentation, which no machine has (RFC 5737).
    let foreign =
        "`--host`: found 192.0.2.1, which this machine does not have; accepted is one of its addresses, or 0.0.0.0 ";
    are_refused(folder.path(), 2, &[(&["--host", "192.0.2.1"], foreign)]);
}

#[test]
fn an_address_beyond_loopback_has_a_warning() {
    let warning =
        "warning: listening on 0.0.0.0, beyond loopback: anyone in the network can put and read records (`--host`)\n";
    for (host, expected) in [("0.0.0.0", warning), ("127.0.0.1", "")] {
        let mut up = Up::start(&["--host", host]);
        assert_eq!(up.stop().stderr, expected, "{host}");
    }
}

#[test]
fn a_function_beside_a_file_with_several_streams_has_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = ("[streams.clicks]\n", "[streams.clicks]\n[streams.orders]\nfunction = 'processor'\n");
    let warning = "warning: `--function` applies to all 2 streams of up.toml: clicks, orders; for one, set `function` of \
                   [streams.NAME] there\n";
    for (config, expected) in [(one, ""), (two, warning)] {
        let top = "[pipeline]\nclick-stream = 'clicks'\n";
        fs::write(folder.path().join("up.toml"), format!("{top}{config}")).unwrap();
        let mut up = Up::start_in(folder.path(), &["--config", "up.toml", "--function", "none"]);
        assert_eq!(up.stop().stderr, expected, "{config}");
    }
}

#[test]
fn an_unknown_option_or_an_invalid_value_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, message) in [
        (
            &["--retrys", "1"][..],
            "error: unexpected argument '--retrys' found\n\n  tip: a similar argument exists: '--retries'\n",
        ),
        (&["page"], "error: unexpected argument 'page' found\n"),
        (&["--retries"], "error: a value is required for '--retries <N>' but none was supplied\n"),
        (
            &["--retries", "301"],
            "error: invalid value '301' for '--retries <N>': accepted is a whole number from 0 to 300\n",
        ),
        (
            &["--port", "http"],
            "error: invalid value 'http' for '--port <PORT>': accepted is a whole number from 0 to 65535\n",
        ),
        (
            &["--compression", "zip"],
            "error: invalid value 'zip' for '--compression <HOW>'\n  [possible values: none, gzip]\n",
        ),
        (&["--env", "A"], "error: invalid value 'A' for '--env <KEY=VALUE>': accepted is KEY=VALUE\n"),
    ] {
        let (code, stderr) = refused(folder.path(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with(message), "{arguments:?}: {stderr}");
        assert!(stderr.ends_with("\n\nFor more information, try '--help'.\n"), "{stderr}");
    }
}

#[test]
fn wrong_usage_is_reported_with_the_option_and_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let toml = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    toml("key.toml", "[defaults]\nretrys = 1\n");
    toml("old.toml", "port = 0\nretries = 1\n[streams.a]\n");
    toml("value.toml", "[streams.a]\nretries = 301\n");
    toml("text.toml", "port 8000\n");
    are_refused(
        folder.path(),
        2,
        &[
            (&["--config", "key.toml"], "key.toml, line 2, column 1: unknown key `retrys`: did you mean `retries`?\n"),
            (
                &["--config", "old.toml"],
                "old.toml, line 1, column 1: unknown key `port`: accepted are the tables [pipeline], ",
            ),
            (
                &["--config", "value.toml"],
                "value.toml, line 2, column 11: `streams.a.retries`: found integer `301`; accepted is a whole number from 0 to 300\n",
            ),
            (&["--config", "text.toml"], "text.toml, line 1, column 6: "),
            (
                &["--config", "nowhere.toml"],
                "could not read `--config nowhere.toml`: No such file or directory (os error 2)\n",
            ),
            (
                &["--function", "nonexistent"],
                "`--function`: found `nonexistent`, which is not an executable file; accepted is one, by its path or by a \
                 name in PATH\n",
            ),
            (&["--function", "./key.toml"], "`--function`: found `./key.toml`, which is not an executable file; "),
            (
                &["--destination", "s3://mysfits-clicks"],
                "s3://mysfits-clicks needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (",
            ),
            (
                &["--destination", "gs://clicks"],
                "`--destination`: invalid destination: gs://clicks; accepted is a folder, or a bucket as s3://BUCKET\n",
            ),
            (
                &["--web", "nowhere"],
                "`--web`: found nowhere; accepted is the folder of the pages, the `web` of the sources\n",
            ),
            (
                &["--service", "http://me:secret@a.example"],
                "`--service`: found a user or a password in the service's URL, ",
            ),
            (&["--prefix", "!{timestamp:QQ}/"], "`--prefix`: `!{timestamp:QQ}`: `Q` is not known: "),
            (&["--error-prefix", ""], "`--error-prefix`: an error prefix is needed, such as `errors/"),
            (
                &["--dynamic-partitioning"],
                "the default of `--prefix`: dynamic partitioning needs a prefix with at least one `!{partitionKeyFromLambda:KEY}`\n",
            ),
            (&["--port", "7", "--firehose-port", "7"], "`--port` and `--firehose-port`: both are 7; "),
        ],
    );
}

#[test]
fn a_path_that_can_not_be_written_is_reported_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    fs::create_dir_all(folder.path().join("state/mysfits-clicks.redb")).unwrap();
    fs::set_permissions(folder.path().join("state"), fs::Permissions::from_mode(0o700)).unwrap();
    are_refused(
        folder.path(),
        1,
        &[
            (
                &["--destination", "file/bucket"],
                "could not open the folder file/bucket (`--destination`): Not a directory (os error 20)\n",
            ),
            (
                &["--destination", "file"],
                "could not open the folder file (`--destination`): File exists (os error 17)\n",
            ),
            (
                &["--state", "file/state"],
                "could not make the folder file/state (`--state`): Not a directory (os error 20)\n",
            ),
            (
                &["--state", "state"],
                "could not read the records in state/mysfits-clicks.redb (`--state`): I/O error: Is a directory (os error 21)\n",
            ),
            (
                &["--function-log", "file/log"],
                "could not open file/log (`--function-log`): File exists (os error 17)\n",
            ),
        ],
    );
}

#[test]
fn a_state_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = Up::start_in(folder.path(), &["--state", "state"]);
    let in_use = "state/mysfits-clicks.redb is in use by another process: name another folder with `--state DIR`\n";
    are_refused(folder.path(), 1, &[(&["--state", "state"], in_use)]);
    // The first process still works, and the next one can use the state.
    up.put(&["{}"]);
    up.until_processed(1);
    assert_eq!(up.stop().code, Some(0));
    let up = Up::start_in(folder.path(), &["--state", "state"]);
    assert_eq!(up.snapshot()["accepted"], 0);
}

#[test]
fn the_state_of_an_unknown_stream_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    for (stream, expected) in [
        ("a", ""),
        ("a", ""),
        ("b", "state/a.redb belongs to a stream that is not configured; its records stay there\n"),
    ] {
        let up = Up::start_in(folder.path(), &["--state", "state", "--stream", stream]);
        assert_eq!(up.stderr(), expected, "{stream}");
    }
}

#[test]
fn a_damaged_or_missing_state_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (state, options) = (folder.path().join("state"), ["--state", "state"]);
    let path = state.join("mysfits-clicks.redb");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let report_at_start = || {
        let stderr = Up::start_in(folder.path(), &options).stop().stderr;
        // Records may be in flight at the stop.
        stderr.split_inclusive('\n').filter(|line| !line.starts_with("flushing ")).collect::<String>()
    };
    assert_eq!(report_at_start(), "");
    assert_eq!(
        [&state, &path, &state.join("mysfits-clicks.redb.commits")].map(|path| mode(path)),
        [0o700, 0o600, 0o600]
    );
    // A kill causes no damage.
    let mut up = Up::start_in(folder.path(), &options);
    up.put(&["{}"]);
    up.signal("-KILL");
    up.end();
    assert_eq!(report_at_start(), "");

    let whole = fs::read(&path).unwrap();
    let cannot = "the state state/mysfits-clicks.redb (`--state`) cannot be used: ";
    for (content, found) in [
        (Vec::new(), "found a file of 0 bytes; accepted is the file that an earlier run has left, or none. "),
        (whole[..whole.len() / 2].to_vec(), "found a damaged file, or one of another program ("),
        (b"text".repeat(9_999), "found a damaged file, or one of another program ("),
    ] {
        fs::write(&path, &content).unwrap();
        are_refused(folder.path(), 1, &[(&options, &format!("{cannot}{found}"))]);
        assert!(fs::read(&path).unwrap() == content);
    }
    // An older copy of the file.
    fs::write(&path, &whole).unwrap();
    let mut up = Up::start_in(folder.path(), &options);
    up.put(&["{}"]);
    assert_eq!(up.stop().code, Some(0));
    fs::write(&path, &whole).unwrap();
    let report = report_at_start();
    assert!(
        report.contains("(`--state`): found a damaged file: its last commits cannot be read (")
            && report.contains(
                "it is repaired: records accepted last are lost, and records delivered last are delivered again"
            )
            && report.contains("a copy of the damaged file is state/mysfits-clicks.redb.damaged-"),
        "{report}"
    );
    // As in the message.
    fs::rename(&path, state.join("mysfits-clicks.redb.damaged")).unwrap();
    let report = report_at_start();
    assert!(
        report.starts_with("warning: state/mysfits-clicks.redb (`--state`): found no file, although ")
            && report.lines().count() == 1,
        "{report}"
    );
    // Permissions for other users.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let expected =
        "state (`--state`): found permissions for other users; accepted is a folder of one user (`chmod 700 state`)\n";
    assert_eq!(report_at_start(), expected);
    assert_eq!([mode(&path), mode(&state)], [0o600, 0o755]);
}
