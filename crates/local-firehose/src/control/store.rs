//! The definitions and the tags of streams on disk, for the next start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;

/// The file with all of them, and the one that is locked while a process uses the folder.
const DEFINITIONS: &str = "streams.json";
const LOCK: &str = "streams.lock";

/// Why definitions are not read or written. Each message has the path.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process uses the folder.
    #[error("{} is in use by another process: name another folder with `--state DIR`", .0.display())]
    InUse(PathBuf),
    /// The operating system reports an error.
    #[error("could not use {} (`--state`)", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The file is damaged, or one of another program.
    #[error("could not read the streams in {} (`--state`)", .0.display())]
    Damaged(PathBuf, #[source] serde_json::Error),
}

/// The contents of the file in a folder. It is missing before the first write.
pub(super) fn read<T: Default + DeserializeOwned>(folder: &Path) -> Result<T, StoreError> {
    let path = folder.join(DEFINITIONS);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|source| StoreError::Damaged(path, source)),
        // To open the folder reports what is wrong with it.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(T::default())
        }
        Err(source) => Err(StoreError::File(path, source)),
    }
}

#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    /// Locked as long as it is open. Its mutex is held during a write.
    lock: Mutex<File>,
}

impl Store {
    /// Opens the folder, or creates it.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let (path, lock_path) = (folder.join(DEFINITIONS), folder.join(LOCK));
        let opened = state_file::make_folder(folder).and_then(|()| state_file::open_file(&lock_path));
        let lock = opened.map_err(|source| StoreError::File(lock_path.clone(), source))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => StoreError::InUse(lock_path.clone()),
            fs::TryLockError::Error(source) => StoreError::File(lock_path.clone(), source),
        })?;
        Ok(Self { path, lock: Mutex::new(lock) })
    }

    /// Replaces the file as a whole: a killed process leaves the old or the new one. `text` is called between two writes, so that the last
    /// one has the newest definitions.
    pub(super) fn write(&self, text: impl FnOnce() -> serde_json::Result<Vec<u8>>) -> Result<(), StoreError> {
        let _writing = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let text = text().map_err(|source| StoreError::Damaged(self.path.clone(), source))?;
        let new = self.path.with_extension("new");
        let write = || {
            let mut file = state_file::open_file(&new)?;
            file.set_len(0)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &self.path)?;
            File::open(state_file::folder_of(&self.path))?.sync_all()
        };
        write().map_err(|source| StoreError::File(self.path.clone(), source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a/state");
        let store = Store::open(&state).unwrap();
        assert_eq!(read::<String>(&state).unwrap(), "");
        for text in [r#""a longer text""#, r#""short""#] {
            store.write(|| Ok(text.into())).unwrap();
        }
        let in_use = Store::open(&state).unwrap_err().to_string();
        assert!(in_use.contains("streams.lock is in use by another process"), "{in_use}");
        drop(store);
        let _store = Store::open(&state).unwrap();
        assert_eq!(read::<String>(&state).unwrap(), "short");
        let names = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        assert_eq!(names, [DEFINITIONS, LOCK]);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Store::open(&file.join("state")).unwrap_err().to_string();
        assert!(error.starts_with("could not use ") && error.ends_with("streams.lock (`--state`)"), "{error}");
    }
}
