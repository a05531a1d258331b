//! The processes of a pipeline's functions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::until_or;

/// The ids of a process' children.
pub(crate) fn children(process: u32) -> Vec<String> {
    let children = Command::new("pgrep").args(["-P", &process.to_string()]).output().unwrap().stdout;
    String::from_utf8(children).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// Sends a signal to all functions, and returns how many received it.
pub(crate) fn signal_children(process: u32, signal: &str) -> usize {
    // One may have exited.
    let reached = |child: &String| Command::new("kill").args([signal, child]).status().unwrap().success();
    children(process).iter().filter(|child| reached(child)).count()
}

/// Waits until no process of a killed pipeline is left.
#[track_caller]
pub(crate) fn nothing_runs_in(folder: &Path) {
    until_or(|| processes_in(folder).is_empty(), || format!("{:?}", processes_in(folder)));
}

/// By the working directory. Without `/proc`, there are none.
fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let folder = folder.canonicalize().unwrap();
    let processes = fs::read_dir("/proc").into_iter().flatten().map(|process| process.unwrap().path());
    processes.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder)).collect()
}
