//! `clicks up` in a temporary folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::exit::Exit;
use crate::files;
use crate::http::{Connection, Response};
use crate::{PATIENCE, clicks_command, limit_files, limit_process, own_address, stand_in};

/// An argument that selects the processor of this workspace instead of the stand-in function.
pub const PROCESSOR: &str = "--processor";

/// The default name of the stream.
pub const STREAM: &str = "mysfits-clicks";

/// A running `clicks up`, killed when it is dropped.
#[derive(Debug)]
pub struct Up {
    folder: PathBuf,
    /// Removes the folder, unless the caller owns it.
    own: Option<TempDir>,
    child: Child,
    stdout: BufReader<ChildStdout>,
    addresses: BTreeMap<String, String>,
}

impl Up {
    /// Starts a pipeline in a new folder, with [`command`].
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        let own = tempfile::tempdir().unwrap();
        let mut up = Self::start_in(own.path(), arguments);
        up.own = Some(own);
        up
    }

    /// Starts a pipeline in a folder, which may have the state of an earlier one, with [`command`].
    #[must_use]
    pub fn start_in(folder: &Path, arguments: &[&str]) -> Self {
        Self::run(folder, command(folder, arguments))
    }

    /// Starts a pipeline with a command whose current directory is `folder`.
    #[must_use]
    pub fn run(folder: &Path, mut command: Command) -> Self {
        let mut child = command.stderr(File::create(folder.join("stderr")).unwrap()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut addresses = BTreeMap::new();
        // The stream's line is the last one. With `--json` there is one line.
        while !addresses.contains_key("stream") {
            let mut line = String::new();
            let read = stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "it exited: {}", fs::read_to_string(folder.join("stderr")).unwrap());
            if let Ok(Value::Object(ready)) = serde_json::from_str(&line) {
                assert_eq!(ready["event"], "ready", "{line}");
                let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                addresses.extend(ready.into_iter().map(|(name, value)| (name, text(value))));
                break;
            }
            let (name, address) = line.split_once(' ').unwrap();
            addresses.insert(name.to_owned(), address.trim().to_owned());
        }
        Self { folder: folder.to_owned(), own: None, child, stdout, addresses }
    }

    /// The next line of `--json`, which it waits for.
    #[must_use]
    pub fn event(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}{}", self.stderr()))
    }

    /// The address that it printed for `name`; with `--json`, any value of the line.
    #[must_use]
    pub fn address(&self, name: &str) -> &str {
        &self.addresses[name]
    }

    /// The page, as `http://ADDRESS:PORT`.
    #[must_use]
    pub fn page(&self) -> &str {
        self.addresses["page"].trim_end_matches('/')
    }

    /// The Firehose API, as `http://ADDRESS:PORT`.
    #[must_use]
    pub fn firehose(&self) -> &str {
        &self.addresses["firehose"]
    }

    /// Its current directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its process id.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Limits the size of each file that the process writes, as a full disk does.
    pub fn limit_files(&self, bytes: Option<u64>) {
        limit_files(self.process(), bytes);
    }

    /// Limits the process's file descriptors. Those that are open stay open.
    pub fn limit_descriptors(&self, most: u32) {
        limit_process(self.process(), &format!("--nofile={most}:"));
    }

    /// Its standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.join("stderr")).unwrap()
    }

    /// Calls an operation of the Firehose API.
    #[must_use]
    pub fn call(&self, operation: &str, input: &Value) -> Response {
        call(&mut Connection::open(self.firehose()), operation, input)
    }

    /// Puts records into the default stream: see [`Up::put_into`].
    #[track_caller]
    pub fn put(&self, records: &[impl AsRef<[u8]>]) -> Vec<String> {
        self.put_into(STREAM, records)
    }

    /// Puts records, 500 per call, and asserts that all are accepted. Returns their ids.
    #[track_caller]
    pub fn put_into(&self, stream: &str, records: &[impl AsRef<[u8]>]) -> Vec<String> {
        let mut connection = Connection::open(self.firehose());
        let mut ids = Vec::new();
        for records in records.chunks(500) {
            let response = call(&mut connection, "PutRecordBatch", &batch(stream, records));
            let output = response.json();
            assert_eq!((response.status, &output["FailedPutCount"]), (200, &json!(0)), "{response:?}");
            let entries = output["RequestResponses"].as_array().unwrap();
            ids.extend(entries.iter().map(|entry| entry["RecordId"].as_str().unwrap().to_owned()));
        }
        ids
    }

    /// The first stream's state now, as the page gets it.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        snapshot(self.page(), 0)
    }

    /// Waits until a snapshot of the first stream meets a condition.
    #[track_caller]
    pub fn until(&self, condition: impl Fn(&Value) -> bool) {
        let patience = Instant::now() + PATIENCE;
        loop {
            let snapshot = self.snapshot();
            if condition(&snapshot) {
                return;
            }
            assert!(Instant::now() < patience, "the condition stays false: {snapshot:#}\n{}", self.stderr());
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits until so many records are delivered, dropped, or in the error output.
    #[track_caller]
    pub fn until_processed(&self, records: u64) {
        self.until(|snapshot| {
            let counts = ["delivered", "dropped", "failed"].map(|outcome| snapshot[outcome].as_u64().unwrap());
            counts.iter().sum::<u64>() >= records
        });
    }

    /// The content of the objects under a prefix.
    #[must_use]
    pub fn objects(&self, prefix: &str) -> String {
        files::objects(&self.folder.join("out/bucket").join(prefix))
    }

    /// The delivered lines.
    #[must_use]
    pub fn delivered(&self) -> Vec<String> {
        self.objects("firehose").lines().map(ToOwned::to_owned).collect()
    }

    /// The lines of the error objects.
    #[must_use]
    pub fn errors(&self) -> Vec<Value> {
        self.objects("errors").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The function's log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("out/function.log")).unwrap()
    }

    /// Sends a signal, such as `-TERM`.
    pub fn signal(&self, signal: &str) {
        crate::signal(signal, self.process());
    }

    /// Sends SIGTERM, and waits until the process exits.
    #[track_caller]
    pub fn stop(&mut self) -> Exit {
        self.signal("-TERM");
        self.end()
    }

    /// Waits until the process exits.
    #[track_caller]
    pub fn end(&mut self) -> Exit {
        let patience = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() >= patience {
                self.child.kill().unwrap();
                panic!("it did not exit: {}{}", self.rest_of_stdout(), self.stderr());
            }
            sleep(Duration::from_millis(10));
        }
        let code = self.child.wait().unwrap().code();
        Exit { code, stdout: self.rest_of_stdout(), stderr: self.stderr() }
    }

    /// What it printed after the addresses.
    fn rest_of_stdout(&mut self) -> String {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        stdout
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
        // Its functions may still write for a moment.
        drop(self.own.take());
    }
}

