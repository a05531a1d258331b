//! How many commits a database should have.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{ReadableTable, TableDefinition, WriteTransaction};

/// The number of the last commit, in the database itself.
pub(super) const COMMITS: TableDefinition<(), u64> = TableDefinition::new("commits");

/// What is known of the commits of a database from the file beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many were answered.
    Known(u64),
    /// There is no such file, as before commits were counted.
    Absent,
    /// It does not hold a number.
    Unreadable,
}

/// When the number of a commit is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// Before the commit is answered, which is one more wait for the disk.
    AtOnce,
    /// Some time soon. A kill loses nothing; after a power cut the number may be an older one, which hides a loss at most.
    Soon,
}

/// The number of the last commit that was answered, in `NAME.commits` beside the database `NAME`. The lock of this file is that of
/// both: it is held as long as the database is open.
#[derive(Debug)]
pub struct Commits {
    file: File,
    durable: Durable,
    last: AtomicU64,
}

impl Commits {
    /// Opens the file of a database, or makes it; none where another process has it.
    pub fn open(database: &Path, durable: Durable) -> io::Result<Option<(Self, Count)>> {
        let path = path_of(database);
        let before = count(&path)?;
        let file = super::open_file(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // It may have been written before it was locked.
        let count = if before == Count::Absent { before } else { count(&path)? };
        let commits = Self { file, durable, last: AtomicU64::new(0) };
        Ok(Some((commits, count)))
    }

    /// Writes how many there are, whatever was written before.
    pub fn reset(&self, count: u64) -> io::Result<()> {
        self.last.store(count, Ordering::Relaxed);
        self.write(count)?;
        self.file.sync_all()
    }

    /// Leaves no file where there was none: the database is not opened.
    pub fn forget(self, database: &Path, before: Count) {
        if before == Count::Absent {
            let _it_says_nothing = std::fs::remove_file(path_of(database));
        }
        // With its lock, which is held until the name is gone.
        drop(self.file);
    }

    /// One more was made.
    fn reached(&self, count: u64) -> io::Result<()> {
        self.write(count)?;
        self.last.store(count, Ordering::Relaxed);
        match self.durable {
            // Without a first number, a file without bytes would be taken for a new one.
            Durable::Soon if count > 1 => Ok(()),
            Durable::AtOnce | Durable::Soon => self.file.sync_data(),
        }
    }

    /// Waits until the number is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, count: u64) -> io::Result<()> {
        self.file.write_all_at(text(count).as_bytes(), 0)
    }
}

/// What the file of a database says, which is not changed or locked.
pub fn count_of(database: &Path) -> io::Result<Count> {
    count(&path_of(database))
}

fn count(path: &Path) -> io::Result<Count> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(parse(&bytes).map_or(Count::Unreadable, Count::Known)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Count::Absent),
        Err(error) => Err(error),
    }
}

/// Ends a transaction as the next commit. An error at its end does not tell whether it is on disk.
pub fn commit(begun: WriteTransaction, commits: Option<&Commits>) -> Result<(), redb::Error> {
    let count = {
        let mut table = begun.open_table(COMMITS)?;
        let count = table.get(())?.map_or(0, |count| count.value()) + 1;
        table.insert((), count)?;
        count
    };
    let Some(commits) = commits else { return Ok(begun.commit()?) };
    // The file was opened again after an error, and redb has recovered it.
    if count <= commits.last.load(Ordering::Relaxed) {
        return Err(redb::Error::Corrupted("its last commits are missing".to_owned()));
    }
    // Waits for the disk, which is what redb does of itself.
    begun.commit()?;
    Ok(commits.reached(count)?)
}

fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".commits");
    name.into()
}

/// Twice, so that a damaged number is not taken for another one.
fn text(count: u64) -> String {
    format!("{count:020} {count:020}\n")
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let count = std::str::from_utf8(bytes).ok()?.get(..20)?.parse().ok()?;
    (text(count).as_bytes() == bytes).then_some(count)
}
