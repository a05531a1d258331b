//! A folder as a storage that can fail.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A pipeline's folder with a storage that can fail at any time: a link leads to it, or to a missing folder.
pub(crate) struct Storage(TempDir);

impl Storage {
    pub(crate) fn new() -> Self {
        let storage = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(storage.bucket()).unwrap();
        fs::create_dir(storage.0.path().join("disk")).unwrap();
        storage.works(true);
        storage
    }

    pub(crate) fn works(&self, works: bool) {
        let link = self.0.path().join("link");
        symlink(self.0.path().join(if works { "disk" } else { "missing" }), &link).unwrap();
        fs::rename(link, self.bucket().join("firehose")).unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn bucket(&self) -> PathBuf {
        self.0.path().join("out/bucket")
    }
}
