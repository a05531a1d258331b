//! The function that is run: which executable, and what it finds in its environment.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use serde::Deserialize;
use tokio::process::Command;

use crate::progress;

/// The processor's package in this workspace.
const PACKAGE: &str = "click-processor";

/// The variable with the mysfits service's base URL, which the commands set themselves.
pub(crate) const SERVICE_URL: &str = "MYSFITS_API_URL";

/// The configuration that the function inherits, besides `MYSFITS_*` and `ON_*`.
const INHERITED: [&str; 6] =
    ["MYSFIT_ATTRIBUTES", "CLICK_FIELDS", "RECORD_FIELDS", "PARTITION_KEYS", "AWS_LAMBDA_LOG_LEVEL", "SSL_CERT_FILE"];

/// The variables by which `cargo run` tells a program of its own package. Build scripts would be run again for them, and all
/// that depends on them be built again, each time that `clicks` and somebody else build in turn.
const OF_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// Why there is no executable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessorError {
    /// A path that leads nowhere, to a folder, or to a file that may not be run.
    #[error("`--function {}` is not an executable file", .0.display())]
    NotExecutable(PathBuf),
    /// `clicks` was moved away from its sources.
    #[error("the sources of {PACKAGE} are not in {} any more: name its executable with `--function PATH`", .0.display())]
    NoWorkspace(PathBuf),
    /// Cargo could not be run.
    #[error("could not run {} to build {PACKAGE}; name its executable with `--function PATH`", cargo.display())]
    Cargo {
        /// The command.
        cargo: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Cargo said why, above.
    #[error("could not build {PACKAGE} ({0})")]
    Failed(ExitStatus),
    /// The package has no binary.
    #[error("the build of {PACKAGE} made no executable")]
    NoExecutable,
}

/// An executable that somebody named, wherever the function will be started.
pub(crate) fn named(path: &Path) -> Result<PathBuf, ProcessorError> {
    let refused = || ProcessorError::NotExecutable(path.to_owned());
    let metadata = fs::metadata(path).map_err(|_| refused())?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(refused());
    }
    std::path::absolute(path).map_err(|_| refused())
}

/// Builds the processor as it is released, and tells where it is. Cargo shows its progress on standard error where that is
/// a terminal, and its errors in any case. Dropping the future kills cargo.
pub(crate) async fn build() -> Result<PathBuf, ProcessorError> {
    let workspace = workspace();
    if !workspace.join("Cargo.toml").is_file() {
        return Err(ProcessorError::NoWorkspace(workspace));
    }
    let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(&cargo);
    command.args(["build", "--release", "--locked", "--package", PACKAGE]);
    command.args(["--message-format", "json-render-diagnostics"]);
    for (key, _) in env::vars_os() {
        if OF_PACKAGE.iter().any(|prefix| key.to_string_lossy().starts_with(prefix)) {
            command.env_remove(key);
        }
    }
    if !io::stderr().is_terminal() {
        // It may take minutes.
        progress::print(&format!("building {PACKAGE} (release)…"));
        command.arg("--quiet");
    }
    command.current_dir(workspace).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = command.output().await.map_err(|source| ProcessorError::Cargo { cargo, source })?;
    if !output.status.success() {
        return Err(ProcessorError::Failed(output.status));
    }
    executable(&output.stdout).ok_or(ProcessorError::NoExecutable)
}

/// Where this crate's sources are: as cargo says when it runs `clicks`, or else where it was built.
pub(crate) fn workspace() -> PathBuf {
    let built = || OsString::from(env!("CARGO_MANIFEST_DIR"));
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built));
    package.ancestors().nth(2).map_or_else(|| package.clone(), Path::to_path_buf)
}

/// The one executable in cargo's messages.
fn executable(messages: &[u8]) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
    }
    let messages = messages.split(|byte| *byte == b'\n');
    messages.filter_map(|line| serde_json::from_slice::<Message>(line).ok()?.executable).next_back()
}

/// What `--service` accepts.
pub(crate) fn service_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or(text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("accepted is a URL with http:// or https://".to_owned()),
    }
}

/// What `--env` accepts.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((SERVICE_URL, _)) => Err("the service is named with `--service URL`".to_owned()),
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("accepted is KEY=VALUE".to_owned()),
    }
}

/// The variables of the caller's environment that configure the function.
pub(crate) fn inherited(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    let text = |(key, value): (OsString, OsString)| Some((key.into_string().ok()?, value.into_string().ok()?));
    let configures = |key: &str| {
        key != SERVICE_URL && (key.starts_with("MYSFITS_") || key.starts_with("ON_") || INHERITED.contains(&key))
    };
    vars.into_iter().filter_map(text).filter(|(key, _)| configures(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_in_cargos_messages() {
        let messages = br#"{"reason":"compiler-artifact","target":{"kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"]},"executable":"target/release/click-processor"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(messages), Some("target/release/click-processor".into()));
        assert_eq!(executable(b"{}\nnot JSON\n"), None);
    }

    #[test]
    fn only_configuration_is_inherited() {
        let vars = [
            "MYSFITS_API_URL",
            "MYSFITS_API_KEY",
            "ON_UNKNOWN_MYSFIT",
            "CLICK_FIELDS",
            "SSL_CERT_FILE",
            "HOME",
            "AWS_SECRET_ACCESS_KEY",
            "XMYSFITS_",
        ];
        let inherited = inherited(vars.map(|key| (key.into(), "x".into())));
        let keys: Vec<&str> = inherited.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["MYSFITS_API_KEY", "ON_UNKNOWN_MYSFIT", "CLICK_FIELDS", "SSL_CERT_FILE"]);
    }

    #[test]
    fn the_sources_are_found() {
        assert!(workspace().join("Cargo.toml").is_file());
    }
}
