//! Lists, reads and moves existing objects.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::runtime::Handle;

use super::{Bucket, BucketError, Found, Store, StoredObject};

/// The range of one request: few requests for Firehose's largest object (128 MB), and little memory.
const READ_BYTES: u64 = 4 * 1024 * 1024;

impl StoredObject {
    /// A text that changes with the object: its size, with S3's entity tag or the file's modification time.
    #[must_use]
    pub fn version(&self) -> String {
        let tag = self.e_tag.clone().unwrap_or_else(|| self.modified_us.to_string());
        format!("{} {tag}", self.bytes)
    }

    /// Whether it is unchanged. Some S3 lists have no entity tag, and `HeadObject` has times in whole seconds.
    fn is_same(&self, other: &Self) -> bool {
        self.bytes == other.bytes
            && match (&self.e_tag, &other.e_tag) {
                (Some(one), Some(other)) => one == other,
                _ => self.modified_us.div_euclid(1_000_000) == other.modified_us.div_euclid(1_000_000),
            }
    }
}

impl Bucket {
    /// Lists the objects whose keys begin with a prefix, or the object `one_of`; in a folder, all objects, or that one. Empty objects, hidden
    /// ones (below `.git`, say) and unfinished files (`NAME#1`) are left out. The list takes about 300 bytes of memory per object.
    pub async fn find(&self, prefix: &str, one_of: Option<&str>) -> Result<Found, BucketError> {
        let found = match (&self.store, one_of) {
            (Store::Folder(folder), None) => folder.list().await,
            (Store::Folder(folder), Some(file)) => folder.head(file).await.map(listed),
            #[cfg(feature = "s3")]
            (Store::S3(s3), one_of) => s3.list(prefix, one_of).await.map(listed),
        };
        let place = match prefix.strip_suffix('/').unwrap_or(prefix) {
            "" => self.place.clone(),
            below => self.place_of(below),
        };
        let mut found = found.map_err(|cause| BucketError::Operation { operation: "list", place, cause })?;
        let is_hidden = |object: &StoredObject| {
            let below = object.key.strip_prefix(prefix).unwrap_or_default();
            below.split('/').any(|part| part.starts_with('.') && !matches!(part, "." | ".."))
        };
        found.objects.retain(|object| object.bytes > 0 && !is_hidden(object));
        found.objects.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }

    /// A blocking reader of an object's stored bytes, range by range. Don't read on after an error. `count` gets the
    /// number of bytes of each range.
    #[must_use]
    pub fn read<F: FnMut(u64) + Send>(&self, object: &StoredObject, count: F) -> impl Read + Send + use<F> {
        let (bucket, object, runtime) = (self.clone(), object.clone(), Handle::current());
        Pieces { bucket, object, at: 0, piece: Bytes::new(), count, runtime }
    }

    async fn piece(&self, object: &StoredObject, at: u64) -> Result<Bytes, String> {
        let to = object.bytes.min(at + READ_BYTES);
        if at >= to {
            return Ok(Bytes::new());
        }
        let piece = match &self.store {
            Store::Folder(folder) => folder.range(&object.name, at, to).await,
            #[cfg(feature = "s3")]
            Store::S3(s3) => s3.range(&object.name, at, to).await,
        }?;
        if piece.is_empty() { Err("it is shorter than when it was listed".to_owned()) } else { Ok(piece) }
    }

    /// Whether the object is unchanged since it was listed.
    pub async fn is_unchanged(&self, object: &StoredObject) -> Result<bool, BucketError> {
        let there = match &self.store {
            Store::Folder(folder) => folder.head(&object.name).await,
            #[cfg(feature = "s3")]
            Store::S3(s3) => s3.head(&object.name).await,
        };
        let failed = |cause| self.failed("read", &object.key, cause);
        Ok(there.map_err(failed)?.is_some_and(|there| there.is_same(object)))
    }

    /// Moves an object. S3 copies and deletes, so an interrupted move leaves an object with the same content, which is accepted.
    /// Another object is not overwritten.
    pub async fn rename(&self, object: &StoredObject, to: &str) -> Result<(), BucketError> {
        let place = || format!("{} to {}", self.place_of_object(object), self.place_of(to));
        let failed = |cause| BucketError::Operation { operation: "move", place: place(), cause };
        self.move_to(object, to).await.map_err(failed)
    }

    async fn move_to(&self, object: &StoredObject, to: &str) -> Result<(), String> {
        if let Some(there) = self.find_at(to).await? {
            let is_same = self
                .have_same_content(object, &there)
                .await
                .map_err(|error| format!("could not compare it with the object that already exists there: {error}"))?;
            if !is_same {
                return Err("another object already exists there".to_owned());
            }
        }
        match &self.store {
            Store::Folder(folder) => folder.rename(&object.name, to).await,
            #[cfg(feature = "s3")]
            Store::S3(s3) => s3.rename(&object.name, to).await,
        }
    }

    async fn find_at(&self, key: &str) -> Result<Option<StoredObject>, String> {
        match &self.store {
            #[cfg(feature = "s3")]
            Store::S3(s3) => s3.head(key).await,
            Store::Folder(folder) => folder.head_of_key(key).await,
        }
    }

    async fn have_same_content(&self, one: &StoredObject, other: &StoredObject) -> Result<bool, String> {
        if one.bytes != other.bytes {
            return Ok(false);
        }
        let mut at = 0;
        while at < one.bytes {
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

fn listed(objects: impl IntoIterator<Item = StoredObject>) -> Found {
    Found { objects: objects.into_iter().collect(), ..Found::default() }
}

struct Pieces<F> {
    bucket: Bucket,
    object: StoredObject,
    at: u64,
    piece: Bytes,
    count: F,
    runtime: Handle,
}

impl<F: FnMut(u64)> Read for Pieces<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            let piece = self.runtime.block_on(self.bucket.piece(&self.object, self.at));
            self.piece = piece.map_err(io::Error::other)?;
            self.at += self.piece.len() as u64;
            (self.count)(self.piece.len() as u64);
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
