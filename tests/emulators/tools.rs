//! The commands of the tests.

use std::env;
use std::ffi::OsStr;
use std::iter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tokio::time::timeout;

use crate::process::LIMIT;

/// Variables that `cargo test` sets. With another package's name or version, cargo would rebuild ring.
const OF_CARGO_TEST: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// A command in the workspace's root, with the environment of a terminal and the tools on the `PATH`.
fn command(program: impl AsRef<Path>) -> Command {
    let mut command = test_support::command(program.as_ref());
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in env::vars_os() {
        if OF_CARGO_TEST.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let path = [venv().join("bin"), lambda_tools()].into_iter().chain(env::split_paths(&path));
    command.env("PATH", env::join_paths(path).unwrap());
    command
}

/// `cargo lambda` with arguments, as cargo runs it.
pub(crate) fn cargo_lambda<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = command(present(lambda_tools().join("cargo-lambda")));
    let cargo = test_support::builds_functions(&mut command);
    command.env("CARGO", cargo).arg("lambda").args(arguments);
    command
}

/// AWS's Runtime Interface Emulator. The SAM CLI contains one for each architecture.
pub(crate) fn rie() -> Command {
    let architecture = if env::consts::ARCH == "aarch64" { "arm64" } else { env::consts::ARCH };
    let name = format!("site-packages/samcli/local/rapid/aws-lambda-rie-{architecture}");
    let pythons = venv().join("lib").read_dir().into_iter().flatten();
    let mut candidates = pythons.map(|python| python.unwrap().path().join(&name)).filter(|path| path.exists());
    command(candidates.next().unwrap_or_else(|| present(venv().join("lib/python3*").join(&name))))
}

/// moto's server of every API of AWS.
pub(crate) fn moto_server(address: SocketAddr) -> Command {
    let mut command = command(present(venv().join("bin/moto_server")));
    command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command
}

fn venv() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv")
}

fn lambda_tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv-lambda/bin")
}

#[track_caller]
fn present(tool: PathBuf) -> PathBuf {
    assert!(tool.exists(), "{} is missing: run `make tools`", tool.display());
    tool
}

/// A command without its environment.
pub(crate) fn words(command: &Command) -> String {
    let words: Vec<_> =
        iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// Runs a command until it exits.
pub(crate) async fn output(command: Command) -> Output {
    let what = words(&command);
    let mut command = tokio::process::Command::from(command);
    let output = timeout(LIMIT, command.kill_on_drop(true).output()).await;
    output.unwrap_or_else(|_| panic!("{what} did not end")).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Runs a command that must succeed; returns its standard output.
pub(crate) async fn stdout(command: Command) -> Vec<u8> {
    let what = words(&command);
    let output = output(command).await;
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
