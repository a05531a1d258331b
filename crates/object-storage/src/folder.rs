//! A folder as a bucket. An object is a file, which is written as a whole, as in S3. See `names.rs` for its name.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::names::{ABOVE, BELOW, decoded, encoded, is_unfinished};
use super::walk::{self, Walk};
use super::{BucketError, Found, ObjectStart, StoredObject, root_cause, stored_bytes_for};

/// The age of an unfinished file that no process writes any more. Another process may write into the same folder.
const ABANDONED: Duration = Duration::from_hours(1);

#[derive(Debug, Clone)]
pub(super) struct Folder {
    store: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl Folder {
    /// Removes the unfinished files of killed processes.
    pub(super) fn open(path: &Path, durable: bool) -> Result<Self, BucketError> {
        let problem = || format!("could not open the folder {} (`--destination`)", path.display());
        let failed = |source| BucketError::Folder(problem(), source);
        fs::create_dir_all(path).map_err(failed)?;
        remove_unfinished(path);
        let store = store(path).map_err(failed)?.with_fsync(durable);
        Ok(Self { store: Arc::new(store), root: path.to_owned() })
    }

    pub(super) fn open_existing(path: &Path) -> Result<Self, BucketError> {
        let problem = || format!("could not read the folder {}", path.display());
        let store = store(path).map_err(|source| BucketError::Folder(problem(), source))?;
        Ok(Self { store: Arc::new(store), root: path.to_owned() })
    }

    pub(super) async fn put(&self, key: &str, bytes: bytes::Bytes) -> Result<(), String> {
        let (folder, key) = (self.clone(), key.to_owned());
        let name = blocking(move || Ok(folder.free(&key))).await?;
        self.store.put(&at(&name), bytes.into()).await.map(drop).map_err(|error| root_cause(&error))
    }

    /// Symbolic links are not followed.
    pub(super) async fn start(&self, key: &str, at_most: usize) -> Result<Option<ObjectStart>, String> {
        let (folder, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let Some(name) = folder.find(&key) else { return Ok(None) };
            if is_below_a_link(&folder.root, Path::new(&name)) {
                return Ok(None);
            }
            let most = stored_bytes_for(at_most);
            let mut stored = Vec::new();
            File::open(folder.root.join(name))?.take(most as u64 + 1).read_to_end(&mut stored)?;
            let whole = stored.len() <= most;
            Ok(Some(super::start(stored, whole, at_most)))
        })
        .await
    }

    pub(super) async fn head(&self, name: &str) -> Result<Option<StoredObject>, String> {
        let Ok(location) = StorePath::parse(name) else { return Ok(None) };
        match self.store.head(&location).await {
            Ok(meta) => Ok(Some(meta.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(root_cause(&error)),
        }
    }

    pub(super) async fn head_of_key(&self, key: &str) -> Result<Option<StoredObject>, String> {
        let (folder, key) = (self.clone(), key.to_owned());
        match blocking(move || Ok(folder.find(&key))).await? {
            Some(name) => self.head(&name).await,
            None => Ok(None),
        }
    }

    /// Symbolic links may form a cycle, in which the list of `LocalFileSystem` does not terminate.
    pub(super) async fn list(&self) -> Result<Found, String> {
        let root = self.root.clone();
        let Walk { files, mut found, .. } = blocking(move || walk::find(&root)).await?;
        for name in walk::names(&self.root, files, &mut found.skipped) {
            found.objects.extend(self.head(&name).await?);
        }
        Ok(found)
    }

    pub(super) async fn range(&self, name: &str, from: u64, to: u64) -> Result<bytes::Bytes, String> {
        self.store.get_range(&at(name), from..to).await.map_err(|error| root_cause(&error))
    }

    /// An object found through a symbolic link is refused: the link would be moved, or a file of another folder.
    pub(super) async fn rename(&self, name: &str, to: &str) -> Result<(), String> {
        let (folder, path, to) = (self.clone(), PathBuf::from(name), to.to_owned());
        let free = blocking(move || Ok((!is_below_a_link(&folder.root, &path)).then(|| folder.free(&to)))).await?;
        let to = free.ok_or("its path has a symbolic link; accepted is an object in the folder itself")?;
        self.store.rename(&at(name), &at(&to)).await.map_err(|error| root_cause(&error))
    }

    fn free(&self, key: &str) -> String {
        let mut names = encoded(key);
        let (mut path, last) = (self.root.clone(), names.len() - 1);
        for (index, name) in names.iter_mut().enumerate() {
            // A dangling link is no object.
            let there = fs::metadata(path.join(&*name));
            match there {
                Ok(there) if index < last && !there.is_dir() => name.push_str(BELOW),
                Ok(there) if index == last && there.is_dir() => name.push_str(ABOVE),
                _ => {}
            }
            path.push(&*name);
        }
        names.join("/")
    }

    fn find(&self, key: &str) -> Option<String> {
        find(&self.root, &encoded(key)).map(|names| names.join("/"))
    }
}

/// Looks in both places of an object: the file or folder with its name may have been removed since.
fn find(folder: &Path, names: &[String]) -> Option<Vec<String>> {
    let (name, below) = names.split_first()?;
    let suffix = if below.is_empty() { ABOVE } else { BELOW };
    [name.clone(), format!("{name}{suffix}")].into_iter().find_map(|name| {
        let path = folder.join(&name);
        let there = fs::metadata(&path).ok()?;
        if below.is_empty() {
            return there.is_file().then(|| vec![name]);
        }
        let mut found = if there.is_dir() { find(&path, below)? } else { return None };
        found.insert(0, name);
        Some(found)
    })
}

fn is_below_a_link(root: &Path, path: &Path) -> bool {
    path.ancestors().filter(|path| !path.as_os_str().is_empty()).any(|path| root.join(path).is_symlink())
}

fn at(name: &str) -> StorePath {
    // Encoded and listed names are always valid.
    StorePath::parse(name).unwrap_or_else(|_| StorePath::from(name))
}

impl From<ObjectMeta> for StoredObject {
    fn from(meta: ObjectMeta) -> Self {
        Self {
            key: decoded(meta.location.as_ref()),
            name: meta.location.into(),
            bytes: meta.size,
            e_tag: meta.e_tag,
            modified_us: meta.last_modified.timestamp_micros(),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?;
    done.map_err(|error| error.to_string())
}

fn store(path: &Path) -> io::Result<LocalFileSystem> {
    LocalFileSystem::new_with_prefix(path).map_err(|error| io::Error::other(root_cause(&error)))
}

/// Ignores errors: an existing folder may have files and folders that are not accessible.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // A symbolic link is neither, so nothing outside the folder is removed.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            remove_unfinished(&entry.path());
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_unfinished) && is_abandoned(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_abandoned(entry: &DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > ABANDONED))
}
