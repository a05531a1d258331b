#![doc = include_str!("../README.md")]

mod destination;
mod folder;
mod names;
mod objects;
#[cfg(feature = "s3")]
mod s3;
mod walk;

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

pub use self::destination::{Destination, DestinationError};
use self::folder::Folder;
#[cfg(feature = "s3")]
use self::s3::S3;
use firehose_model::excerpt::excerpt;
use firehose_model::prefix::{Compression, MAX_KEY_BYTES};
use firehose_model::values::GZIP_MAGIC;

const MAX_CAUSE_CHARACTERS: usize = 200;

/// Why the storage can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// A folder can't be created or read.
    #[error("{0}")]
    Folder(String, #[source] io::Error),
    /// The environment has no credentials. `~/.aws` is not read.
    #[error(
        "{0} needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \
         (`aws configure export-credentials --format env` prints those of a profile)"
    )]
    NoCredentials(String),
    /// An operation failed, or its response was lost. After a move, the object may be in both places.
    #[error("could not {operation} {place}: {cause}")]
    Operation {
        /// Such as `read`.
        operation: &'static str,
        /// The bucket, the prefix or the object.
        place: String,
        /// The cause in one line.
        cause: String,
    },
}

/// A storage; cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Store,
    place: String,
}

#[derive(Debug, Clone)]
enum Store {
    Folder(Folder),
    #[cfg(feature = "s3")]
    S3(S3),
}

/// An object, as it was when it was listed.
#[derive(Debug, Clone)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// Its stored size.
    pub bytes: u64,
    /// Its key in S3, or its file in a folder.
    name: String,
    e_tag: Option<String>,
    modified_us: i64,
}

/// The result of a listing.
#[derive(Debug, Default)]
pub struct Found {
    /// Sorted by key.
    pub objects: Vec<StoredObject>,
    /// Files that are skipped, and why.
    pub skipped: Vec<(PathBuf, &'static str)>,
    /// Unreadable files and folders, with the cause.
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Bucket {
    /// Opens the storage of a destination. A folder is created, and read to remove what killed processes left unfinished there. A missing bucket is detected when the first object is put. With
    /// `durable`, a put into a folder returns when the object is on disk.
    pub fn open(destination: &Destination, durable: bool) -> Result<Self, BucketError> {
        Self::of(destination, |path| Folder::open(path, durable))
    }

    /// Opens an existing storage without changing it.
    pub fn open_existing(destination: &Destination) -> Result<Self, BucketError> {
        Self::of(destination, Folder::open_existing)
    }

    fn of(
        destination: &Destination,
        folder: impl FnOnce(&Path) -> Result<Folder, BucketError>,
    ) -> Result<Self, BucketError> {
        let store = match destination {
            Destination::Folder(path) => Store::Folder(folder(path)?),
            #[cfg(feature = "s3")]
            Destination::S3 { bucket, endpoint } => Store::S3(S3::open(s3::environment, bucket, endpoint.as_deref())?),
            #[cfg(not(feature = "s3"))]
            Destination::S3 { .. } => {
                let (place, cause) = (destination.to_string(), "this build is without the feature `s3`".to_owned());
                return Err(BucketError::Operation { operation: "set up", place, cause });
            }
        };
        Ok(Self { store, place: destination.to_string() })
    }

    /// Writes or replaces an object as a whole. Returns its key, which is encoded as in a folder if an S3 refuses it. `bytes` are
    /// compressed already; S3 gets a `Content-Encoding` for that.
    #[cfg_attr(not(feature = "s3"), expect(unused_variables, reason = "a file has no Content-Encoding"))]
    pub async fn put(&self, key: &str, bytes: Bytes, compression: Compression) -> Result<String, BucketError> {
        let key = shortened(key, MAX_KEY_BYTES).into_owned();
        let put = match &self.store {
            Store::Folder(folder) => folder.put(&key, bytes).await.map(|()| key.clone()),
            #[cfg(feature = "s3")]
            Store::S3(s3) => s3.put(&key, bytes, compression).await,
        };
        put.map_err(|cause| self.failed("write", &key, cause))
    }

    /// The first `at_most` bytes of an object, decompressed if it is gzip. None if the object does not exist.
    pub async fn get(&self, key: &str, at_most: usize) -> Result<Option<ObjectStart>, BucketError> {
        let key = shortened(key, MAX_KEY_BYTES);
        let got = match &self.store {
            Store::Folder(folder) => folder.start(&key, at_most).await,
            #[cfg(feature = "s3")]
            Store::S3(s3) => s3.start(&key, at_most).await,
        };
        got.map_err(|cause| self.failed("read", &key, cause))
    }

    fn failed(&self, operation: &'static str, key: &str, cause: String) -> BucketError {
        BucketError::Operation { operation, place: self.place_of(key), cause }
    }

    fn place_of(&self, key: &str) -> String {
        format!("{}/{key}", self.place)
    }
}

/// The path of a key in a folder, unless an object or a folder has that path already.
#[must_use]
pub fn name_in_folder(key: &str) -> String {
    names::encoded(key).join("/")
}

/// Without a part of the middle: a key's end makes it unique, and S3 would refuse one that is too long for ever.
fn shortened(text: &str, at_most: usize) -> Cow<'_, str> {
    const ELLIPSIS: &str = "…";
    if text.len() <= at_most {
        return text.into();
    }
    let half = (at_most - ELLIPSIS.len()) / 2;
    let start = text.floor_char_boundary(half);
    let end = text.ceil_char_boundary(text.len() - half);
    format!("{}{ELLIPSIS}{}", &text[..start], &text[end..]).into()
}

/// In one line. The causes above it repeat the object's place.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    in_one_line(&root.to_string())
}

fn in_one_line(text: &str) -> String {
    let text = text.trim_end_matches([' ', ':']);
    excerpt(&text.split_whitespace().collect::<Vec<_>>().join(" "), MAX_CAUSE_CHARACTERS)
}

/// The start of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectStart {
    /// Its first bytes, decompressed.
    pub bytes: Vec<u8>,
    /// Whether the object has more.
    pub truncated: bool,
}

/// Compresses bytes. The result is deterministic, so that an attempt can be repeated.
pub fn gzip(bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.into())
}

/// gzip adds far less than an eighth to incompressible data.
fn stored_bytes_for(at_most: usize) -> usize {
    at_most.saturating_add(at_most / 8).saturating_add(4096)
}

/// `stored` is the object's start, or all of it if `whole`. What can't be decompressed is returned as it is.
fn start(stored: Vec<u8>, whole: bool, at_most: usize) -> ObjectStart {
    let (mut bytes, mut whole) = (stored, whole);
    if bytes.starts_with(&GZIP_MAGIC) {
        let mut decompressed = Vec::new();
        let read = MultiGzDecoder::new(&*bytes).take(at_most as u64 + 1).read_to_end(&mut decompressed);
        if read.is_ok() || !decompressed.is_empty() {
            (bytes, whole) = (decompressed, whole && read.is_ok());
        }
    }
    let truncated = !whole || bytes.len() > at_most;
    bytes.truncate(at_most);
    ObjectStart { bytes, truncated }
}

#[cfg(feature = "s3")]
#[cfg(test)]
mod tests;
