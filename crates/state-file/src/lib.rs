#![doc = include_str!("../README.md")]

mod commits;
mod quarantine;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::thread;

use jiff::Timestamp;
use redb::{Builder, Database, ReadableDatabase, TableError};

use self::commits::COMMITS;
pub use self::commits::{Commits, Count, Durable, commit, commits_path};
pub use self::quarantine::{Quarantine, QuarantinedLine};

/// redb panics on some damaged pages, so a panic of this thread means damage.
const CHECK: &str = "database check";

const CHECK_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The condition of a database, before it is opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Condition {
    /// It does not exist, or has no commit.
    #[error("found no file")]
    New,
    /// It has all commits.
    #[error("found all commits")]
    Sound,
    /// It has all commits; redb restores what is damaged.
    #[error("found damage that is repaired without a loss")]
    Repairable,
    /// Its last commits are lost; redb continues from the one before.
    #[error("found a damaged file: its last commits cannot be read ({0} missing)")]
    Behind(u64),
    /// It does not exist, although it had so many commits.
    #[error("found no file, although {0} commits were written to it")]
    Missing(u64),
    /// It is empty.
    #[error("found a file of 0 bytes")]
    Empty,
    /// redb cannot read it.
    #[error("found a damaged file, or one of another program ({0})")]
    Damaged(String),
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("in use by another process")]
    InUse,
    /// The operating system reports an error.
    #[error(transparent)]
    File(#[from] io::Error),
    /// redb reports an error.
    #[error(transparent)]
    Database(redb::Error),
}

impl From<redb::Error> for OpenError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            error => Self::Database(error),
        }
    }
}

impl From<TryLockError> for OpenError {
    fn from(error: TryLockError) -> Self {
        match error {
            TryLockError::WouldBlock => Self::InUse,
            TryLockError::Error(error) => Self::File(error),
        }
    }
}

/// How a database is opened, depending on its [`Condition`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As it is.
    Open,
    /// With a repair, after a copy of it was made.
    Repair,
    /// As a new one. An existing file is renamed.
    New,
}

/// Checks a database without changing it. `count` is its commit count.
pub fn check(path: &Path, count: Count) -> Result<Condition, OpenError> {
    check_copy(path, count).map(|(condition, _)| condition)
}

/// Opens a copy without a name of a database, and changes no other file. There is none if redb cannot read it.
pub fn open_copy(path: &Path) -> Result<(Condition, Option<Database>), OpenError> {
    check_copy(path, commits::count_of(path)?)
}

fn check_copy(path: &Path, count: Count) -> Result<(Condition, Option<Database>), OpenError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let condition = count.filter(|commits| *commits > 0).map_or(Condition::New, Condition::Missing);
            return Ok((condition, None));
        }
        Err(error) => return Err(error.into()),
    };
    // As redb does; it is given back with the file.
    file.try_lock_shared()?;
    // A journal's folder may be read-only in a dry run.
    let mut copy = tempfile::tempfile_in(folder_of(path)).or_else(|_| tempfile::tempfile())?;
    if io::copy(&mut file, &mut copy)? == 0 {
        // The commit count is created first, so a kill leaves an empty file with a count of 0.
        return Ok((if count == Some(0) { Condition::New } else { Condition::Empty }, None));
    }
    Ok(match (read_all(copy), count) {
        (Ok((copy, found, _)), Some(known)) if found < known => (Condition::Behind(known - found), Some(copy)),
        (Ok((copy, _, true)), _) => (Condition::Sound, Some(copy)),
        (Ok((copy, _, false)), _) => (Condition::Repairable, Some(copy)),
        // A kill while the file was created.
        (Err(_), Some(0)) => (Condition::New, None),
        (Err(why), _) => (Condition::Damaged(why), None),
    })
}

/// Opens a database that was checked, or makes it. `count` is what the file beside it said.
pub fn open(path: &Path, how: How, commits: &Commits, count: Count, builder: &Builder) -> Result<Database, OpenError> {
    match how {
        How::Open => {}
        How::Repair => {
            let copy = keep_damaged(path, how)?;
            tracing::warn!("{}: a copy of the damaged file is {}", path.display(), copy.display());
        }
        How::New => {
            // Before the file exists, so that an empty file with a count of 0 is new.
            commits.reset(0)?;
            if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
                let name = keep_damaged(path, how)?;
                tracing::warn!("{} cannot be used, and was renamed to {}", path.display(), name.display());
            }
        }
    }
    let mut database = builder.create_file(open_file(path)?).map_err(redb::Error::from)?;
    // So that the file's name outlives a power cut.
    File::open(folder_of(path))?.sync_all()?;
    if how == How::Repair {
        database.check_integrity().map_err(redb::Error::from)?;
    }
    let found = self::count(&database)?;
    if how != How::New && count.is_none() && found > 0 {
        tracing::warn!(
            "{path}: {path}.commits has no number of commits, so it is unknown whether the last commit is there",
            path = path.display()
        );
    }
    commits.reset(found)?;
    Ok(database)
}

/// Reads all of it. Returns its number of commits, too, and whether redb repaired nothing.
fn read_all(file: File) -> Result<(Database, u64, bool), String> {
    silence();
    let check = thread::Builder::new().name(CHECK.to_owned()).spawn(move || {
        let mut database = Database::builder().set_cache_size(CHECK_CACHE_BYTES).create_file(file)?;
        // After a clean close, redb does not verify checksums when it opens a file.
        let is_clean = database.check_integrity()?;
        let count = count(&database)?;
        Ok((database, count, is_clean))
    });
    match check.map_err(|error| format!("could not start a thread: {error}"))?.join() {
        Ok(read) => read.map_err(|why: redb::Error| why.to_string().split_whitespace().collect::<Vec<_>>().join(" ")),
        Err(_panicked) => Err("its pages are invalid".to_owned()),
    }
}

/// 0 if they were not counted.
fn count(database: &Database) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(COMMITS) {
        Ok(table) => Ok(table.get(())?.map_or(0, |count| count.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn silence() {
    static SILENT: Once = Once::new();
    SILENT.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if thread::current().name() != Some(CHECK) {
                before(panic);
            }
        }));
    });
}

/// Opens or creates a file that only its owner can access.
pub fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Creates a folder that only its owner can access. An existing one stays as it is: see [`is_open_to_others`].
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether other users can access a folder. Its mode is not changed, because other programs may use it.
#[must_use]
pub fn is_open_to_others(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

/// The folder of a file.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Copies a file that is repaired, and renames another one.
fn keep_damaged(path: &Path, how: How) -> io::Result<PathBuf> {
    // Restricts the file's mode, which a copy gets.
    open_file(path)?;
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{now}"));
    if how == How::Repair {
        fs::copy(path, &name)?;
        File::open(&name)?.sync_all()?;
    } else {
        fs::rename(path, &name)?;
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests;
