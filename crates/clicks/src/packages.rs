//! The functions of this project: how they are built or found, and which variables they inherit.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// In a checkout it is built with the profile `dev`, because optimising its dependencies takes minutes.
#[derive(Clone, Copy)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    option: &'static str,
}

pub(crate) const PROCESSOR: Package = Package { name: "click-processor", option: "--function COMMAND" };

pub(crate) const COLLECTOR: Package = Package { name: "click-collector", option: "--collector COMMAND" };

/// The names of the variable with the service's base URL. `clicks` sets both: module 5's functions read the first one.
const SERVICE_URLS: [&str; 2] = ["MYSFITS_API_URL", "LOOKUP_API_URL"];

pub(crate) fn of_service(url: &str) -> [(String, String); 2] {
    SERVICE_URLS.map(|name| (name.to_owned(), url.to_owned()))
}

pub(crate) const COLLECTOR_STREAM: &str = "COLLECTOR_STREAM";

pub(crate) const INHERITED: [&str; 6] =
    ["EVENT_FIELDS", "REQUIRED_FIELDS", "RECORD_FIELDS", "PARTITION_KEYS", "AWS_LAMBDA_LOG_LEVEL", "SSL_CERT_FILE"];

/// What `cargo run` sets for its package. With these, cargo would rebuild dependents of build scripts after a build without them.
const OF_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

pub(crate) fn executable_at(path: &Path) -> Option<PathBuf> {
    let metadata = fs::metadata(path).ok()?;
    let is_executable = metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    std::path::absolute(path).ok().filter(|_| is_executable)
}

/// In a checkout it is built. Otherwise it is found as the archive of a release and `cargo install` leave it. Dropping the future kills
/// cargo.
pub(crate) async fn executable_of(package: Package) -> anyhow::Result<PathBuf> {
    match workspace() {
        Some(workspace) => build(package, &workspace).await,
        None => installed(package, &env::current_exe()?, &env::var_os("PATH").unwrap_or_default()),
    }
}

/// Beside `clicks`, or in PATH.
fn installed(Package { name, option }: Package, clicks: &Path, path: &OsStr) -> anyhow::Result<PathBuf> {
    let beside = clicks.with_file_name(name);
    let found = executable_at(&beside).or_else(|| in_path(name, path));
    found.with_context(|| {
        let beside = beside.display();
        format!(
            "no executable {name}: found none at {beside} or in PATH; put the one of the release's archive there, give another one with \
             `{option}`, or run `cargo clicks` in a clone, which builds it"
        )
    })
}

pub(crate) fn in_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path).find_map(|folder| executable_at(&folder.join(name)))
}

async fn build(Package { name, option }: Package, workspace: &Path) -> anyhow::Result<PathBuf> {
    let mut command = cargo("build", name);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.current_dir(workspace).stdin(Stdio::null()).stderr(Stdio::inherit());
    let program = command.get_program().display().to_string();
    let output = tokio::process::Command::from(command).kill_on_drop(true).output().await;
    let output = output
        .with_context(|| format!("could not run {program} to build {name}; give its executable with `{option}`"))?;
    // Cargo has printed why.
    ensure!(output.status.success(), "could not build {name} ({})", output.status);
    executable(&output.stdout).with_context(|| format!("the build of {name} made no executable"))
}

/// The cargo that runs this executable, if any. Without a terminal, one line replaces its progress: a build may take minutes.
pub(crate) fn cargo(subcommand: &str, package: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([subcommand, "--locked", "--package", package]);
    if !io::stderr().is_terminal() {
        tracing::info!("building {package}…");
        command.arg("--quiet");
    }
    for (key, _) in env::vars_os() {
        if OF_PACKAGE.iter().any(|prefix| key.to_string_lossy().starts_with(prefix)) {
            command.env_remove(key);
        }
    }
    command
}

/// The folder of the workspace, if cargo runs `clicks` or its test there, or if the executable is in it. An installed `clicks` has none,
/// also where the sources that it was built from still exist.
pub(crate) fn workspace() -> Option<PathBuf> {
    let of_cargo = env::var_os("CARGO_MANIFEST_DIR").and_then(|package| workspace_of(Path::new(&package)));
    of_cargo.or_else(|| {
        let built = workspace_of(Path::new(env!("CARGO_MANIFEST_DIR")))?;
        env::current_exe().ok()?.starts_with(fs::canonicalize(&built).ok()?).then_some(built)
    })
}

