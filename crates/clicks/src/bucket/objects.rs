//! The objects that lie in the storage already: found, read and moved.

use std::io::{self, Read};
use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::buffered::BufReader;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use tokio::io::AsyncBufReadExt;
use tokio_util::io::SyncIoBridge;

use super::{Bucket, BucketError, Destination, Kind, cause, folder, read_cause, s3};

/// How much of an object one request asks for: a few requests for one of Firehose's largest (128 MB), and little to hold.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// One object, as it was when it was found.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    meta: ObjectMeta,
}

impl Object {
    /// Its name in the storage.
    pub(crate) fn path(&self) -> &Path {
        &self.meta.location
    }

    /// Its size as it is stored.
    pub(crate) fn bytes(&self) -> u64 {
        self.meta.size
    }

    /// What is another text once the object is another: S3's entity tag, or what a file system knows.
    pub(crate) fn version(&self) -> String {
        let tag = self.meta.e_tag.clone().unwrap_or_else(|| self.meta.last_modified.timestamp_micros().to_string());
        format!("{} {tag}", self.meta.size)
    }
}

/// Whether an object is the same at two moments. Not every S3 tells an entity tag in its list, and one asked for a single
/// object tells whole seconds.
fn is_same(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    one.size == other.size
        && match (&one.e_tag, &other.e_tag) {
            (Some(one), Some(other)) => one == other,
            _ => one.last_modified.timestamp() == other.last_modified.timestamp(),
        }
}

/// A reader whose errors are told in one line.
struct Told<R>(R);

impl<R: Read> Read for Told<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| io::Error::new(error.kind(), read_cause(&error)))
    }
}

impl Bucket {
    /// A storage that is there already; nothing is made or removed in it.
    pub(crate) fn open_existing(destination: &Destination) -> Result<Self, BucketError> {
        match destination {
            Destination::Folder(path) => {
                let store = Arc::new(folder::open_existing(path)?);
                Ok(Self { store, kind: Kind::Folder, place: destination.to_string() })
            }
            Destination::S3 { bucket, endpoint } => {
                let store = Arc::new(s3::open(s3::environment(), bucket, endpoint.as_deref())?);
                Ok(Self { store, kind: Kind::S3, place: destination.to_string() })
            }
        }
    }

    /// The objects below a prefix, and the one of that name if it `may_be_one`, in the order of their names: without empty ones,
    /// and without those of which a part of the name is hidden, as `.git`. A file that ends in `#` and a number is none: it is
    /// being written. All are in memory at once, at some 300 bytes each.
    pub(crate) async fn find(&self, prefix: &Path, may_be_one: bool) -> Result<Vec<Object>, BucketError> {
        let failed = |error| BucketError::List { place: self.place_of(prefix), cause: cause(&error) };
        let listed = self.store.list(Some(prefix)).map_ok(|meta| Object { meta });
        let mut found: Vec<Object> = listed.try_collect().await.map_err(failed)?;
        if may_be_one {
            match self.store.head(prefix).await {
                Ok(meta) if found.iter().all(|object| object.meta.location != meta.location) => {
                    found.push(Object { meta });
                }
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let is_hidden = |object: &Object| {
            let below = object.meta.location.prefix_match(prefix);
            below.is_some_and(|mut parts| parts.any(|part| part.as_ref().starts_with('.')))
        };
        found.retain(|object| object.bytes() > 0 && !is_hidden(object));
        found.sort_unstable_by(|one, other| one.meta.location.cmp(&other.meta.location));
        Ok(found)
    }

    /// The objects of these names, as far as they are there and not empty.
    pub(crate) async fn objects(&self, names: &[Path]) -> Result<Vec<Object>, BucketError> {
        let mut objects = Vec::with_capacity(names.len());
        for name in names {
            match self.store.head(name).await {
                Ok(meta) if meta.size > 0 => objects.push(Object { meta }),
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(BucketError::List { place: self.place_of(name), cause: cause(&error) }),
            }
        }
        Ok(objects)
    }

    /// The bytes of an object as they are stored, asked for piece by piece, however long the reader takes for each. To be read
    /// by a thread that may wait. After an error it may not be asked again.
    pub(crate) fn read(&self, object: &Object) -> impl Read + Send + use<> {
        Told(SyncIoBridge::new(self.reader(object)))
    }

    fn reader(&self, object: &Object) -> BufReader {
        BufReader::with_capacity(Arc::clone(&self.store), &object.meta, READ_BYTES)
    }

    /// Whether the object is still what it was when it was found.
    pub(crate) async fn is_unchanged(&self, object: &Object) -> Result<bool, BucketError> {
        match self.store.head(&object.meta.location).await {
            Ok(meta) => Ok(is_same(&meta, &object.meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.unreadable(&object.meta.location, &error)),
        }
    }

    /// Moves an object. What lies there already and holds the same is what an interrupted move has left, as S3 moves by copying;
    /// any other is not overwritten.
    pub(crate) async fn rename(&self, object: &Object, to: &Path) -> Result<(), BucketError> {
        let failed = |cause: String| BucketError::Move {
            place: self.place_of(&object.meta.location),
            to: self.place_of(to),
            cause,
        };
        match self.store.head(to).await {
            Ok(there) => match self.hold_the_same(object, &Object { meta: there }).await {
                Ok(true) => {}
                Ok(false) => return Err(failed("another object is there already".to_owned())),
                Err(error) => return Err(failed(format!("could not compare it with what is there already: {error}"))),
            },
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(cause(&error))),
        }
        self.store.rename(&object.meta.location, to).await.map_err(|error| failed(cause(&error)))
    }

    async fn hold_the_same(&self, one: &Object, other: &Object) -> io::Result<bool> {
        if one.bytes() != other.bytes() {
            return Ok(false);
        }
        let (mut one, mut other) = (self.reader(one), self.reader(other));
        loop {
            let (ours, theirs) = (one.fill_buf().await?, other.fill_buf().await?);
            let length = ours.len().min(theirs.len());
            if ours[..length] != theirs[..length] {
                return Ok(false);
            }
            if length == 0 {
                return Ok(true);
            }
            one.consume(length);
            other.consume(length);
        }
    }

    /// Where an object is, for messages.
    pub(crate) fn place_of_object(&self, object: &Object) -> String {
        self.place_of(&object.meta.location)
    }

    fn unreadable(&self, location: &Path, error: &object_store::Error) -> BucketError {
        BucketError::Get { place: self.place_of(location), cause: cause(error) }
    }
}
