//! A folder as a bucket: an object is a file, and a file is there whole or not at all, as in S3.

use std::path::Path;
use std::{fs, io};

use object_store::local::LocalFileSystem;
use uuid::Uuid;

use super::{BucketError, cause};

/// The most bytes of a file's name, with room for the `#1` of one that is being written (Linux and macOS: 255).
pub(super) const MAX_NAME_BYTES: usize = 240;

/// The folder, which is made if need be. What a process that was killed left unfinished in it is removed.
pub(super) fn open(path: &Path, durable: bool) -> Result<LocalFileSystem, BucketError> {
    let failed = |source| BucketError::Folder { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(failed)?;
    remove_unfinished(path);
    Ok(store(path).map_err(failed)?.with_fsync(durable))
}

/// A folder that is there already, as it is.
pub(super) fn open_existing(path: &Path) -> Result<LocalFileSystem, BucketError> {
    store(path).map_err(|source| BucketError::Missing { path: path.to_owned(), source })
}

fn store(path: &Path) -> io::Result<LocalFileSystem> {
    LocalFileSystem::new_with_prefix(path).map_err(|error| io::Error::other(cause(&error)))
}

/// Goes on where something can't be looked into or be removed: a folder that is someone's own may have such.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // A symbolic link is neither, so that nothing outside the folder is touched.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            remove_unfinished(&entry.path());
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_unfinished) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a file's name is that of a Firehose object with the `#1` that `LocalFileSystem` gives it while it is written.
fn is_unfinished(name: &str) -> bool {
    let Some((object, number)) = name.rsplit_once('#') else { return false };
    let id = object.strip_suffix(".gz").unwrap_or(object);
    let id = id.len().checked_sub(36).and_then(|start| id.get(start..));
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && id.is_some_and(|id| Uuid::try_parse(id).is_ok())
}
