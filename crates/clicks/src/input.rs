//! The files of a replay, whose kind is detected by their content.
//!
//! A file is a stream of JSON values with white space or nothing between them: lines of JSON, JSON over several lines, or a source
//! backup, in which Firehose concatenates records without a delimiter. One value is one record or event, because the end of a record
//! that is not JSON is unknown.
//!
//! | kind | the first JSON object |
//! |---|---|
//! | Firehose events | one with `records` |
//! | error objects | one with a text as `rawData` |
//! | clicks | any other; whatever the other values are, they are data for the function to validate |
//!
//! Each may be gzipped, and may start with a UTF-8 byte order mark. Values are streamed, so a file may be larger than the memory.

mod contents;

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use self::contents::{Contents, Item};

use runtime_api::MAX_EVENT_BYTES;

use crate::error::UsageError;
use firehose_model::event::EventError;
use firehose_model::source::SourceType;

const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;

const ACCEPTED: &str = "accepted are Firehose events (JSON objects with `records`), Firehose error objects (JSON objects with \
                        `rawData`) and clicks or a source backup (other JSON objects), each also gzipped";

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// Bytes between values, a value that is cut off, or text that is not UTF-8.
    #[error("found what is not JSON")]
    NotJson,
    #[error("found a line or a value of more than {MAX_VALUE_BYTES} bytes")]
    TooLong,
    #[error("found a value that is not a Firehose event, as the file's first object is")]
    NotAnEvent,
    #[error("found {0}")]
    Event(EventError),
    #[error("found a value without a text as `rawData`, which the file's first object has")]
    NoErrorRecord,
    #[error("found a record of {bytes} bytes; {source_type} accepts at most {}{}", source_type.max_record_bytes(), hint(*source_type))]
    RecordTooLarge { bytes: usize, source_type: SourceType },
    #[error("records[{index}]: found a record of {bytes} bytes; {source_type} accepts at most {}", source_type.max_record_bytes())]
    RecordOfEventTooLarge { index: u64, bytes: usize, source_type: SourceType },
    #[error(
        "found a record of {bytes} bytes, which fits no event: Lambda accepts at most {MAX_EVENT_BYTES}, base64 included"
    )]
    FitsNoEvent { bytes: usize },
    #[error("found an event of {bytes} bytes; Lambda accepts at most {MAX_EVENT_BYTES}")]
    EventTooLarge { bytes: usize },
}

fn hint(source_type: SourceType) -> String {
    let kinesis = format!(" (`--source kinesis`: {})", SourceType::Kinesis.max_record_bytes());
    if source_type == SourceType::DirectPut { kinesis } else { String::new() }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) name: String,
    pub(crate) line: u64,
    /// Counted from zero, after decompression. That of the event, for a record of an event.
    pub(crate) offset: u64,
    pub(crate) problem: Unusable,
    pub(crate) content: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    File(PathBuf),
    Stdin,
}

impl Input {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// None for standard input and a named pipe.
    pub(crate) fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len()),
            Self::Stdin => None,
        }
    }
}

/// In the paths' order. The files of a folder are sorted by name, recursively, without hidden files.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<Input>, UsageError> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input::Stdin);
            continue;
        }
        let metadata = fs::metadata(path).map_err(|error| unreadable(path.display(), &error))?;
        if !metadata.is_dir() {
            inputs.push(Input::File(path.clone()));
            continue;
        }
        let before = inputs.len();
        walk(path, &mut inputs).map_err(|error| unreadable(path.display(), &error))?;
        if inputs.len() == before {
            let name = path.display();
            return Err(UsageError(format!("{name}: found no file in this folder; {ACCEPTED}")));
        }
    }
    Ok(inputs)
}

fn walk(folder: &Path, inputs: &mut Vec<Input>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Without links to folders, which may be circular.
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), inputs)?;
        } else if entry.path().is_file() {
            inputs.push(Input::File(entry.path()));
        }
    }
    Ok(())
}

fn unreadable(name: impl Display, error: &io::Error) -> UsageError {
    UsageError(format!("could not read {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_in_order_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["b.json", "a/2.json", "a/10.json", ".hidden", ".git/x", "a/.keep"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        let found = find(&["-".into(), folder.path().join("b.json"), folder.path().into()]).unwrap();
        let file = |name| Input::File(folder.path().join(name));
        assert_eq!(found, [Input::Stdin, file("b.json"), file("a/10.json"), file("a/2.json"), file("b.json")]);
    }

    #[test]
    fn links_to_folders_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/clicks"), "{}").unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("a/loop")).unwrap();
        std::os::unix::fs::symlink("a/clicks", folder.path().join("link")).unwrap();
        let file = |name| Input::File(folder.path().join(name));
        assert_eq!(find(&[folder.path().into()]).unwrap(), [file("a/clicks"), file("link")]);
    }

    #[test]
    fn nothing_to_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(&[folder.path().into()]).unwrap_err().to_string();
        assert!(error.contains(": found no file in this folder; accepted are Firehose events"), "{error}");
        let error = find(&["no/such".into()]).unwrap_err().to_string();
        assert_eq!(error, "could not read no/such: No such file or directory (os error 2)");
    }
}
