//! `clicks redrive` in a temporary folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::exit::Exit;
use test_support::files::files;

use crate::firehose::Firehose;

/// Before any record that a test puts.
pub(crate) const LONG_AGO: u64 = 1_700_000_000_000;

/// A name as Firehose gives it.
pub(crate) const NAME: &str = "clicks-1-2026-11-26-10-00-00-0f0e1d2c-3b4a-4958-8776-655443322110";

/// A folder with error objects in `errors/`, and the journal in `state/`.
pub(crate) struct Redrive {
    pub(crate) folder: TempDir,
}

impl Redrive {
    pub(crate) fn of(objects: &[(&str, &str)]) -> Self {
        let redrive = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(redrive.errors()).unwrap();
        for (name, text) in objects {
            redrive.write(name, text);
        }
        redrive
    }

    pub(crate) fn errors(&self) -> PathBuf {
        self.folder.path().join("errors")
    }

    /// Writes or replaces an object.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.errors().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("state/journal")
    }

    /// The file with corrupt lines.
    pub(crate) fn quarantine(&self) -> PathBuf {
        self.folder.path().join("state/journal.corrupt.jsonl")
    }

    /// The names of the files below `errors/`.
    pub(crate) fn names(&self) -> Vec<String> {
        let root = self.errors();
        let paths = files(&root);
        let mut names: Vec<String> =
            paths.iter().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// `clicks redrive` with these arguments only, and without configuration in its environment.
    pub(crate) fn bare_command(&self, arguments: &[&str]) -> Command {
        let mut command = test_support::clicks_command();
        command.env("HOME", self.folder.path()).env_remove("XDG_STATE_HOME");
        command.current_dir(self.folder.path()).arg("redrive").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Puts the errors into a stream, without a rate limit.
    pub(crate) fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(&["--stream", "clicks", "--json", "--endpoint", url]);
        for (option, value) in [("--journal", "state/journal"), ("--rate", "100000")] {
            if !arguments.contains(&option) {
                command.args([option, value]);
            }
        }
        let source = arguments.first().is_none_or(|argument| argument.starts_with('-')).then_some("errors");
        command.args(source).args(arguments);
        command
    }

    pub(crate) fn spawn(&self, firehose: &Firehose, arguments: &[&str]) -> Child {
        self.command(&firehose.url(), arguments).spawn().unwrap()
    }

    pub(crate) fn end(&self, firehose: &Firehose, arguments: &[&str]) -> Exit {
        self.command(&firehose.url(), arguments).output().unwrap().into()
    }

    /// Asserts the exit code and the numbers of records; others are zero.
    #[track_caller]
    pub(crate) fn run(&self, firehose: &Firehose, arguments: &[&str], code: i32, records: &Value) -> Exit {
        let exit = self.end(firehose, arguments);
        exit.comes_to(code, records);
        exit
    }
}

pub(crate) trait Numbers {
    fn comes_to(&self, code: i32, records: &Value);
    fn objects(&self, objects: &Value);
    fn reports(&self, lines: &[&str]);
}

/// The message of an interrupt during a call.
pub(crate) const INTERRUPTED: &str = "interrupted: the call in flight is finished first";

/// Waits for a line on a process's standard error that begins with `start`. What follows is left to read.
pub(crate) fn wait_for_line(child: &mut Child, start: &str) {
    let stderr = child.stderr.as_mut().unwrap();
    let mut line = Vec::new();
    while !line.starts_with(start.as_bytes()) || line.last() != Some(&b'\n') {
        if line.last() == Some(&b'\n') {
            line.clear();
        }
        let mut byte = [0];
        stderr.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
}

impl Numbers for Exit {
    /// Exit with a code, and with these records; what is not named is zero.
    #[track_caller]
    fn comes_to(&self, code: i32, records: &Value) {
        let report = self.report();
        assert_eq!((self.code, &numbers(&report["records"])), (Some(code), records), "{}", self.stderr);
        whole(&report);
    }

    /// Asserts the numbers of objects; others are zero.
    #[track_caller]
    fn objects(&self, objects: &Value) {
        assert_eq!(&numbers(&self.report()["objects"]), objects, "{}", self.stderr);
    }

    /// Asserts the lines on standard error, without those about a new journal and an interrupt.
    #[track_caller]
    fn reports(&self, lines: &[&str]) {
        let ignored = ["starting a new journal, in which no record is put yet: ", INTERRUPTED];
        let is_compared = |line: &&str| !ignored.iter().any(|start| line.starts_with(start));
        let all = self.stderr.lines().filter(is_compared);
        let reported: Vec<&str> = all.map(|line| line.strip_prefix("warning: ").unwrap_or(line)).collect();
        assert_eq!(reported, lines);
    }
}

/// The numbers that are not zero.
fn numbers(all: &Value) -> Value {
    let all = all.as_object().unwrap();
    all.iter().filter(|(_, number)| **number != 0).map(|(name, number)| (name.clone(), number.clone())).collect()
}

/// Asserts that each record is counted once.
#[track_caller]
pub(crate) fn whole(report: &Value) {
    let sum = |names: &[&str]| names.iter().map(|name| report["records"][name].as_u64().unwrap()).sum::<u64>();
    let parts = ["put_before", "failed_again", "uncertain", "not_selected", "corrupt", "corrupt_before"];
    assert_eq!(sum(&["found"]), sum(&["selected"]) + sum(&parts), "{report:#}");
    let ends = if report["dry_run"] == true { sum(&["selected"]) } else { sum(&["put", "left", "uncertain_now"]) };
    assert_eq!(sum(&["selected"]), ends, "{report:#}");
    for by in ["selected_by_error_code", "selected_by_age", "selected_by_function"] {
        let counts = report[by].as_object().unwrap().values();
        assert_eq!(counts.map(|count| count.as_u64().unwrap()).sum::<u64>(), sum(&["selected"]), "{by}: {report:#}");
    }
}

/// A line of an error object, with its end.
pub(crate) fn line(data: impl AsRef<[u8]>, code: &str, arrival_ms: u64) -> String {
    let line = json!({
        "attemptsMade": 4, "arrivalTimestamp": arrival_ms, "errorCode": code, "errorMessage": "It failed.",
        "attemptEndingTimestamp": arrival_ms + 60_000, "rawData": STANDARD.encode(data), "lambdaARN": "arn:f",
    });
    format!("{line}\n")
}

/// A line of a record that failed long ago.
pub(crate) fn old(data: impl AsRef<[u8]>) -> String {
    line(data, "Lambda.FunctionError", LONG_AGO)
}

/// A line of a record that arrived now.
pub(crate) fn new(data: impl AsRef<[u8]>) -> String {
    line(data, "Lambda.FunctionError", now_ms())
}

/// Lines that failed long ago.
pub(crate) fn all(records: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    records.into_iter().map(old).collect()
}

/// Numbered records.
pub(crate) fn numbered(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("record {number:05}")).collect()
}

/// Counts of records.
pub(crate) fn each(records: impl IntoIterator<Item = impl Into<String>>, times: usize) -> BTreeMap<String, usize> {
    records.into_iter().map(|record| (record.into(), times)).collect()
}

pub(crate) fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

pub(crate) fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// The files of a folder with their bytes.
pub(crate) fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = files(folder);
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}
