#![doc = include_str!("../README.md")]

mod commits;
mod overlay;

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
pub use self::commits::{Commits, Count, Durable, commit, count_of};
use self::overlay::Overlay;

/// The thread that checks a file. Where pages make no sense redb panics, and a panic of this thread is an answer.
const CHECK: &str = "database check";

/// The most of a file that is in memory while it is checked.
const CHECK_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// What is found in a file before anything in it is changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Condition {
    /// There is none, or nothing was ever committed to it.
    #[error("found no file")]
    New,
    /// All that was committed is in it.
    #[error("found all commits")]
    Sound,
    /// All that was committed is in it, but what redb keeps for itself is damaged, and is made again.
    #[error("found damage that is repaired without a loss")]
    Repairable,
    /// The last commits are not in it; redb goes on with the one before.
    #[error("found a damaged file: its last commits cannot be read ({0} missing)")]
    Behind(u64),
    /// There is none, although so many commits were written.
    #[error("found no file, although {0} commits were written to it")]
    Missing(u64),
    /// It has no bytes.
    #[error("found a file of 0 bytes")]
    Empty,
    /// redb cannot read it.
    #[error("found a damaged file, or one of another program ({0})")]
    Damaged(String),
}

/// A database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("in use by another process")]
    InUse,
    /// The operating system refuses something.
    #[error(transparent)]
    File(#[from] io::Error),
    /// redb does.
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

/// One of the many error types of redb.
struct RedbError<E>(E);

/// What is done with a file, by its [`Condition`] and what the caller makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is opened as it is.
    Open,
    /// It is repaired, and a copy of it is kept.
    Repair,
    /// A new one is made. What is there gets another name.
    New,
}

/// A database that was opened, and what was found in it.
pub struct Checked {
    /// The database.
    pub database: Database,
    /// Of its commits.
    pub count: u64,
    /// Whether nothing had to be repaired.
    pub is_clean: bool,
}

/// Looks at a file without a change to it. `count` is what the file beside it says.
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
            // Before the file is there: so one without bytes is known to be new.
            commits.reset(0)?;
            if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
                let name = rename_damaged(path)?;
                tracing::warn!("{} could not be used, and is now {}", path.display(), name.display());
            }
        }
    }
    let mut database = builder.create_file(open_file(path)?).map_err(RedbError)?;
    // A name that a power cut takes away would be a file that never was.
    File::open(folder_of(path))?.sync_all()?;
    if how == How::Repair {
        database.check_integrity().map_err(RedbError)?;
    }
    let found = self::count(&database).map_err(RedbError)?;
    let is_known = matches!(count, Count::Known(_)) || (count == Count::Absent && found == 0);
    if how != How::New && !is_known {
        tracing::warn!(
            "{path}: found no number of its last commit in {path}.commits, so it is not known whether that commit is there",
            path = path.display()
        );
    }
    commits.reset(found)?;
    Ok(database)
}

/// What a file that is not there is.
#[must_use]
pub fn missing(count: Count) -> Condition {
    match count {
        Count::Known(commits) if commits > 0 => Condition::Missing(commits),
        _ => Condition::New,
    }
}

/// What a file without bytes is. It is made after the count, so that a kill leaves it with a count of none.
#[must_use]
pub fn empty(count: Count) -> Condition {
    if count == Count::Known(0) { Condition::New } else { Condition::Empty }
}

/// What a database is of which so many commits are known.
#[must_use]
pub fn condition(checked: &Result<Checked, String>, count: Count) -> Condition {
    match (checked, count) {
        (Ok(Checked { count: found, .. }), Count::Known(known)) if *found < known => Condition::Behind(known - found),
        (Ok(Checked { is_clean: false, .. }), _) => Condition::Repairable,
        (Ok(_), _) => Condition::Sound,
        // A kill while the file was made.
        (Err(_), Count::Known(0)) => Condition::New,
        (Err(why), _) => Condition::Damaged(why.clone()),
    }
}

/// Opens a database and reads all of it, or says in one line why it cannot be read. A panic of redb is such a reason.
pub fn checked(storage: impl StorageBackend) -> Result<Checked, String> {
    silence();
    let check = thread::Builder::new().name(CHECK.to_owned()).spawn(move || {
        let mut builder = Database::builder();
        let database = builder.set_cache_size(CHECK_CACHE_BYTES).create_with_backend(storage);
        let mut database = database.map_err(|error| error.to_string())?;
        // Checksums are not looked at when a file is opened that was closed.
        let is_clean = database.check_integrity().map_err(|error| error.to_string())?;
        let count = count(&database).map_err(|error| error.to_string())?;
        Ok(Checked { database, count, is_clean })
    });
    let ended = check.map_err(|error| format!("could not start a thread: {error}"))?.join();
    let ended = ended.unwrap_or_else(|_panicked| Err("its pages make no sense".to_owned()));
    ended.map_err(|why: String| why.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// How many commits are in a database; none in those of before they were counted.
pub fn count(database: &Database) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(COMMITS) {
        Ok(table) => Ok(table.get(())?.map_or(0, |count| count.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Prints no panic of the thread that checks a file.
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

/// Opens a file, or makes it, for its owner alone.
pub fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Makes a folder for its owner alone. One that is there already stays as it is: see [`is_open_to_others`].
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether other users may look into a folder. Its mode is not changed, as it may be one of more than this program.
#[must_use]
pub fn is_open_to_others(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

/// The folder of a file.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Copies a damaged file beside itself, before it is repaired; gives the copy's path.
fn keep_copy(path: &Path) -> io::Result<PathBuf> {
    // Before there is a copy: it gets the file's mode.
    open_file(path)?;
    let copy = damaged_name(path);
    fs::copy(path, &copy)?;
    File::open(&copy)?.sync_all()?;
    Ok(copy)
}

/// Gives a damaged file another name, so that a new one can be made; gives that name.
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
