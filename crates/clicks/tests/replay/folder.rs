//! A replay in a folder of its own, and how it ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use test_support::PATIENCE;
pub(crate) use test_support::until;

/// The executable that is run in the processor's place.
pub(crate) const STAND_IN: &str = env!("CARGO_BIN_EXE_stand-in-function");

/// A folder with inputs in `in/`, and the objects in `out/`.
pub(crate) struct Replay {
    pub(crate) folder: TempDir,
}

impl Replay {
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let replay = Self { folder: tempfile::tempdir().unwrap() };
        for (name, content) in files {
            let path = replay.folder.path().join("in").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        replay
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// With nothing but these arguments, and no configuration from outside.
    pub(crate) fn bare_command(&self, arguments: &[&str]) -> Command {
        let mut command = test_support::command(env!("CARGO_BIN_EXE_clicks"));
        for (key, _) in std::env::vars_os() {
            let key = key.to_string_lossy().into_owned();
            if ["MYSFIT", "ON_", "CLICK_FIELDS", "RECORD_FIELDS", "PARTITION_KEYS", "SSL_CERT_FILE"]
                .iter()
                .any(|prefix| key.starts_with(prefix))
            {
                command.env_remove(key);
            }
        }
        command.current_dir(self.folder.path()).arg("replay").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// With the stand-in, and a service that nobody asks.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(&["--json", "--service", "http://127.0.0.1:9/prod/", "--out", "out"]);
        command.args(["--function", STAND_IN]).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    /// The objects under a folder of the output, joined.
    pub(crate) fn objects(&self, prefix: &str) -> (usize, String) {
        let mut objects = Vec::new();
        files(&self.out().join(prefix), &mut objects);
        (objects.len(), objects.iter().map(|path| fs::read_to_string(path).unwrap()).collect())
    }

    pub(crate) fn delivered(&self) -> String {
        self.objects("firehose").1
    }

    pub(crate) fn errors(&self) -> Vec<Value> {
        let (_, lines) = self.objects("errors/processing-failed");
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.out().join("function.log")).unwrap()
    }

    /// The events that the function got: invocation and record ids.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let log = self.log();
        let events = log.lines().filter_map(|line| line.strip_prefix("event "));
        events.map(|event| event.split_once(' ').unwrap()).map(|(id, records)| (id.into(), records.into())).collect()
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Sends a signal to a running replay, and waits for its end.
#[track_caller]
pub(crate) fn end_with(signal: &str, child: Child) -> Ended {
    test_support::signal(signal, child.id());
    end_of(child)
}

/// Waits for the end of a replay, and kills it when it doesn't come.
pub(crate) fn end_of(mut child: Child) -> Ended {
    let patience = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    Ended::from(child.wait_with_output().unwrap())
}

pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).expect(&self.stderr)
    }

    /// Ends with a code and a message, and without a report.
    #[track_caller]
    pub(crate) fn refuses(&self, code: i32, message: &str) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stderr.contains(message), "{}", self.stderr);
        assert_eq!(self.stdout, "");
    }
}
