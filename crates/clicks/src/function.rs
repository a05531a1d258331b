//! The function that is run: which executable, and what it finds in its environment.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde::Deserialize;

/// The processor's package in this workspace.
const PACKAGE: &str = "click-processor";

/// The configuration that the function inherits, besides `MYSFITS_*` and `ON_*`.
const INHERITED: [&str; 5] =
    ["MYSFIT_ATTRIBUTES", "CLICK_FIELDS", "RECORD_FIELDS", "PARTITION_KEYS", "AWS_LAMBDA_LOG_LEVEL"];

/// Why there is no executable.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
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

/// Builds the processor as it is released, and tells where it is. Cargo shows its progress on standard error where that is
/// a terminal, and its errors in any case.
pub fn build() -> Result<PathBuf, BuildError> {
    let workspace = workspace();
    if !workspace.join("Cargo.toml").is_file() {
        return Err(BuildError::NoWorkspace(workspace));
    }
    let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(&cargo);
    command.args(["build", "--release", "--package", PACKAGE, "--message-format", "json-render-diagnostics"]);
    if !io::stderr().is_terminal() {
        command.arg("--quiet");
    }
    let output = command.current_dir(workspace).stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| BuildError::Cargo { cargo, source })?;
    if !output.status.success() {
        return Err(BuildError::Failed(output.status));
    }
    executable(&output.stdout).ok_or(BuildError::NoExecutable)
}

/// Where this crate's sources are: as cargo says when it runs `clicks`, or else where it was built.
fn workspace() -> PathBuf {
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

/// The variables of the caller's environment that configure the function.
pub fn inherited(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    let text = |(key, value): (OsString, OsString)| Some((key.into_string().ok()?, value.into_string().ok()?));
    let configures = |key: &str| key.starts_with("MYSFITS_") || key.starts_with("ON_") || INHERITED.contains(&key);
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
        let vars =
            ["MYSFITS_API_URL", "ON_UNKNOWN_MYSFIT", "CLICK_FIELDS", "HOME", "AWS_SECRET_ACCESS_KEY", "XMYSFITS_"];
        let inherited = inherited(vars.map(|key| (key.into(), "x".into())));
        let keys: Vec<&str> = inherited.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["MYSFITS_API_URL", "ON_UNKNOWN_MYSFIT", "CLICK_FIELDS"]);
    }

    #[test]
    fn the_sources_are_found() {
        assert!(workspace().join("Cargo.toml").is_file());
    }
}
