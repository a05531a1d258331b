//! A copy of the journal's file in memory, which a dry run changes.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::Path;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

/// The content of the file.
pub(super) enum JournalCopy {
    /// There is no file.
    None,
    /// Another process has it open.
    InUse,
    Empty,
    Whole(InMemoryBackend),
}

pub(super) fn read(path: &Path) -> io::Result<JournalCopy> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(JournalCopy::None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(JournalCopy::InUse),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(JournalCopy::Empty);
    }
    let copy = InMemoryBackend::new();
    copy.set_len(bytes.len() as u64)?;
    copy.write(0, &bytes)?;
    Ok(JournalCopy::Whole(copy))
}
