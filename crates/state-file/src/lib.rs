#![doc = include_str!("../README.md")]

mod commits;
mod overlay;
mod quarantine;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::thread;

use jiff::Timestamp;
use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableError};

use self::commits::COMMITS;
pub use self::commits::{Commits, Count, Durable, commit, commits_path, count_of};
use self::overlay::Overlay;
pub use self::quarantine::{Quarantine, QuarantinedLine};

/// The thread that checks a file. redb panics on some damaged pages, so a panic of this thread means damage.
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

impl<E: Into<redb::Error>> From<RedbError<E>> for OpenError {
    fn from(RedbError(error): RedbError<E>) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            error => Self::Database(error),
        }
    }
}

/// One of redb's error types.
struct RedbError<E>(E);

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

/// A readable database.
pub struct Checked {
    /// The database.
    pub database: Database,
    /// The number of its commits.
    pub count: u64,
    /// Whether redb repaired nothing.
    pub is_clean: bool,
}

/// Checks a database without changing it. `count` is its commit count.
pub fn check(path: &Path, count: Count) -> Result<Condition, OpenError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(missing(count)),
        Err(error) => return Err(error.into()),
    };
    // A folder cannot be read.
    file.read_at(&mut [0], 0)?;
    // As redb does; it is given back with the file.
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    let overlay = Overlay::new(file)?;
    Ok(match overlay.len()? {
        0 => empty(count),
        _ => condition(&checked(overlay), count),
    })
}

/// Opens a database that was checked, or makes it. `count` is what the file beside it said.
pub fn open(path: &Path, how: How, commits: &Commits, count: Count, builder: &Builder) -> Result<Database, OpenError> {
    match how {
        How::Open => {}
        How::Repair => {
            let copy = keep_copy(path)?;
            tracing::warn!("{}: a copy of the damaged file is {}", path.display(), copy.display());
        }
        How::New => {
            // Before the file exists, so that an empty file with a count of 0 is new.
            commits.reset(0)?;
            if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
                let name = rename_damaged(path)?;
                tracing::warn!("{} cannot be used, and was renamed to {}", path.display(), name.display());
            }
        }
    }
    let mut database = builder.create_file(open_file(path)?).map_err(RedbError)?;
    // So that the file's name outlives a power cut.
    File::open(folder_of(path))?.sync_all()?;
    if how == How::Repair {
        database.check_integrity().map_err(RedbError)?;
    }
    let found = self::count(&database).map_err(RedbError)?;
    let is_known = matches!(count, Count::Known(_)) || (count == Count::Absent && found == 0);
    if how != How::New && !is_known {
        tracing::warn!(
            "{path}: {path}.commits has no number of commits, so it is unknown whether the last commit is there",
            path = path.display()
        );
    }
    commits.reset(found)?;
    Ok(database)
}

/// The condition of a missing file.
#[must_use]
pub fn missing(count: Count) -> Condition {
    match count {
        Count::Known(commits) if commits > 0 => Condition::Missing(commits),
        _ => Condition::New,
    }
}

/// The condition of an empty file. The commit count is created first, so a kill leaves an empty file with a count of 0.
#[must_use]
pub fn empty(count: Count) -> Condition {
    if count == Count::Known(0) { Condition::New } else { Condition::Empty }
}

/// The condition of a database with this commit count.
#[must_use]
pub fn condition(checked: &Result<Checked, String>, count: Count) -> Condition {
    match (checked, count) {
        (Ok(Checked { count: found, .. }), Count::Known(known)) if *found < known => Condition::Behind(known - found),
        (Ok(Checked { is_clean: false, .. }), _) => Condition::Repairable,
        (Ok(_), _) => Condition::Sound,
        // A kill while the file was created.
        (Err(_), Count::Known(0)) => Condition::New,
        (Err(why), _) => Condition::Damaged(why.clone()),
    }
}

/// Opens a database and reads all of it. The error is one line.
pub fn checked(storage: impl StorageBackend) -> Result<Checked, String> {
    silence();
    let check = thread::Builder::new().name(CHECK.to_owned()).spawn(move || {
        let mut builder = Database::builder();
        let database = builder.set_cache_size(CHECK_CACHE_BYTES).create_with_backend(storage);
        let mut database = database.map_err(|error| error.to_string())?;
        // After a clean close, redb does not verify checksums when it opens a file.
        let is_clean = database.check_integrity().map_err(|error| error.to_string())?;
        let count = count(&database).map_err(|error| error.to_string())?;
        Ok(Checked { database, count, is_clean })
    });
    let checked = check.map_err(|error| format!("could not start a thread: {error}"))?.join();
    let checked = checked.unwrap_or_else(|_panicked| Err("its pages are invalid".to_owned()));
    checked.map_err(|why: String| why.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The number of a database's commits; 0 if they were not counted.
pub fn count(database: &Database) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(COMMITS) {
        Ok(table) => Ok(table.get(())?.map_or(0, |count| count.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Suppresses panic messages of the thread that checks a file.
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

/// Copies a damaged file before its repair. Returns the copy's path.
fn keep_copy(path: &Path) -> io::Result<PathBuf> {
    // Restricts the file's mode, which the copy gets.
    open_file(path)?;
    let copy = damaged_name(path);
    fs::copy(path, &copy)?;
    File::open(&copy)?.sync_all()?;
    Ok(copy)
}

/// Renames a damaged file, so that a new one can be created. Returns its new path.
fn rename_damaged(path: &Path) -> io::Result<PathBuf> {
    open_file(path)?;
    let name = damaged_name(path);
    fs::rename(path, &name)?;
    Ok(name)
}

fn damaged_name(path: &Path) -> PathBuf {
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{now}"));
    name.into()
}

#[cfg(test)]
mod tests;
