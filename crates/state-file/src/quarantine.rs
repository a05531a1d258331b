//! Copies of lines without a usable record, so that they can be examined after their object is archived.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// A copied line or value. The JSON has these names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuarantinedLine<'a> {
    /// The object or file that it is from.
    pub object: &'a str,
    /// Its line, counted from one.
    pub line: u64,
    /// The offset of its first byte that is no white space, after decompression.
    pub offset: u64,
    /// What is wrong with it.
    pub problem: String,
    /// Its bytes as base64; only the start of one that is too long.
    #[serde(serialize_with = "base64")]
    pub content: &'a [u8],
}

/// A file of JSON lines. It is created with the first line, and only its owner can read it: it holds what users sent.
#[derive(Debug)]
pub struct Quarantine {
    path: PathBuf,
    file: Option<File>,
}

impl Quarantine {
    /// A quarantine in this file, which is not created yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Appends lines, and waits until they are on disk.
    pub fn append(&mut self, lines: &[QuarantinedLine<'_>]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.path)?),
        };
        // A full disk may have left half a line.
        let mut bytes = vec![b'\n'; usize::from(!ends_with_newline(file)?)];
        for line in lines {
            serde_json::to_writer(&mut bytes, line)?;
            bytes.push(b'\n');
        }
        file.write_all(&bytes)?;
        file.sync_all()
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's path, if a line was appended.
    #[must_use]
    pub fn written(&self) -> Option<&Path> {
        self.file.as_ref().map(|_| self.path.as_path())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    // So that the file's name outlives a power cut.
    File::open(crate::folder_of(path))?.sync_all()?;
    Ok(file)
}

fn ends_with_newline(file: &File) -> io::Result<bool> {
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
    fn lines_are_json_and_the_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corrupt.jsonl");
        let copy = |line| QuarantinedLine { object: "a", line, offset: 7, problem: "p".to_owned(), content: b"\xff\n" };
        let mut quarantine = Quarantine::new(path.clone());
        assert_eq!((quarantine.written(), path.exists()), (None, false));
        // Left by a disk that was full.
        fs::write(&path, "half").unwrap();
        quarantine.append(&[copy(1)]).unwrap();
        quarantine.append(&[copy(2), copy(3)]).unwrap();
        let line =
            |line: u64| format!(r#"{{"object":"a","line":{line},"offset":7,"problem":"p","content":"/wo="}}"#) + "\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("half\n{}{}{}", line(1), line(2), line(3)));
        assert_eq!(quarantine.written(), Some(path.as_path()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
