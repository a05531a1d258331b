//! The log of the functions: one file, and optionally the terminal.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use firehose_model::excerpt::excerpt;

/// A log file that each run appends to.
#[derive(Debug)]
pub struct FunctionLog {
    file: Mutex<File>,
    shown: bool,
}

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("could not open {} (`--function-log`)", .0.display())]
pub struct FunctionLogError(PathBuf, #[source] io::Error);

impl FunctionLog {
    /// Opens the file, or creates it with its folder. `shown`: lines are reported through `tracing`, too.
    pub fn open(path: &Path, shown: bool) -> Result<Self, FunctionLogError> {
        let opened = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            File::options().append(true).create(true).open(path)
        };
        let file = opened().map_err(|source| FunctionLogError(path.to_owned(), source))?;
        Ok(Self { file: Mutex::new(file), shown })
    }

    /// Appends the lines of one invocation.
    pub fn write(&self, lines: &[String]) {
        if self.shown {
            for line in lines {
                tracing::info!("{}", excerpt(line, usize::MAX));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn every_run_appends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/function.log");
        for _run in 0..2 {
            let log = FunctionLog::open(&path, false).unwrap();
            log.write(&lines(&["one", "two"]));
            log.write(&[]);
            // The file has lines as they were written.
            log.write(&lines(&["\u{1b}[31mthree", ""]));
        }
        assert_eq!(fs::read_to_string(path).unwrap(), "one\ntwo\n\u{1b}[31mthree\n\n".repeat(2));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_reported_with_its_option() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.join("function.log"), folder.path().to_owned()] {
            let error = FunctionLog::open(&path, false).unwrap_err();
            assert_eq!(error.to_string(), format!("could not open {} (`--function-log`)", path.display()));
            assert!(std::error::Error::source(&error).is_some());
        }
    }
}
