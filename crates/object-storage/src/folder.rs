//! A folder as a bucket. An object is a file, which is written as a whole, as in S3.
//!
//! S3 accepts every key, a file system does not. A key's slashes are folders. What a file's name can't have is encoded, so that each
//! key has its own name and can be decoded from it:
//!
//! | in the key | in the folder |
//! |---|---|
//! | nothing between two slashes, or before the first | `%` |
//! | a part that is `.` or `..` | `%2E`, `%2E%2E` |
//! | a control character | `%00` to `%1F`, `%7F` |
//! | `#1` at the end, which marks an unfinished file | `%231` |
//! | a `%` that would look like one of these | `%25` |
//! | a part of more than 240 bytes | several folders, with `%-` at the end of all but the last; a dot after that is `%2E` |
//! | a folder with the name of an object | `%+` at its end |
//! | an object with the name of a folder | `%=` at its end |

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStoreExt};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use uuid::Uuid;

use super::contents::{self, ObjectStart};
use super::{BucketError, Meta, cause, walk};

/// The longest file name, without the `#1` of an unfinished file (Linux and macOS: 255 bytes).
const MAX_NAME_BYTES: usize = 240;

/// At the end of a folder's name: the same part of the key continues in the next name.
const CONTINUES: &str = "%-";

/// At the end of a folder with the name of an object.
const BELOW: &str = "%+";

/// At the end of an object with the name of a folder.
const ABOVE: &str = "%=";

#[derive(Debug, Clone)]
pub(super) struct Folder {
    store: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl Folder {
    /// Opens or creates a folder, and removes the unfinished files of a killed process.
    pub(super) fn open(path: &Path, durable: bool) -> Result<Self, BucketError> {
        let failed = |source| BucketError::Folder { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        remove_unfinished(path);
        let store = store(path).map_err(failed)?.with_fsync(durable);
        Ok(Self { store: Arc::new(store), root: path.to_owned() })
    }

    pub(super) fn open_existing(path: &Path) -> Result<Self, BucketError> {
        let store = store(path).map_err(|source| BucketError::Missing { path: path.to_owned(), source })?;
        Ok(Self { store: Arc::new(store), root: path.to_owned() })
    }

    pub(super) async fn put(&self, key: &str, bytes: bytes::Bytes) -> Result<(), String> {
        let name = self.free_name(key).await?;
        self.store.put(&at(&name), bytes.into()).await.map(drop).map_err(|error| cause(&error))
    }

    /// The start of an object. Symbolic links are not followed.
    pub(super) async fn start(&self, key: &str, at_most: usize) -> Result<Option<ObjectStart>, String> {
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

    /// The metadata of the file of this name.
    pub(super) async fn head(&self, name: &str) -> Result<Option<Meta>, String> {
        let Ok(location) = StorePath::parse(name) else { return Ok(None) };
        match self.store.head(&location).await {
            Ok(meta) => Ok(Some(Meta::from(meta))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(cause(&error)),
        }
    }

    /// The name of an existing object.
    pub(super) async fn name_of(&self, key: &str) -> Result<Option<String>, String> {
        let (folder, key) = (self.clone(), key.to_owned());
        blocking(move || Ok(folder.find(&key))).await
    }

    /// All objects. Symbolic links may form a cycle, in which the list of `LocalFileSystem` does not terminate.
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

    pub(super) async fn range(&self, name: &str, from: u64, to: u64) -> Result<bytes::Bytes, String> {
        self.store.get_range(&at(name), from..to).await.map_err(|error| cause(&error))
    }

    /// Moves an object. One that was found through a symbolic link is refused: the link would be moved, or a file of another folder.
    pub(super) async fn rename(&self, name: &str, to: &str) -> Result<(), String> {
        let (root, path) = (self.root.clone(), PathBuf::from(name));
        if blocking(move || Ok(is_below_a_link(&root, &path))).await? {
            return Err("its path has a symbolic link; accepted is an object in the folder itself".to_owned());
        }
        let to = self.free_name(to).await?;
        self.store.rename(&at(name), &at(&to)).await.map_err(|error| cause(&error))
    }

    async fn free_name(&self, key: &str) -> Result<String, String> {
        let (folder, key) = (self.clone(), key.to_owned());
        blocking(move || Ok(folder.free(&key))).await
    }

    /// A name for an object that no other file or folder has.
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

    /// The name of an object's file.
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

/// Whether a path below a folder is a symbolic link, or leads through one.
fn is_below_a_link(root: &Path, path: &Path) -> bool {
    path.ancestors().filter(|path| !path.as_os_str().is_empty()).any(|path| root.join(path).is_symlink())
}

/// Opens a regular file below a folder, without following symbolic links. A FIFO or a device is not opened, because that may block.
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
        // Another file may have replaced it since.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&folder, file, flags, Mode::empty())?;
        Ok(is_file(rustix::fs::fstat(&file)?.st_mode).then(|| file.into()))
    };
    match opened() {
        // There is a link or a file in its path, or it was removed.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR | rustix::io::Errno::NOENT) => Ok(None),
        opened => Ok(opened?),
    }
}

/// The names of a key's folders and of its file.
pub(super) fn encoded(key: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in key.split('/') {
        encode(part, &mut names);
    }
    if let Some(file) = names.last_mut()
        && let Some(object) = unfinished(file).map(str::len)
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
            names.push(std::mem::take(&mut name) + CONTINUES);
            // Otherwise the rest would be a hidden file, which redrive does not read.
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

/// Whether a `%` before this would look like a part of the encoding.
fn reads_as_encoded(rest: &str) -> bool {
    matches!(rest, "-" | "+" | "=") || code(rest).is_some()
}

/// The character of two hexadecimal digits, if it is one that is encoded.
fn code(digits: &str) -> Option<char> {
    let digits = digits
        .get(..2)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()))?;
    let character = char::from(u8::from_str_radix(digits, 16).ok()?);
    (matches!(character, '.' | '#' | '%') || character.is_ascii_control()).then_some(character)
}

/// The key of a name. A name that no key has, of a file from elsewhere, is its own key.
pub(super) fn decoded(name: &str) -> String {
    let (mut key, mut plain) = (String::new(), Vec::new());
    let mut names = name.split('/').peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        let name = name.strip_suffix(if is_last { ABOVE } else { BELOW }).unwrap_or(name);
        plain.push(name.to_owned());
        let part = name.strip_suffix(CONTINUES).filter(|_| !is_last);
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
    // Encoded and listed names are always valid.
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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?;
    done.map_err(|error| error.to_string())
}

fn store(path: &Path) -> io::Result<LocalFileSystem> {
    LocalFileSystem::new_with_prefix(path).map_err(|error| io::Error::other(cause(&error)))
}

/// Ignores errors: an existing folder may have files and folders that are not accessible.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // A symbolic link is neither, so nothing outside the folder is removed.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            remove_unfinished(&entry.path());
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_unfinished) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The name without the `#1` of an unfinished file of `LocalFileSystem`; none for other files.
pub(super) fn unfinished(name: &str) -> Option<&str> {
    let (object, number) = name.rsplit_once('#')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(object)
}

/// Whether a file is an unfinished object of Firehose.
fn is_unfinished(name: &str) -> bool {
    let Some(object) = unfinished(name) else { return false };
    let object = object.strip_suffix(ABOVE).unwrap_or(object);
    let id = object.strip_suffix(".gz").unwrap_or(object);
    let id = id.len().checked_sub(36).and_then(|start| id.get(start..));
    id.is_some_and(|id| Uuid::try_parse(id).is_ok())
}
