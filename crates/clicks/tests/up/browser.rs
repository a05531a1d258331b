//! The pages in a real browser, with the real processor and service.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use test_support::up::{Up, bare_command};

use crate::data_streams;

/// The folder of the browser's scripts.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

/// The width and the height that a PNG begins with (PNG specification, "IHDR image header").
fn size_of_png(bytes: &[u8]) -> (u32, u32) {
    assert_eq!((&bytes[..8], &bytes[12..16]), (&b"\x89PNG\r\n\x1a\n"[..], &b"IHDR"[..]));
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// Runs a script of the browser with the page's URL and other arguments, which must exit with 0.
#[track_caller]
pub(crate) fn browse(up: &Up, script: &str, arguments: &[&str]) {
    assert!(
        tools().join("node_modules/playwright-core").is_dir(),
        "`make tools` installs the dependencies of the browser tests"
    );
    // Into a file, because a pipe would fill up.
    let output = up.folder().join("browser");
    let log = File::create(&output).unwrap();
    let mut browser = Command::new("node");
    browser.arg(tools().join(script)).arg(up.page()).args(arguments);
    browser.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut browser = browser.spawn().expect("`node`; `scripts/needs` prints how to install it");
    let deadline = Instant::now() + Duration::from_secs(300);
    let status = loop {
        match browser.try_wait().unwrap() {
            Some(status) => break status.to_string(),
            None if Instant::now() > deadline => break "timed out".to_owned(),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    // Its browser exits with it.
    let _gone = browser.kill();
    let _gone = browser.wait();
    let output = fs::read_to_string(output).unwrap();
    assert_eq!(status, "exit status: 0", "{output}{}{}", up.stderr(), up.log());
    println!("{output}");
}

/// `SCREENSHOTS=DIR` writes the pictures of the README there.
#[test]
fn the_pages_work_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare_command(folder.path());
    command.args(["--port", "0", "--firehose-port", "0", "--service-port", "0"]);
    // Long enough for pictures with buffered clicks.
    command.args(["--buffer-seconds", "1", "--destination-seconds", "1"]);
    let mut up = Up::run(folder.path(), command);

    let pictures = env::var_os("SCREENSHOTS").map_or_else(|| folder.path().join("pictures"), PathBuf::from);
    browse(&up, "browser.mjs", &[pictures.to_str().unwrap()]);

    for picture in ["page.png", "pipeline.png", "record.png"] {
        let bytes = fs::read(pictures.join(picture)).unwrap();
        assert_eq!(size_of_png(&bytes), (1280, 800), "{picture}");
        // An empty page of this size has 5 KB. Those of the README are in each clone, so they have a limit.
        let largest = if env::var_os("SCREENSHOTS").is_some() { 250_000 } else { usize::MAX };
        assert!((20_000..largest).contains(&bytes.len()), "{picture}: {}", bytes.len());
    }

    let end = up.stop();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
}

#[test]
fn data_streams_are_shown_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("{}[streams.collected]\nsource = 'kinesis'\n", data_streams::STREAMS);
    // No request is sent to the collector, so it never starts.
    let collector = ["--collector-stream", "collected", "--collector", "/bin/false"];
    let up = data_streams::start(folder.path(), &config, &[&["--function", "none"][..], &collector].concat());
    browse(&up, "streams.mjs", &["orders", "reviews", "collected"]);
}

/// The buffer of a second makes a request one batch. The second stream's function always fails.
#[test]
fn the_reason_of_a_failed_record_is_shown_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"
        [streams.mysfits-clicks]
        buffer-seconds = 1

        [streams.with-errors]
        function = "/bin/sh -c 'echo no total >&2; exit 1'"
        retries = 2
    "#;
    fs::write(folder.path().join("up.toml"), config).unwrap();
    let mut command = bare_command(folder.path());
    command.args(["--port", "0", "--firehose-port", "0", "--service-port", "0", "--config", "up.toml"]);
    command.args(["--destination-seconds", "1"]);
    let up = Up::run(folder.path(), command);
    browse(&up, "records.mjs", &[up.firehose(), "with-errors"]);
}

#[test]
fn a_stream_that_is_created_later_is_shown_in_a_browser() {
    let up = Up::start(&[]);
    browse(&up, "created.mjs", &[up.firehose()]);
}