/// None for another package: a test of any project may run an installed `clicks`.
fn workspace_of(package: &Path) -> Option<PathBuf> {
    let workspace = package.ancestors().nth(2)?;
    let is_this_one = package.ends_with("crates/clicks") && workspace.join("Cargo.toml").is_file();
    is_this_one.then(|| workspace.to_owned())
}

fn executable(messages: &[u8]) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
    }
    let messages = messages.split(|byte| *byte == b'\n');
    messages.filter_map(|line| serde_json::from_slice::<Message>(line).ok()?.executable).next_back()
}

pub(crate) fn variable_of_processor(text: &str) -> Result<(String, String), String> {
    variable(text, &SERVICE_URLS, "set the service with `--service URL`")
}

pub(crate) fn variable_of_collector(text: &str) -> Result<(String, String), String> {
    variable(text, &[COLLECTOR_STREAM], "set the stream with `--collector-stream NAME`")
}

pub(crate) fn variable_of_function(text: &str) -> Result<(String, String), String> {
    variable(text, &[], "")
}

fn variable(text: &str, set_by_option: &[&str], instead: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        None | Some(("", _)) => Err("accepted is KEY=VALUE".to_owned()),
        Some((key, _)) if set_by_option.contains(&key) => Err(instead.to_owned()),
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
    }
}

pub(crate) fn inherited(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    filtered(vars, |key| {
        let is_configuration = key.starts_with("LOOKUP_") || key.starts_with("ON_") || INHERITED.contains(&key);
        is_configuration && !SERVICE_URLS.contains(&key)
    })
}

pub(crate) fn inherited_by_collector(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    filtered(vars, |key| key != COLLECTOR_STREAM && (key.starts_with("COLLECTOR_") || key == "AWS_LAMBDA_LOG_LEVEL"))
}

fn filtered(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    configures: impl Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let text = |(key, value): (OsString, OsString)| Some((key.into_string().ok()?, value.into_string().ok()?));
    vars.into_iter().filter_map(text).filter(|(key, _)| configures(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_in_the_messages_of_cargo() {
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
            "LOOKUP_API_URL",
            "LOOKUP_KEY",
            "ON_UNKNOWN_KEY",
            "EVENT_FIELDS",
            "REQUIRED_FIELDS",
            "SSL_CERT_FILE",
            "HOME",
            "AWS_SECRET_ACCESS_KEY",
            "XLOOKUP_",
        ];
        let inherited = inherited(vars.map(|key| (key.into(), "x".into())));
        let keys: Vec<&str> = inherited.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["LOOKUP_KEY", "ON_UNKNOWN_KEY", "EVENT_FIELDS", "REQUIRED_FIELDS", "SSL_CERT_FILE"]);
    }

    #[test]
    fn the_collector_inherits_its_own_configuration() {
        let vars = ["COLLECTOR_STREAM", "COLLECTOR_MASK_FIELDS", "AWS_LAMBDA_LOG_LEVEL", "LOOKUP_KEY", "HOME"];
        let inherited = inherited_by_collector(vars.map(|key| (key.into(), "x".into())));
        let keys: Vec<&str> = inherited.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["COLLECTOR_MASK_FIELDS", "AWS_LAMBDA_LOG_LEVEL"]);
    }

    #[test]
    fn the_workspace_is_that_of_this_package() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = workspace_of(package).unwrap();
        assert!(found.join("web").is_dir());
        for other in [found.join("crates/redrive"), found.clone(), "/nonexistent/crates/clicks".into(), "/".into()] {
            assert_eq!(workspace_of(&other), None, "{}", other.display());
        }
    }

    #[test]
    fn an_installed_function_is_beside_clicks_or_in_path() {
        let folder = tempfile::tempdir().unwrap();
        let bin = |name: &str| folder.path().join(name);
        let add = |path: &Path| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let path = env::join_paths([bin("none"), bin("path")]).unwrap();
        let find = || installed(PROCESSOR, &bin("clicks/clicks"), &path);
        let error = find().unwrap_err().to_string();
        assert!(
            error.contains(&format!("found none at {} or in PATH", bin("clicks/click-processor").display())),
            "{error}"
        );
        assert!(error.contains("`--function COMMAND`"), "{error}");
        for place in ["path/click-processor", "clicks/click-processor"] {
            add(&bin(place));
            assert_eq!(find().unwrap(), bin(place));
        }
    }
}
