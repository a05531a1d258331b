//! A pipeline in a folder of its own: what goes in, and what lies in its bucket.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use tempfile::TempDir;
pub(crate) use test_support::PATIENCE;
use test_support::own_address;

use crate::http::{Answer, Connection};

/// The executable that is run in the processor's place.
pub(crate) const STAND_IN: &str = env!("CARGO_BIN_EXE_stand-in-function");

/// Among the arguments: the processor of this workspace instead, as it is when nobody names a function.
pub(crate) const PROCESSOR: &str = "--processor";

/// The stream where nobody named another.
pub(crate) const STREAM: &str = "mysfits-clicks";

/// A running `clicks up`, killed when it is dropped.
pub(crate) struct Up {
    folder: PathBuf,
    /// Removes the folder in the end, where it is this pipeline's alone.
    own: Option<TempDir>,
    child: Child,
    stdout: BufReader<ChildStdout>,
    addresses: BTreeMap<String, String>,
}

impl Up {
    /// In a new folder, with free ports at an address of its own, the stand-in, and short buffers; what `arguments` say counts
    /// more.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let own = tempfile::tempdir().unwrap();
        let mut up = Self::start_in(own.path(), arguments);
        up.own = Some(own);
        up
    }

    /// In a folder that is there, perhaps with what an earlier pipeline has left.
    pub(crate) fn start_in(folder: &Path, arguments: &[&str]) -> Self {
        Self::run(folder, command(folder, arguments))
    }

    /// By a command that runs in `folder`.
    pub(crate) fn run(folder: &Path, mut command: Command) -> Self {
        let mut child = command.stderr(File::create(folder.join("stderr")).unwrap()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut addresses = BTreeMap::new();
        // The stream is the last line.
        while !addresses.contains_key("stream") {
            let mut line = String::new();
            let read = stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended: {}", fs::read_to_string(folder.join("stderr")).unwrap());
            let (name, address) = line.split_once(' ').unwrap();
            addresses.insert(name.to_owned(), address.trim().to_owned());
        }
        Self { folder: folder.to_owned(), own: None, child, stdout, addresses }
    }

    /// What it says is at an address.
    pub(crate) fn address(&self, name: &str) -> &str {
        &self.addresses[name]
    }

    /// The page's port, as `http://ADDRESS:PORT`.
    pub(crate) fn page(&self) -> &str {
        self.addresses["page"].trim_end_matches('/')
    }

    /// The port of Firehose's API, as `http://ADDRESS:PORT`.
    pub(crate) fn firehose(&self) -> &str {
        &self.addresses["firehose"]
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Lets no file of the process grow beyond so many bytes, as a full disk would not; none is no limit.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let arguments = ["--pid".to_owned(), self.process().to_string(), format!("--fsize={limit}:")];
        assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
    }

    /// Lets the process have no descriptor of this number or a greater one, unless it has it already.
    pub(crate) fn limit_descriptors(&self, most: u32) {
        let arguments = ["--pid".to_owned(), self.process().to_string(), format!("--nofile={most}:")];
        assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.folder.join("stderr")).unwrap()
    }

    /// One call of Firehose's API.
    pub(crate) fn call(&self, operation: &str, input: &Value) -> Answer {
        call(&mut Connection::open(self.firehose()), operation, input)
    }

    /// Puts records into the stream, 500 at a time; all have to be accepted. Gives their ids.
    #[track_caller]
    pub(crate) fn put(&self, records: &[impl AsRef<[u8]>]) -> Vec<String> {
        self.put_into(STREAM, records)
    }

    #[track_caller]
    pub(crate) fn put_into(&self, stream: &str, records: &[impl AsRef<[u8]>]) -> Vec<String> {
        let mut connection = Connection::open(self.firehose());
        let mut ids = Vec::new();
        for records in records.chunks(500) {
            let answer = call(&mut connection, "PutRecordBatch", &batch(stream, records));
            let output = answer.json();
            assert_eq!((answer.status, &output["FailedPutCount"]), (200, &json!(0)), "{answer:?}");
            let entries = output["RequestResponses"].as_array().unwrap();
            ids.extend(entries.iter().map(|entry| entry["RecordId"].as_str().unwrap().to_owned()));
        }
        ids
    }

    /// The stream at this moment, as the page sees it.
    pub(crate) fn view(&self) -> Value {
        view(self.page(), 0)
    }

    /// Waits until the stream's view is as it should be.
    #[track_caller]
    pub(crate) fn until(&self, so: impl Fn(&Value) -> bool) {
        let patience = Instant::now() + PATIENCE;
        loop {
            let view = self.view();
            if so(&view) {
                return;
            }
            assert!(Instant::now() < patience, "it did not come to that: {view:#}\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until so many records are at their end: delivered, dropped, or in the error output.
    #[track_caller]
    pub(crate) fn until_through(&self, records: u64) {
        self.until(|view| {
            ["delivered", "dropped", "failed"].map(|end| view[end].as_u64().unwrap()).iter().sum::<u64>() >= records
        });
    }

    /// What is in the objects under a prefix, joined in their names' order.
    pub(crate) fn objects(&self, prefix: &str) -> String {
        objects(&self.folder.join("out/bucket").join(prefix))
    }

    /// The delivered lines.
    pub(crate) fn delivered(&self) -> Vec<String> {
        self.objects("firehose").lines().map(ToOwned::to_owned).collect()
    }

    /// The lines of the error objects.
    pub(crate) fn errors(&self) -> Vec<Value> {
        self.objects("errors").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the function wrote.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("out/function.log")).unwrap()
    }

    /// Asks it to end.
    pub(crate) fn signal(&self, signal: &str) {
        test_support::signal(signal, self.process());
    }

    /// Asks it to end, and waits until it has.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Ended {
        self.signal("-TERM");
        self.end()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(&mut self) -> Ended {
        let patience = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() >= patience {
                self.child.kill().unwrap();
                let mut stdout = String::new();
                self.stdout.read_to_string(&mut stdout).unwrap();
                panic!("it did not end: {stdout}{}", self.stderr());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        Ended { code: self.child.wait().unwrap().code(), stdout, stderr: self.stderr() }
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

pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// After the addresses.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `clicks up` with no configuration from outside.
pub(crate) fn bare_command(folder: &Path) -> Command {
    let mut command = test_support::command(env!("CARGO_BIN_EXE_clicks"));
    let configuration = ["MYSFIT", "ON_", "CLICK_FIELDS", "RECORD_FIELDS", "PARTITION_KEYS", "SSL_CERT_FILE", "AWS_"];
    for (key, _) in std::env::vars_os() {
        if configuration.iter().any(|prefix| key.to_string_lossy().starts_with(prefix)) {
            command.env_remove(key);
        }
    }
    command.current_dir(folder).arg("up").stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// `clicks up` as [`Up::start_in`] runs it.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = bare_command(folder);
    let named = |option: &str| arguments.contains(&option);
    let host = own_address().to_string();
    let defaults = [
        ("--host", host.as_str()),
        ("--port", "0"),
        ("--firehose-port", "0"),
        ("--service-port", "0"),
        ("--function", STAND_IN),
        ("--buffer-seconds", "0"),
        ("--destination-seconds", "0"),
    ];
    let elsewhere = |option: &str| match option {
        "--service-port" => named("--service"),
        "--function" => named(PROCESSOR),
        _ => false,
    };
    for (option, value) in defaults.into_iter().filter(|(option, _)| !named(option) && !elsewhere(option)) {
        command.args([option, value]);
    }
    command.args(arguments.iter().filter(|argument| **argument != PROCESSOR));
    command
}

fn call(connection: &mut Connection, operation: &str, input: &Value) -> Answer {
    let headers =
        format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Firehose_20150804.{operation}\r\n");
    connection.ask("POST", "/", &headers, &input.to_string())
}

/// The input of `PutRecordBatch`.
pub(crate) fn batch(stream: &str, records: &[impl AsRef<[u8]>]) -> Value {
    let records: Vec<Value> = records.iter().map(|data| json!({ "Data": STANDARD.encode(data) })).collect();
    json!({ "DeliveryStreamName": stream, "Records": records })
}

/// A stream's view: the first of the page's events.
pub(crate) fn view(page: &str, stream: usize) -> Value {
    let mut connection = Connection::open(page);
    connection.send(b"GET /pipeline/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let event = connection.line_with("data: ");
    let pipeline: Value = serde_json::from_str(&event).unwrap();
    pipeline["streams"][stream].clone()
}

/// What is in the objects of a folder, joined in their names' order, and decompressed.
pub(crate) fn objects(folder: &Path) -> String {
    let mut paths = Vec::new();
    files(folder, &mut paths);
    paths.sort();
    let mut joined = String::new();
    for path in paths {
        let file = File::open(&path).unwrap();
        let read = match path.extension() {
            Some(extension) if extension == "gz" => MultiGzDecoder::new(file).read_to_string(&mut joined),
            _ => { &file }.read_to_string(&mut joined),
        };
        read.unwrap();
    }
    joined
}

/// The files of a folder and of those in it; of an upload that was cut off, there is none.
pub(crate) fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files(&path, found);
        } else if !path.to_string_lossy().contains('#') {
            found.push(path);
        }
    }
}
