//! A folder as a bucket: an object is a file, and a file is there whole or not at all, as in S3.
//!
//! S3 takes every key, a file system does not. A key's slashes are folders, and what a folder can't hold is encoded, so that no
//! two keys share a name, and a key can be read back from its name:
//!
//! | in the key | in the folder |
//! |---|---|
//! | nothing between two slashes, or before the first | `%` |
//! | a part that is `.` or `..` | `%2E`, `%2E%2E` |
//! | a control character | `%00` to `%1F`, `%7F` |
//! | `#1` at the end, which a file has that is being written | `%231` |
//! | a `%` that would read as one of these | `%25` |
//! | a part of more than 240 bytes | several folders, each but the last ending in `%-`; a dot after that is `%2E` |
//! | a part that goes on below an object of that name | a folder ending in `%+` |
//! | an object whose name a folder has | a file ending in `%=` |

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStoreExt};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use uuid::Uuid;

use super::contents::{self, Contents};
use super::{BucketError, Meta, cause, walk};

/// The most bytes of a file's name, with room for the `#1` of one that is being written (Linux and macOS: 255).
const MAX_NAME_BYTES: usize = 240;

/// Ends a folder's name after which the same part of the key goes on.
const GOES_ON: &str = "%-";

/// Ends a folder's name that would be an object's.
const BELOW: &str = "%+";

/// Ends an object's name that would be a folder's.
const ABOVE: &str = "%=";

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    store: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl Folder {
    /// The folder, which is made if need be. What a process that was killed left unfinished in it is removed.
    pub(super) fn open(path: &Path, durable: bool) -> Result<Self, BucketError> {
        let failed = |source| BucketError::Folder { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        remove_unfinished(path);
        let store = store(path).map_err(failed)?.with_fsync(durable);
        Ok(Self { store: Arc::new(store), root: path.to_owned() })
    }

    /// A folder that is there already, as it is.
    pub(super) fn open_existing(path: &Path) -> Result<Self, BucketError> {
        let store = store(path).map_err(|source| BucketError::Missing { path: path.to_owned(), source })?;
        Ok(Self { store: Arc::new(store), root: path.to_owned() })
    }

    /// Writes an object under its key.
    pub(super) async fn put(&self, key: &str, bytes: bytes::Bytes) -> Result<(), String> {
        let name = self.free_name(key).await?;
        self.store.put(&at(&name), bytes.into()).await.map(drop).map_err(|error| cause(&error))
    }

    /// The start of an object, from a regular file of this folder alone: no symbolic link is followed.
    pub(super) async fn start(&self, key: &str, at_most: usize) -> Result<Option<Contents>, String> {
        let (folder, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let Some(name) = folder.find(&key) else { return Ok(None) };
            let Some(file) = open_beneath(&folder.root, &name)? else { return Ok(None) };
            let most = contents::stored_bytes_for(at_most);
            let mut stored = Vec::new();
            file.take(most as u64 + 1).read_to_end(&mut stored)?;
            let whole = stored.len() <= most;
            Ok(Some(contents::start(stored, whole, at_most)))
        })
        .await
    }

    /// The file that holds an object of this name.
    pub(super) async fn head(&self, name: &str) -> Result<Option<Meta>, String> {
        let Ok(location) = StorePath::parse(name) else { return Ok(None) };
        match self.store.head(&location).await {
            Ok(meta) => Ok(Some(Meta::from(meta))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(cause(&error)),
        }
    }

    /// The name of an object that is there.
    pub(super) async fn name_of(&self, key: &str) -> Result<Option<String>, String> {
        let (folder, key) = (self.clone(), key.to_owned());
        blocking(move || Ok(folder.find(&key))).await
    }

    /// All objects, and what else is there. Symbolic links may lead in a circle, which the list of `LocalFileSystem` does not get over.
    pub(super) async fn list(&self) -> Result<(Vec<Meta>, walk::Found), String> {
        let root = self.root.clone();
        let mut found = blocking(move || walk::find(&root)).await?;
        let (names, unusable) = walk::names(&self.root, std::mem::take(&mut found.files));
        found.skipped.extend(unusable);
        let mut objects = Vec::with_capacity(names.len());
        for name in names {
            objects.extend(self.head(&name).await?);
        }
        Ok((objects, found))
    }

    /// Some bytes of an object.
    pub(super) async fn range(&self, name: &str, from: u64, to: u64) -> Result<bytes::Bytes, String> {
        self.store.get_range(&at(name), from..to).await.map_err(|error| cause(&error))
    }

    /// Moves an object to a key. Of one that was found through a symbolic link the link would be moved, or a file of another folder:
    /// it stays.
    pub(super) async fn rename(&self, name: &str, to: &str) -> Result<(), String> {
        let (root, path) = (self.root.clone(), PathBuf::from(name));
        if blocking(move || Ok(is_below_a_link(&root, &path))).await? {
            return Err("found a symbolic link in its path; only what is in the folder itself is moved".to_owned());
        }
        let to = self.free_name(to).await?;
        self.store.rename(&at(name), &at(&to)).await.map_err(|error| cause(&error))
    }

    async fn free_name(&self, key: &str) -> Result<String, String> {
        let (folder, key) = (self.clone(), key.to_owned());
        blocking(move || Ok(folder.free(&key))).await
    }

    /// A name that an object of this key may have, whatever else lies here.
    fn free(&self, key: &str) -> String {
        let mut names = encoded(key);
        let (mut path, last) = (self.root.clone(), names.len() - 1);
        for (index, name) in names.iter_mut().enumerate() {
            // A link that leads nowhere is no object: its disk is missing, perhaps.
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

    /// The name of the file that holds an object.
    fn find(&self, key: &str) -> Option<String> {
        find(&self.root, &encoded(key)).map(|names| names.join("/"))
    }
}

/// Looks in both places where an object may have got: what lay in its way once may be gone.
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

/// Whether a path below a folder is a symbolic link, or leads through one.
fn is_below_a_link(root: &Path, path: &Path) -> bool {
    path.ancestors().filter(|path| !path.as_os_str().is_empty()).any(|path| root.join(path).is_symlink())
}

/// A regular file below a folder, without a symbolic link on the way; none where there is anything else. A FIFO or a device is not
/// opened, as that may wait for ever.
fn open_beneath(root: &Path, name: &str) -> io::Result<Option<File>> {
    let opened = || -> rustix::io::Result<Option<File>> {
        let mut folder = rustix::fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
        for name in folders.split('/').filter(|name| !name.is_empty()) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            folder = openat(&folder, name, flags, Mode::empty())?;
        }
        let is_file = |mode| FileType::from_raw_mode(mode) == FileType::RegularFile;
        if !is_file(statat(&folder, file, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) {
            return Ok(None);
        }
        // It may be another by now.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&folder, file, flags, Mode::empty())?;
        Ok(is_file(rustix::fs::fstat(&file)?.st_mode).then(|| file.into()))
    };
    match opened() {
        // A link, or what is no folder, is in the way; or it is gone.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR | rustix::io::Errno::NOENT) => Ok(None),
        opened => Ok(opened?),
    }
}

/// The names of a key's folders, and of its file.
pub(super) fn encoded(key: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in key.split('/') {
        encode(part, &mut names);
    }
    if let Some(file) = names.last_mut()
        && let Some(object) = being_written(file).map(str::len)
    {
        file.replace_range(object..=object, "%23");
    }
    names
}

fn encode(part: &str, names: &mut Vec<String>) {
    let mut name = String::new();
    for (index, character) in part.char_indices() {
        let as_is = &part[index..index + character.len_utf8()];
        let mut code = match character {
            '%' if reads_as_encoded(&part[index + 1..]) => Some("%25".to_owned()),
            control if control.is_ascii_control() => Some(format!("%{:02X}", u32::from(control))),
            _ => None,
        };
        if name.len() + code.as_deref().unwrap_or(as_is).len() > MAX_NAME_BYTES {
            names.push(std::mem::take(&mut name) + GOES_ON);
            // Else the rest would be a hidden file, which no redrive reads.
            if character == '.' {
                code = Some("%2E".to_owned());
            }
        }
        name.push_str(code.as_deref().unwrap_or(as_is));
    }
    names.push(match name.as_str() {
        "" => "%".to_owned(),
        "%" => "%25".to_owned(),
        "." | ".." => name.replace('.', "%2E"),
        _ => name,
    });
}

/// Whether a `%` before this would be taken for a part of the encoding.
fn reads_as_encoded(rest: &str) -> bool {
    matches!(rest, "-" | "+" | "=") || code(rest).is_some()
}

/// The character that two hexadecimal digits stand for, if it is one that is ever encoded.
fn code(digits: &str) -> Option<char> {
    let digits = digits
        .get(..2)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()))?;
    let character = char::from(u8::from_str_radix(digits, 16).ok()?);
    (matches!(character, '.' | '#' | '%') || character.is_ascii_control()).then_some(character)
}

/// The key of an object with this name. A name that is no key's, of a file that came here in another way, is its own.
pub(super) fn decoded(name: &str) -> String {
    let (mut key, mut plain) = (String::new(), Vec::new());
    let mut names = name.split('/').peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        let name = name.strip_suffix(if is_last { ABOVE } else { BELOW }).unwrap_or(name);
        plain.push(name.to_owned());
        let part = name.strip_suffix(GOES_ON).filter(|_| !is_last);
        decode(part.unwrap_or(name), &mut key);
        if part.is_none() && !is_last {
            key.push('/');
        }
    }
    if encoded(&key) == plain { key } else { name.to_owned() }
}

