//! A running `clicks serve`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use test_support::exit::Exit;
use test_support::http::{Connection, Response};
use test_support::{PATIENCE, clicks_command, own_address};

/// Killed when it is dropped.
pub(crate) struct Serve {
    folder: PathBuf,
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Such as `http://127.0.0.1:4500`.
    pub endpoint: String,
}

/// `clicks serve` at an address of its own and a free port, unless `arguments` set them.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = clicks_command();
    command.current_dir(folder).arg("serve").stdin(Stdio::null()).stdout(Stdio::piped());
    let host = own_address().to_string();
    for (option, value) in [("--host", host.as_str()), ("--port", "0")] {
        if !arguments.contains(&option) {
            command.args([option, value]);
        }
    }
    command.args(arguments);
    command
}

/// The tests' Python.
pub(crate) fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make tools`", python.display());
    python
}

/// The folder of the clients.
pub(crate) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// A command without AWS settings of this machine.
pub(crate) fn client(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("AWS_CONFIG_FILE", "/dev/null").env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::null());
    command
}

/// Runs a command, which has to exit with 0.
#[track_caller]
pub(crate) fn succeeds(command: &mut Command) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
}

/// Runs a Python script of the clients, which has to succeed.
#[track_caller]
pub(crate) fn run_client(script: &str, arguments: &[&OsStr]) {
    succeeds(client(python()).arg(clients().join(script)).args(arguments));
}

impl Serve {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::run(folder, command(folder, arguments))
    }

    pub(crate) fn run(folder: &Path, mut command: Command) -> Self {
        let mut child = command.stderr(File::create(folder.join("stderr")).unwrap()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let endpoint = line.strip_prefix("endpoint").unwrap_or_else(|| panic!("it printed {line:?}"));
        let endpoint = endpoint.trim().to_owned();
        Self { folder: folder.to_owned(), child, stdout, endpoint }
    }

    /// Calls an operation, such as `Firehose_20150804.PutRecord`.
    pub(crate) fn call(&self, target: &str, input: &Value) -> Response {
        let headers = format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: {target}\r\n");
        Connection::open(&self.endpoint).ask("POST", "/", &headers, &input.to_string())
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        test_support::signal(signal, self.process());
    }

    /// Waits until the process exits.
    #[track_caller]
    pub(crate) fn end(&mut self) -> Exit {
        let patience = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() >= patience {
                self.child.kill().unwrap();
                panic!("it did not exit");
            }
            sleep(Duration::from_millis(10));
        }
        let code = self.child.wait().unwrap().code();
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        Exit { code, stdout, stderr: fs::read_to_string(self.folder.join("stderr")).unwrap() }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
