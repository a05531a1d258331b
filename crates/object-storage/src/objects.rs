//! The objects that lie in the storage already: found, read and moved.

use std::io::{self, Read};
use std::path::PathBuf;

use bytes::{Buf, Bytes};
use tokio::runtime::Handle;

use super::folder::{self, Folder};
use super::s3::{self, S3};
use super::{Bucket, BucketError, Destination, Meta, Store, walk};

/// How much of an object one request asks for: a few requests for one of Firehose's largest (128 MB), and little to hold.
const READ_BYTES: u64 = 4 * 1024 * 1024;

/// One object, as it was when it was found.
#[derive(Debug, Clone)]
pub struct Object {
    key: String,
    meta: Meta,
}

impl Object {
    /// Its key in the storage.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its size as it is stored.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.meta.bytes
    }

    /// What is another text once the object is another: S3's entity tag, or what a file system knows.
    #[must_use]
    pub fn version(&self) -> String {
        let tag = self.meta.e_tag.clone().unwrap_or_else(|| self.meta.modified_us.to_string());
        format!("{} {tag}", self.meta.bytes)
    }
}

/// What is in a storage.
#[derive(Debug)]
pub struct Found {
    /// In the order of their keys.
    pub objects: Vec<Object>,
    /// What of a folder is left out, and why.
    pub skipped: Vec<(PathBuf, &'static str)>,
    /// What of a folder could not be read, and the operating system's message.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Whether an object is the same at two moments. Not every S3 tells an entity tag in its list, and one asked for a single
/// object tells whole seconds.
fn is_same(one: &Meta, other: &Meta) -> bool {
    one.bytes == other.bytes
        && match (&one.e_tag, &other.e_tag) {
            (Some(one), Some(other)) => one == other,
            _ => one.modified_us.div_euclid(1_000_000) == other.modified_us.div_euclid(1_000_000),
        }
}

impl Bucket {
    /// A storage that is there already; nothing is made or removed in it.
    pub fn open_existing(destination: &Destination) -> Result<Self, BucketError> {
        let store = match destination {
            Destination::Folder(path) => Store::Folder(Folder::open_existing(path)?),
            Destination::S3 { bucket, endpoint } => Store::S3(S3::open(s3::environment, bucket, endpoint.as_deref())?),
        };
        Ok(Self { store, place: destination.to_string() })
    }

    /// The objects whose keys begin with a prefix, or the one of the name `one_of`; in a folder, all of them, or that one. Without
    /// empty ones, and without those of which a part of the name is hidden, as `.git`. A file that ends in `#` and a number is none:
    /// it is being written. All are in memory at once, at some 300 bytes each.
    pub async fn find(&self, prefix: &str, one_of: Option<&str>) -> Result<Found, BucketError> {
        let found = match (&self.store, one_of) {
            (Store::Folder(folder), Some(file)) => {
                folder.head(file).await.map(|found| (found.into_iter().collect(), None))
            }
            (Store::Folder(folder), None) => folder.list().await.map(|(found, others)| (found, Some(others))),
            (Store::S3(s3), one_of) => s3_objects(s3, prefix, one_of).await.map(|found| (found, None)),
        };
        let place = match prefix.strip_suffix('/').unwrap_or(prefix) {
            "" => self.place.clone(),
            below => self.place_of(below),
        };
        let (found, others) = found.map_err(|cause| BucketError::List { place, cause })?;
        let mut objects: Vec<Object> = found.into_iter().map(|meta| self.object(meta)).collect();
        let is_hidden = |object: &Object| {
            let below = object.key.strip_prefix(prefix).unwrap_or_default();
            below.split('/').any(|part| part.starts_with('.') && !matches!(part, "." | ".."))
        };
        objects.retain(|object| object.bytes() > 0 && !is_hidden(object));
        objects.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let walk::Found { skipped, unreadable, .. } = others.unwrap_or_default();
        Ok(Found { objects, skipped, unreadable })
    }

    fn object(&self, meta: Meta) -> Object {
        let key = match &self.store {
            Store::Folder(_) => folder::decoded(&meta.name),
            Store::S3(_) => meta.name.clone(),
        };
        Object { key, meta }
    }

    /// The bytes of an object as they are stored, asked for piece by piece, however long the reader takes for each. To be read
    /// by a thread that may wait. After an error it may not be asked again.
    #[must_use]
    pub fn read(&self, object: &Object) -> impl Read + Send + use<> {
        Pieces { bucket: self.clone(), object: object.clone(), at: 0, piece: Bytes::new(), runtime: Handle::current() }
    }

    /// Some bytes of an object, from a place on; none at its end.
    async fn piece(&self, object: &Object, at: u64) -> Result<Bytes, String> {
        let to = object.bytes().min(at + READ_BYTES);
        if at >= to {
            return Ok(Bytes::new());
        }
        let piece = match &self.store {
            Store::Folder(folder) => folder.range(&object.meta.name, at, to).await,
            Store::S3(s3) => s3.range(&object.meta.name, at, to).await,
        }?;
        if piece.is_empty() { Err("it is shorter than it was".to_owned()) } else { Ok(piece) }
    }

    async fn head(&self, name: &str) -> Result<Option<Meta>, String> {
        match &self.store {
            Store::Folder(folder) => folder.head(name).await,
            Store::S3(s3) => s3.head(name).await,
        }
    }

    /// Whether the object is still what it was when it was found.
    pub async fn is_unchanged(&self, object: &Object) -> Result<bool, BucketError> {
        let there = self.head(&object.meta.name).await;
        let there = there.map_err(|cause| BucketError::Get { place: self.place_of_object(object), cause })?;
        Ok(there.is_some_and(|there| is_same(&there, &object.meta)))
    }

    /// Moves an object. What lies there already and holds the same is what an interrupted move has left, as S3 moves by copying;
    /// any other is not overwritten.
    pub async fn rename(&self, object: &Object, to: &str) -> Result<(), BucketError> {
        let moved = match self.there(to).await {
            Ok(None) => Ok(()),
            Ok(Some(there)) => match self.hold_the_same(object, &self.object(there)).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("another object is there already".to_owned()),
                Err(error) => Err(format!("could not compare it with what is there already: {error}")),
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

    /// What lies at a key.
    async fn there(&self, key: &str) -> Result<Option<Meta>, String> {
        match &self.store {
            Store::S3(s3) => s3.head(key).await,
            Store::Folder(folder) => match folder.name_of(key).await? {
                Some(name) => folder.head(&name).await,
                None => Ok(None),
            },
        }
    }

    async fn hold_the_same(&self, one: &Object, other: &Object) -> Result<bool, String> {
        if one.bytes() != other.bytes() {
            return Ok(false);
        }
        let mut at = 0;
        while at < one.bytes() {
            let (ours, theirs) = (self.piece(one, at).await?, self.piece(other, at).await?);
            let length = ours.len().min(theirs.len());
            if ours[..length] != theirs[..length] {
                return Ok(false);
            }
            at += length as u64;
        }
        Ok(true)
    }

    /// Where an object is, for messages.
    #[must_use]
    pub fn place_of_object(&self, object: &Object) -> String {
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

/// A reader of an object.
struct Pieces {
    bucket: Bucket,
    object: Object,
    /// How much of it was asked for.
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
