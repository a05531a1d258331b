//! An installed `clicks`: a copy of the executable in an empty folder, without a checkout and without cargo.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::exit::Exit;
use test_support::http::Connection;
use test_support::up::Up;
use test_support::{builds_functions, executable, own_address};

use crate::site::has_each_file;

const CLICK: &str = r#"{"userId":"guest","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#;

/// What the processor makes of it with the mysfits of the local service.
const LINE: &str = "{\"userId\":\"guest\",\"mysfitId\":\"4e53920c-505a-4a90-a694-b9300791f0ae\",\"goodevil\":\"Evil\",\
                    \"lawchaos\":\"Lawful\",\"species\":\"Chimera\"}\n";

struct Installed {
    bin: TempDir,
    /// The current folder, which is empty at the start.
    folder: TempDir,
}

impl Installed {
    /// `clicks`, and functions of the workspace, in one folder.
    fn with(functions: &[&str]) -> Self {
        let installed = Self { bin: tempfile::tempdir().unwrap(), folder: tempfile::tempdir().unwrap() };
        fs::copy(executable("clicks"), installed.bin.path().join("clicks")).unwrap();
        for name in functions {
            fs::copy(built(name), installed.bin.path().join(name)).unwrap();
        }
        installed
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = test_support::command(self.bin.path().join("clicks"));
        command.env_clear().env("PATH", "/nonexistent").current_dir(self.folder.path());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn up_command(&self, arguments: &[&str]) -> Command {
        let host = own_address().to_string();
        let mut command = self.command(&["up", "--host", &host, "--port", "0", "--firehose-port", "0"]);
        command.args([
            "--service-port",
            "0",
            "--kinesis-port",
            "0",
            "--buffer-seconds",
            "0",
            "--destination-seconds",
            "0",
        ]);
        command.args(arguments);
        command
    }

    fn up(&self, arguments: &[&str]) -> Up {
        Up::run(self.folder.path(), self.up_command(arguments))
    }
}

/// A function's executable in the target folder.
fn built(name: &str) -> PathBuf {
    let mut command = Command::new(builds_functions(&mut Command::new("cargo")));
    builds_functions(&mut command);
    let output = command.args(["build", "--locked", "--package", name]).stderr(Stdio::inherit()).output().unwrap();
    let message: Value = serde_json::from_slice(&output.stdout).unwrap();
    message["executable"].as_str().unwrap().into()
}

fn click(up: &Up) {
    Connection::open(up.page()).ask("PUT", "/clicks", "Content-Type: application/json\r\n", CLICK).is(200);
    up.until_processed(1);
    assert_eq!(up.objects("firehose"), LINE);
}

#[test]
fn the_demo_needs_only_the_processor_beside_clicks() {
    let installed = Installed::with(&["click-processor"]);
    let mut up = installed.up(&[]);
    has_each_file(up.page());
    let page = Connection::open(up.page()).get("/pipeline/", "localhost");
    assert!(page.status == 200 && page.body.contains("<style nonce="), "{page:?}");
    click(&up);
    let end = up.stop();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_function_needs_neither_checkout_nor_cargo() {
    let installed = Installed::with(&[]);
    let processor = built("click-processor");
    let up = installed.up(&["--function", processor.to_str().unwrap()]);
    click(&up);
}

#[test]
fn the_collector_is_beside_clicks() {
    let installed = Installed::with(&["click-collector"]);
    let up = installed.up(&["--source", "kinesis", "--stream", "collected", "--collector-stream", "collected"]);
    Connection::open(up.page()).ask("POST", "/collect", "", r#"{"id":7}"#).is(200);
    up.until_processed(1);
}

#[test]
fn files_are_replayed_by_the_processor_beside_clicks() {
    let installed = Installed::with(&["click-processor"]);
    fs::write(installed.folder.path().join("clicks.jsonl"), CLICK).unwrap();
    let exit = Exit::from(installed.command(&["replay", "clicks.jsonl", "--out", "out", "--json"]).output().unwrap());
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(exit.report()["records"]["ok"], 1, "{}", exit.stdout);
    assert_eq!(test_support::files::objects(&installed.folder.path().join("out/firehose")), LINE);
}

#[test]
fn the_apis_need_nothing_else() {
    let installed = Installed::with(&[]);
    let mut serve = installed.command(&["serve", "--host", &own_address().to_string(), "--port", "0"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(serve.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let endpoint = line.strip_prefix("endpoint").unwrap().trim();
    let target = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Firehose_20150804.ListDeliveryStreams\r\n";
    let response = Connection::open(endpoint).ask("POST", "/", target, "{}");
    assert_eq!(response.json()["DeliveryStreamNames"], json!([]), "{response:?}");
    let exit = Exit::after("-TERM", serve);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
}

#[test]
fn without_a_function_the_error_names_what_to_do() {
    let installed = Installed::with(&[]);
    let collector = ["--source", "kinesis", "--stream", "a", "--collector-stream", "a"];
    for (arguments, name, option) in
        [(&[][..], "click-processor", "--function COMMAND"), (&collector, "click-collector", "--collector COMMAND")]
    {
        let exit = Exit::from(installed.up_command(arguments).output().unwrap());
        let place = Path::new(&fs::canonicalize(installed.bin.path()).unwrap()).join(name);
        let message = format!("no executable {name}: found none at {} or in PATH; ", place.display());
        exit.refuses(1, &message);
        assert!(exit.stderr.contains(&format!("`{option}`")), "{}", exit.stderr);
        assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
    }
}