/// `clicks up` without configuration in its environment.
#[must_use]
pub fn bare_command(folder: &Path) -> Command {
    let mut command = clicks_command();
    command.current_dir(folder).arg("up").stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// `clicks up` with free ports at an address of its own, the stand-in function, and short buffers, unless `arguments` set them.
#[must_use]
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = bare_command(folder);
    let (host, stand_in) = (own_address().to_string(), stand_in());
    let defaults = [
        ("--host", host.as_str()),
        ("--port", "0"),
        ("--firehose-port", "0"),
        ("--service-port", "0"),
        ("--function", &stand_in),
        ("--buffer-seconds", "0"),
        ("--destination-seconds", "0"),
    ];
    let is_set = |option: &str| {
        let other = match option {
            "--service-port" => "--service",
            "--function" => PROCESSOR,
            _ => option,
        };
        arguments.contains(&option) || arguments.contains(&other)
    };
    for (option, value) in defaults.into_iter().filter(|(option, _)| !is_set(option)) {
        command.args([option, value]);
    }
    command.args(arguments.iter().filter(|argument| **argument != PROCESSOR));
    command
}

fn call(connection: &mut Connection, operation: &str, input: &Value) -> Response {
    let headers =
        format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Firehose_20150804.{operation}\r\n");
    connection.ask("POST", "/", &headers, &input.to_string())
}

/// The input of `PutRecordBatch`.
#[must_use]
pub fn batch(stream: &str, records: &[impl AsRef<[u8]>]) -> Value {
    let records: Vec<Value> = records.iter().map(|data| json!({ "Data": STANDARD.encode(data) })).collect();
    json!({ "DeliveryStreamName": stream, "Records": records })
}

/// A stream's state in the first event that the page at `page` gets.
#[must_use]
pub fn snapshot(page: &str, stream: usize) -> Value {
    if stream == 0 {
        return first_event(page, "")["stream"].take();
    }
    let name = first_event(page, "")["streams"][stream]["stream"].take();
    first_event(page, &format!("?stream={}", name.as_str().unwrap()))["stream"].take()
}

/// The first event that the page at `page` gets.
#[must_use]
pub fn first_event(page: &str, query: &str) -> Value {
    let mut connection = Connection::open(page);
    connection.send(format!("GET /pipeline/events{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    serde_json::from_str(&connection.line_with("data: ")).unwrap()
}
