//! Embeds the pages, and gives a release build's version its commit.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(io::Error::other);
    let workspace = fs::canonicalize(Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../.."))?;

    let web = workspace.join("web");
    println!("cargo::rerun-if-changed={}", web.display());
    fs::write(Path::new(&variable("OUT_DIR")?).join("pages.rs"), embedded(&web)?)?;

    // For packages that are built without Git.
    println!("cargo::rerun-if-env-changed=CLICKS_COMMIT");
    let commit = match env::var("CLICKS_COMMIT") {
        Ok(commit) => Some(commit).filter(|commit| !commit.is_empty()),
        // A debug build has none: each commit would build it, and all of its tests, again.
        Err(_) if variable("PROFILE")? == "release" => commit(&workspace),
        Err(_) => None,
    };
    let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    println!("cargo::rustc-env=CLICKS_VERSION={}{commit}", variable("CARGO_PKG_VERSION")?);
    Ok(())
}

/// A constant with the path and the contents of each file. The compiler reads them again when they change.
fn embedded(folder: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    add_files(folder, &mut files)?;
    files.sort();
    let mut code = String::from("const FILES: &[(&str, &[u8])] = &[\n");
    for file in files {
        let text = |path: &Path| path.to_str().map(ToOwned::to_owned).ok_or(io::ErrorKind::InvalidFilename);
        let (name, file) = (text(file.strip_prefix(folder).map_err(io::Error::other)?)?, text(&file)?);
        writeln!(code, "    ({name:?}, include_bytes!({file:?})),").map_err(io::Error::other)?;
    }
    Ok(code + "];\n")
}

/// Without hidden files, as of editors.
fn add_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            add_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Hash and date of the commit, if the workspace is a Git checkout. Its sources may also be in another project's.
pub(crate) fn commit(workspace: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(workspace).env("TZ", "UTC").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        Some(text).filter(|text| output.status.success() && !text.is_empty())
    };
    if fs::canonicalize(git(&["rev-parse", "--show-toplevel"])?).ok()? != workspace {
        return None;
    }
    // A commit changes the log only, and a checkout both.
    for name in ["HEAD", "logs/HEAD"] {
        let path = workspace.join(git(&["rev-parse", "--git-path", name])?);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(&["log", "-1", "--no-show-signature", "--date=format-local:%Y-%m-%d", "--format=%h %cd"])
}
