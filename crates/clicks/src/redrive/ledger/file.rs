//! The ledger's file: nobody else's, and there after a power cut.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

/// What is in the file, or nothing yet; none where another process has it.
pub(super) fn copy_of(path: &Path) -> io::Result<Option<InMemoryBackend>> {
    let copy = InMemoryBackend::new();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(copy)),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    copy.set_len(bytes.len() as u64)?;
    copy.write(0, &bytes)?;
    Ok(Some(copy))
}

/// Opens the file, or makes it, in a folder that is made: both for their owner alone, as hashes of visitors' data are in it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    // A name that a power cut takes away would be a ledger that never was.
    File::open(folder)?.sync_all()?;
    Ok(file)
}
