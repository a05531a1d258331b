//! The number of commits that a database should have.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::OpenError;

pub(super) const COMMITS: TableDefinition<(), u64> = TableDefinition::new("commits");

/// The commit count in the file beside a database; none if it is missing, because an earlier version did not count, or damaged.
pub type Count = Option<u64>;

/// When the number of a commit is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// Before the commit is acknowledged, which takes one more sync.
    AtOnce,
    /// Some time later. A kill loses nothing. After a power cut the number may be too low, which can hide a loss.
    Soon,
}

/// The number of the last acknowledged commit, in `NAME.commits` beside the database `NAME`. The lock of this file protects both; it
/// is held while the database is open.
#[derive(Debug)]
pub struct Commits {
    file: File,
    durable: Durable,
    last: AtomicU64,
}

impl Commits {
    /// Opens or creates the file of a database.
    pub fn open(database: &Path, durable: Durable) -> Result<(Self, Count), OpenError> {
        let file = super::open_file(&commits_path(database))?;
        file.try_lock()?;
        Ok((Self { file, durable, last: AtomicU64::new(0) }, count_of(database)?))
    }

    /// Sets the number.
    pub fn reset(&self, count: u64) -> io::Result<()> {
        self.last.store(count, Ordering::Relaxed);
        self.write(count)?;
        self.file.sync_all()
    }

    /// Removes the file if nothing was written to it, because the database is not opened.
    pub fn forget(self, database: &Path) {
        if self.file.metadata().is_ok_and(|file| file.len() == 0) {
            let _it_says_nothing = fs::remove_file(commits_path(database));
        }
        // The lock is held until the file is removed.
        drop(self.file);
    }

    fn reached(&self, count: u64) -> io::Result<()> {
        self.write(count)?;
        self.last.store(count, Ordering::Relaxed);
        match self.durable {
            // Without a first number, an empty file would count as new.
            Durable::Soon if count > 1 => Ok(()),
            Durable::AtOnce | Durable::Soon => self.file.sync_data(),
        }
    }

    /// Waits until the number is on disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, count: u64) -> io::Result<()> {
        self.file.write_all_at(text(count).as_bytes(), 0)
    }
}

/// Takes no lock.
pub(super) fn count_of(database: &Path) -> io::Result<Count> {
    match fs::read(commits_path(database)) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Commits a transaction and counts it. After an error, the commit may be on disk.
pub fn commit(begun: WriteTransaction, commits: Option<&Commits>) -> Result<(), redb::Error> {
    let mut table = begun.open_table(COMMITS)?;
    let count = table.get(())?.map_or(0, |count| count.value()) + 1;
    table.insert((), count)?;
    drop(table);
    let Some(commits) = commits else { return Ok(begun.commit()?) };
    // redb has recovered an earlier commit after an error.
    if count <= commits.last.load(Ordering::Relaxed) {
        return Err(redb::Error::Corrupted("its last commits are missing".to_owned()));
    }
    begun.commit()?;
    Ok(commits.reached(count)?)
}

/// The path of a database's commit count: `NAME.commits` beside the database `NAME`.
#[must_use]
pub fn commits_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".commits");
    name.into()
}

/// The number twice, so that damage is detected.
fn text(count: u64) -> String {
    format!("{count:020} {count:020}\n")
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let count = std::str::from_utf8(bytes).ok()?.get(..20)?.parse().ok()?;
    (text(count).as_bytes() == bytes).then_some(count)
}
