//! A copy of the ledger's file in memory, which a dry run may change.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::Path;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

/// What is in the file.
pub(super) enum Copy {
    /// There is none.
    None,
    /// Another process has it.
    InUse,
    /// It has no bytes.
    Empty,
    /// All of it.
    Whole(InMemoryBackend),
}

/// Reads the file.
pub(super) fn copy_of(path: &Path) -> io::Result<Copy> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Copy::None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Copy::InUse),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(Copy::Empty);
    }
    let copy = InMemoryBackend::new();
    copy.set_len(bytes.len() as u64)?;
    copy.write(0, &bytes)?;
    Ok(Copy::Whole(copy))
}
