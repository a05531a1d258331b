//! What is replayed: files and folders, told apart by what is in them.
//!
//! | kind | the first line that is not empty |
//! |---|---|
//! | Firehose events | a JSON object with `records`: one event a line, or one event over all lines |
//! | error objects | a JSON object with `rawData`: one record a line |
//! | clicks | any other JSON object: one record a line, and whatever the later lines are, they are data for the function to judge |
//!
//! Each may be gzipped, and may start with a UTF-8 byte order mark. Lines are streamed, so a file may be larger than the memory.

mod contents;
mod kind;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use self::contents::{Contents, Item};

use runtime_api::MAX_EVENT_BYTES;

use crate::firehose::batch::MAX_RECORD_BYTES;
use crate::firehose::event::EventError;

/// The longest line, and the largest event over several lines: more than Lambda takes, in whatever way it is written.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// What is accepted, for messages.
const ACCEPTED: &str = "accepted are Firehose events (a JSON object with `records`), Firehose error objects (lines of JSON \
                        with `rawData`) and clicks as lines of JSON, each also gzipped";

/// Why something can't be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The file system refused.
    #[error("could not read {name}")]
    Read {
        /// The file, the folder, or standard input.
        name: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A folder without a file that is not hidden.
    #[error("{name}: found no file in this folder; {ACCEPTED}")]
    Empty {
        /// The folder.
        name: String,
    },
    /// Content of no known kind.
    #[error("{name}: found {found}; {ACCEPTED}")]
    Unknown {
        /// The file.
        name: String,
        /// What is in it.
        found: String,
    },
    /// A line that is not of the kind of the file's first one.
    #[error("{name}, line {line}: found {found}; accepted is {accepted}, as in the first line")]
    Line {
        /// The file.
        name: String,
        /// The line, counted from one.
        line: usize,
        /// What is in it.
        found: String,
        /// What should be.
        accepted: &'static str,
    },
    /// An object with `records` that is no event.
    #[error("{name}, line {line}: found {problem}")]
    Event {
        /// The file.
        name: String,
        /// Where it starts, counted from one.
        line: usize,
        /// What is wrong.
        problem: EventError,
    },
    /// An event that Lambda would not take.
    #[error("{name}, line {line}: found an event of {bytes} bytes; Lambda accepts at most {MAX_EVENT_BYTES}")]
    EventTooLarge {
        /// The file.
        name: String,
        /// Where it starts, counted from one.
        line: usize,
        /// Its size as it would be sent.
        bytes: usize,
    },
    /// A line that no record or event needs.
    #[error("{name}, line {line}: found a line of more than {MAX_LINE_BYTES} bytes")]
    LineTooLong {
        /// The file.
        name: String,
        /// The line, counted from one.
        line: usize,
    },
    /// Perhaps an event, but larger than any.
    #[error(
        "{name}: found JSON of more than {MAX_LINE_BYTES} bytes over several lines; an event has at most {MAX_EVENT_BYTES}, \
         the white space between its values not counted"
    )]
    JsonTooLong {
        /// The file.
        name: String,
    },
    /// A record that no producer can put.
    #[error(
        "{name}, line {line}: found a record of more than {MAX_RECORD_BYTES} bytes, which Firehose does not accept"
    )]
    RecordTooLarge {
        /// The file.
        name: String,
        /// The line, counted from one.
        line: usize,
    },
}

/// One file, or standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file, or a pipe with a name.
    File(PathBuf),
    /// `-`.
    Stdin,
}

impl Source {
    /// The name in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// The size where it is known before reading: that of a file which can be read more than once.
    pub(crate) fn bytes(&self) -> Option<u64> {
        match self {
            // A pipe has a name, too.
            Self::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len()),
            Self::Stdin => None,
        }
    }
}

/// The files of some paths, in the paths' order; those of a folder are sorted by name, recursively, and hidden ones are left
/// out.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<Source>, InputError> {
    let mut sources = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            sources.push(Source::Stdin);
            continue;
        }
        let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        if !metadata.is_dir() {
            sources.push(Source::File(path.clone()));
            continue;
        }
        let before = sources.len();
        walk(path, &mut sources).map_err(|source| unreadable(path, source))?;
        if sources.len() == before {
            return Err(InputError::Empty { name: path.display().to_string() });
        }
    }
    Ok(sources)
}

fn walk(folder: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A link to a folder is not followed, so that no walk is endless.
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), sources)?;
        } else if entry.path().is_file() {
            sources.push(Source::File(entry.path()));
        }
    }
    Ok(())
}

fn unreadable(path: &Path, source: io::Error) -> InputError {
    InputError::Read { name: path.display().to_string(), source }
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
        let file = |name| Source::File(folder.path().join(name));
        assert_eq!(found, [Source::Stdin, file("b.json"), file("a/10.json"), file("a/2.json"), file("b.json")]);
    }

    #[test]
    fn links_to_folders_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/clicks"), "{}").unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("a/loop")).unwrap();
        std::os::unix::fs::symlink("a/clicks", folder.path().join("link")).unwrap();
        let file = |name| Source::File(folder.path().join(name));
        assert_eq!(find(&[folder.path().into()]).unwrap(), [file("a/clicks"), file("link")]);
    }

    #[test]
    fn nothing_to_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(find(&[folder.path().into()]), Err(InputError::Empty { .. })));
        assert_eq!(find(&["no/such".into()]).unwrap_err().to_string(), "could not read no/such");
    }
}
