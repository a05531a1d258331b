//! `clicks --version`.

use std::fs;
use std::path::Path;
use std::process::Command;

use test_support::clicks_command;
use test_support::exit::Exit;

#[expect(dead_code, reason = "the test calls a part of the build script")]
#[path = "../../build.rs"]
mod build;

#[track_caller]
fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    let (name, date) = ("a", "2026-11-30T23:30:00-05:00");
    for (variable, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", name),
        ("GIT_AUTHOR_EMAIL", name),
        ("GIT_COMMITTER_NAME", name),
        ("GIT_COMMITTER_EMAIL", name),
        ("GIT_AUTHOR_DATE", date),
        ("GIT_COMMITTER_DATE", date),
    ] {
        command.env(variable, value);
    }
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_commit_is_that_of_the_sources_own_repository() {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    assert_eq!(build::commit(&path), None);
    git(&path, &["init", "--quiet"]);
    assert_eq!(build::commit(&path), None);
    git(&path, &["commit", "--quiet", "--allow-empty", "--message", "first"]);
    let hash = git(&path, &["rev-parse", "--short", "HEAD"]);
    assert_eq!(build::commit(&path), Some(format!("{hash} 2026-12-01")));
    // Unpacked in another project's repository.
    let inner = path.join("vendor");
    fs::create_dir(&inner).unwrap();
    assert_eq!(build::commit(&inner), None);
}

#[test]
fn the_version_is_printed() {
    let exit = Exit::from(clicks_command().arg("--version").output().unwrap());
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(0), concat!("clicks ", env!("CLICKS_VERSION"), "\n")));
    assert!(exit.stdout.starts_with(concat!("clicks ", env!("CARGO_PKG_VERSION"))), "{}", exit.stdout);
}
