//! `clicks replay` in a temporary folder.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::exit::Exit;
use crate::files::files;
use crate::{clicks_command, stand_in};

/// A folder with inputs in `in/` and objects in `out/`.
#[derive(Debug)]
pub struct Replay {
    /// The folder.
    pub folder: TempDir,
}

impl Replay {
    /// A folder with these inputs, as name and content.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let replay = Self { folder: tempfile::tempdir().unwrap() };
        for (name, content) in files {
            let path = replay.folder.path().join("in").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        replay
    }

    /// The folder of the objects.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// `clicks replay` with these arguments only, and without configuration in its environment.
    #[must_use]
    pub fn bare_command(&self, arguments: &[&str]) -> Command {
        let mut command = clicks_command();
        command.current_dir(self.folder.path()).arg("replay").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `clicks replay` with the stand-in function, and a service that does not exist.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(&["--json", "--service", "http://127.0.0.1:9/prod/", "--out", "out"]);
        command.args(["--function", &stand_in()]).args(arguments);
        command
    }

    /// Runs [`Replay::command`].
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Exit {
        Exit::from(self.command(arguments).output().unwrap())
    }

    /// The number of objects under a prefix, and their content.
    #[must_use]
    pub fn objects(&self, prefix: &str) -> (usize, String) {
        let objects = files(&self.out().join(prefix));
        (objects.len(), objects.iter().map(|path| fs::read_to_string(path).unwrap()).collect())
    }

    /// The delivered lines.
    #[must_use]
    pub fn delivered(&self) -> String {
        self.objects("firehose").1
    }

    /// The lines of the error objects.
    #[must_use]
    pub fn errors(&self) -> Vec<Value> {
        let (_, lines) = self.objects("errors/processing-failed");
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The function's log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.out().join("function.log")).unwrap()
    }

    /// The events that the function received, each as its invocation id and its record ids.
    #[must_use]
    pub fn events(&self) -> Vec<(String, String)> {
        let log = self.log();
        let events = log.lines().filter_map(|line| line.strip_prefix("event "));
        events.map(|event| event.split_once(' ').unwrap()).map(|(id, records)| (id.into(), records.into())).collect()
    }
}
