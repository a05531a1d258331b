//! Copies of what holds no record, so that somebody can look into it after the objects are gone.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// One copy. The names are those in the file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Copy<'a> {
    /// Where the line was.
    pub(super) object: &'a str,
    /// Counted from one.
    pub(super) line: u64,
    /// What is wrong with it.
    pub(super) problem: String,
    /// The line's bytes as base64; of one that is too long, the start.
    #[serde(serialize_with = "base64")]
    pub(super) content: &'a [u8],
}

/// The file of the copies, as lines of JSON. It is made when there is something to copy, and only its owner may read it: it
/// holds what visitors sent.
#[derive(Debug)]
pub(super) struct Aside {
    path: PathBuf,
    file: Option<File>,
}

impl Aside {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Appends copies; they are on disk when the call is back.
    pub(super) fn keep(&mut self, copies: &[Copy<'_>]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?),
        };
        let mut lines = Vec::new();
        for copy in copies {
            serde_json::to_writer(&mut lines, copy)?;
            lines.push(b'\n');
        }
        file.write_all(&lines)?;
        file.sync_all()
    }

    /// Where the copies go.
    pub(super) fn place(&self) -> &Path {
        &self.path
    }

    /// Where the copies are, if there are any of this run.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|_| self.path.as_path())
    }
}

fn base64<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}
