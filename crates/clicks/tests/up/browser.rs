//! A real browser goes through the pages, with the real processor and a real service behind them.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use test_support::up::{Up, bare_command};

use crate::ways;

/// What the browser is made of, besides itself.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

/// The width and the height that a PNG begins with (PNG specification, "IHDR image header").
fn size_of_png(bytes: &[u8]) -> (u32, u32) {
    assert_eq!((&bytes[..8], &bytes[12..16]), (&b"\x89PNG\r\n\x1a\n"[..], &b"IHDR"[..]));
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// Runs a script of the browser's, with the page's address and more arguments: it has to find everything as it should be.
#[track_caller]
fn browse(up: &Up, script: &str, arguments: &[&str]) {
    assert!(
        tools().join("node_modules/playwright-core").is_dir(),
        "`make tools` puts there what the browser test needs"
    );
    // Into a file: nobody reads while it runs.
    let told = up.folder().join("browser");
    let log = File::create(&told).unwrap();
    let mut browser = Command::new("node");
    browser.arg(tools().join(script)).arg(up.page()).args(arguments);
    browser.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut browser = browser.spawn().expect("`node`, which `scripts/needs` tells how to install");
    let patience = Instant::now() + Duration::from_secs(300);
    let status = loop {
        match browser.try_wait().unwrap() {
            Some(status) => break status.to_string(),
            None if Instant::now() > patience => break "no end".to_owned(),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    // Its browser ends with it.
    let _gone = browser.kill();
    let _gone = browser.wait();
    let told = fs::read_to_string(told).unwrap();
    assert_eq!(status, "exit status: 0", "{told}{}{}", up.stderr(), up.log());
    println!("{told}");
}

/// With `SCREENSHOTS=DIR` the pictures of the README are put there.
#[test]
fn a_browser_goes_through_the_pages() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare_command(folder.path());
    command.args(["--port", "0", "--firehose-port", "0", "--service-port", "0"]);
    // Long enough that a picture shows clicks that wait.
    command.args(["--buffer-seconds", "1", "--destination-seconds", "1"]);
    let mut up = Up::run(folder.path(), command);

    let pictures = env::var_os("SCREENSHOTS").map_or_else(|| folder.path().join("pictures"), PathBuf::from);
    browse(&up, "browser.mjs", &[pictures.to_str().unwrap()]);

    for picture in ["page.png", "pipeline.png"] {
        let bytes = fs::read(pictures.join(picture)).unwrap();
        assert_eq!(size_of_png(&bytes), (1280, 800), "{picture}");
        // An empty page of this size has 5 KB. Everybody who clones gets those of the README.
        let largest = if env::var_os("SCREENSHOTS").is_some() { 250_000 } else { usize::MAX };
        assert!((20_000..largest).contains(&bytes.len()), "{picture}: {}", bytes.len());
    }

    let ended = up.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_browser_sees_data_streams() {
    let folder = tempfile::tempdir().unwrap();
    let up = ways::start(folder.path(), ways::STREAMS, &["--function", "none"]);
    browse(&up, "streams.mjs", &["orders", "reviews"]);
}
