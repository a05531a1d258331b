//! Copies of what holds no usable record, so that they can be looked into after the objects are gone.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// One piece. The names are those in the file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAside<'a> {
    /// Where it was: an object, or a file.
    pub object: &'a str,
    /// Counted from one.
    pub line: u64,
    /// Of its first byte that is no white space, counted from zero, after decompression.
    pub offset: u64,
    /// What is wrong with it.
    pub problem: String,
    /// Its bytes as base64; of one that is too long, the start.
    #[serde(serialize_with = "base64")]
    pub content: &'a [u8],
}

/// The file of the copies, as lines of JSON. It is made when there is something to copy, and only its owner may read it: it
/// holds what visitors sent.
#[derive(Debug)]
pub struct Aside {
    path: PathBuf,
    file: Option<File>,
}

impl Aside {
    /// Copies into this file, which is made with the first.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Appends copies; they are on disk when the call is back.
    pub fn keep(&mut self, copies: &[SetAside<'_>]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.path)?),
        };
        // A disk that was full may have left half a line.
        let mut lines = vec![b'\n'; usize::from(!ends_a_line(file)?)];
        for copy in copies {
            serde_json::to_writer(&mut lines, copy)?;
            lines.push(b'\n');
        }
        file.write_all(&lines)?;
        file.sync_all()
    }

    /// Where the copies go.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.path
    }

    /// Where the copies are, if there are any of this run.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|_| self.path.as_path())
    }
}

/// The file, which is there after a power cut, too.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file)
}

fn ends_a_line(file: &File) -> io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}

fn base64<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn copies_are_lines_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corrupt.jsonl");
        let copy = |line| SetAside { object: "a", line, offset: 7, problem: "p".to_owned(), content: b"\xff\n" };
        let mut aside = Aside::new(path.clone());
        assert_eq!((aside.path(), path.exists()), (None, false));
        // Left by a disk that was full.
        fs::write(&path, "half").unwrap();
        aside.keep(&[copy(1)]).unwrap();
        aside.keep(&[copy(2), copy(3)]).unwrap();
        let line =
            |line: u64| format!(r#"{{"object":"a","line":{line},"offset":7,"problem":"p","content":"/wo="}}"#) + "\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("half\n{}{}{}", line(1), line(2), line(3)));
        assert_eq!(aside.path(), Some(path.as_path()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
