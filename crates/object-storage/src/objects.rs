//! Lists, reads and moves existing objects.

use std::io::{self, Read};
use std::path::PathBuf;

use bytes::{Buf, Bytes};
use tokio::runtime::Handle;

use super::folder::Folder;
use super::names;
use super::{Bucket, BucketError, Destination, Meta, Store, walk};
use super::{S3, s3};

/// The range of one request: few requests for Firehose's largest object (128 MB), and little memory.
const READ_BYTES: u64 = 4 * 1024 * 1024;

/// An object, as it was when it was listed.
#[derive(Debug, Clone)]
pub struct StoredObject {
    key: String,
    meta: Meta,
}

impl StoredObject {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its stored size.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.meta.bytes
    }

    /// A text that changes with the object: its size, with S3's entity tag or the file's modification time.
    #[must_use]
    pub fn version(&self) -> String {
        let tag = self.meta.e_tag.clone().unwrap_or_else(|| self.meta.modified_us.to_string());
        format!("{} {tag}", self.meta.bytes)
    }
}

/// The result of a listing.
#[derive(Debug)]
pub struct Found {
    /// Sorted by key.
    pub objects: Vec<StoredObject>,
    /// Files that are skipped, and why.
    pub skipped: Vec<(PathBuf, &'static str)>,
    /// Unreadable files and folders, with the cause.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Whether an object is unchanged. Some S3 lists have no entity tag, and `HeadObject` has times in whole seconds.
fn is_same(one: &Meta, other: &Meta) -> bool {
    one.bytes == other.bytes
        && match (&one.e_tag, &other.e_tag) {
            (Some(one), Some(other)) => one == other,
            _ => one.modified_us.div_euclid(1_000_000) == other.modified_us.div_euclid(1_000_000),
        }
}

impl Bucket {
    /// Opens an existing storage without changing it.
    pub fn open_existing(destination: &Destination) -> Result<Self, BucketError> {
        let store = match destination {
            Destination::Folder(path) => Store::Folder(Folder::open_existing(path)?),
            Destination::S3 { bucket, endpoint } => Store::S3(S3::open(s3::environment, bucket, endpoint.as_deref())?),
        };
        Ok(Self { store, place: destination.to_string() })
    }

    /// Lists the objects whose keys begin with a prefix, or the object `one_of`; in a folder, all objects, or that one.
    ///
    /// Empty objects, hidden ones (below `.git`, say) and unfinished files (`NAME#1`) are left out. The list takes about 300 bytes of
    /// memory per object.
    pub async fn find(&self, prefix: &str, one_of: Option<&str>) -> Result<Found, BucketError> {
        let found = match (&self.store, one_of) {
            (Store::Folder(folder), Some(file)) => {
                folder.head(file).await.map(|found| (found.into_iter().collect(), None))
            }
            (Store::Folder(folder), None) => folder.list().await.map(|(found, walked)| (found, Some(walked))),
            (Store::S3(s3), one_of) => s3_objects(s3, prefix, one_of).await.map(|found| (found, None)),
        };
        let place = match prefix.strip_suffix('/').unwrap_or(prefix) {
            "" => self.place.clone(),
            below => self.place_of(below),
        };
        let (found, walked) = found.map_err(|cause| BucketError::List { place, cause })?;
        let mut objects: Vec<StoredObject> = found.into_iter().map(|meta| self.object(meta)).collect();
        let is_hidden = |object: &StoredObject| {
            let below = object.key.strip_prefix(prefix).unwrap_or_default();
            below.split('/').any(|part| part.starts_with('.') && !matches!(part, "." | ".."))
        };
        objects.retain(|object| object.bytes() > 0 && !is_hidden(object));
        objects.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let walk::Found { skipped, unreadable, .. } = walked.unwrap_or_default();
        Ok(Found { objects, skipped, unreadable })
    }

    fn object(&self, meta: Meta) -> StoredObject {
        let key = match &self.store {
            Store::Folder(_) => names::decoded(&meta.name),
            Store::S3(_) => meta.name.clone(),
        };
        StoredObject { key, meta }
    }

    /// A reader of an object's stored bytes, which it requests range by range. It blocks, so it needs a thread that may block. Don't
    /// read on after an error.
    #[must_use]
    pub fn read(&self, object: &StoredObject) -> impl Read + Send + use<> {
        Pieces { bucket: self.clone(), object: object.clone(), at: 0, piece: Bytes::new(), runtime: Handle::current() }
    }

    /// The bytes of an object from an offset; empty after its last byte.
    async fn piece(&self, object: &StoredObject, at: u64) -> Result<Bytes, String> {
        let to = object.bytes().min(at + READ_BYTES);
        if at >= to {
            return Ok(Bytes::new());
        }
        let piece = match &self.store {
            Store::Folder(folder) => folder.range(&object.meta.name, at, to).await,
            Store::S3(s3) => s3.range(&object.meta.name, at, to).await,
        }?;
        if piece.is_empty() { Err("it is shorter than when it was listed".to_owned()) } else { Ok(piece) }
    }

    async fn head(&self, name: &str) -> Result<Option<Meta>, String> {
        match &self.store {
            Store::Folder(folder) => folder.head(name).await,
            Store::S3(s3) => s3.head(name).await,
        }
    }

    /// Whether the object is unchanged since it was listed.
    pub async fn is_unchanged(&self, object: &StoredObject) -> Result<bool, BucketError> {
        let there = self.head(&object.meta.name).await;
        let there = there.map_err(|cause| BucketError::Get { place: self.place_of_object(object), cause })?;
        Ok(there.is_some_and(|there| is_same(&there, &object.meta)))
    }

    /// Moves an object. S3 copies and deletes, so an interrupted move leaves an object with the same content, which is accepted.
    /// Another object is not overwritten.
    pub async fn rename(&self, object: &StoredObject, to: &str) -> Result<(), BucketError> {
        let moved = match self.find_at(to).await {
            Ok(None) => Ok(()),
            Ok(Some(there)) => match self.have_same_content(object, &self.object(there)).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("another object already exists there".to_owned()),
                Err(error) => Err(format!("could not compare it with the object that already exists there: {error}")),
            },
            Err(cause) => Err(cause),
        };
        let moved = match (moved, &self.store) {
            (Err(cause), _) => Err(cause),
            (Ok(()), Store::Folder(folder)) => folder.rename(&object.meta.name, to).await,
            (Ok(()), Store::S3(s3)) => s3.rename(&object.meta.name, to).await,
        };
        let (place, to) = (self.place_of_object(object), self.place_of(to));
        moved.map_err(|cause| BucketError::Move { place, to, cause })
    }

    /// The object at a key.
    async fn find_at(&self, key: &str) -> Result<Option<Meta>, String> {
        match &self.store {
            Store::S3(s3) => s3.head(key).await,
            Store::Folder(folder) => match folder.name_of(key).await? {
                Some(name) => folder.head(&name).await,
                None => Ok(None),
            },
        }
    }

    async fn have_same_content(&self, one: &StoredObject, other: &StoredObject) -> Result<bool, String> {
        if one.bytes() != other.bytes() {
            return Ok(false);
        }
        let mut at = 0;
        while at < one.bytes() {
            let (left, right) = (self.piece(one, at).await?, self.piece(other, at).await?);
            let length = left.len().min(right.len());
            if left[..length] != right[..length] {
                return Ok(false);
            }
            at += length as u64;
        }
        Ok(true)
    }

    /// An object's place, for messages.
    #[must_use]
    pub fn place_of_object(&self, object: &StoredObject) -> String {
        self.place_of(&object.key)
    }
}

async fn s3_objects(s3: &S3, prefix: &str, one_of: Option<&str>) -> Result<Vec<Meta>, String> {
    let mut found = s3.list(prefix).await?;
    if let Some(name) = one_of
        && found.iter().all(|meta| meta.name != name)
    {
        found.extend(s3.head(name).await?);
    }
    Ok(found)
}

struct Pieces {
    bucket: Bucket,
    object: StoredObject,
    /// The offset of the next piece.
    at: u64,
    piece: Bytes,
    runtime: Handle,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            let piece = self.runtime.block_on(self.bucket.piece(&self.object, self.at));
            self.piece = piece.map_err(io::Error::other)?;
            self.at += self.piece.len() as u64;
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