fn decode(name: &str, key: &mut String) {
    if name == "%" {
        return;
    }
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        key.push_str(before);
        let code = code(after);
        key.push(code.unwrap_or('%'));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    key.push_str(rest);
}

fn at(name: &str) -> StorePath {
    // What is encoded, or was listed, always is one.
    StorePath::parse(name).unwrap_or_else(|_| StorePath::from(name))
}

impl From<ObjectMeta> for Meta {
    fn from(meta: ObjectMeta) -> Self {
        Self {
            name: meta.location.into(),
            bytes: meta.size,
            e_tag: meta.e_tag,
            modified_us: meta.last_modified.timestamp_micros(),
        }
    }
}

/// Does what may wait for a disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?;
    done.map_err(|error| error.to_string())
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

/// The name without the `#1` that `LocalFileSystem` gives a file while it is written; none of a file without one.
pub(super) fn being_written(name: &str) -> Option<&str> {
    let (object, number) = name.rsplit_once('#')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(object)
}

/// Whether a file's name is that of a Firehose object that is being written.
fn is_unfinished(name: &str) -> bool {
    let Some(object) = being_written(name) else { return false };
    let object = object.strip_suffix(ABOVE).unwrap_or(object);
    let id = object.strip_suffix(".gz").unwrap_or(object);
    let id = id.len().checked_sub(36).and_then(|start| id.get(start..));
    id.is_some_and(|id| Uuid::try_parse(id).is_ok())
}
