//! What the functions write, in one file, and on the terminal where somebody wants to see it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::excerpt::excerpt;
use crate::progress;

/// The file, which every run appends to.
#[derive(Debug)]
pub(crate) struct FunctionLog {
    file: Mutex<File>,
    shown: bool,
}

/// The file can't be written.
#[derive(Debug, thiserror::Error)]
#[error("could not open {} (`--function-log`)", path.display())]
pub(crate) struct FunctionLogError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl FunctionLog {
    /// Opens the file, or makes it with its folder.
    pub(crate) fn open(path: &Path, shown: bool) -> Result<Self, FunctionLogError> {
        let opened = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            File::options().append(true).create(true).open(path)
        };
        let file = opened().map_err(|source| FunctionLogError { path: path.to_owned(), source })?;
        Ok(Self { file: Mutex::new(file), shown })
    }

    /// Appends lines, together.
    pub(super) fn write(&self, lines: &[String]) {
        if self.shown {
            for line in lines {
                progress::print(&excerpt(line, usize::MAX));
            }
        }
        if lines.is_empty() {
            return;
        }
        let text = lines.join("\n") + "\n";
        // A full disk is no reason to stop a delivery.
        let _unwritten = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes());
    }
}
