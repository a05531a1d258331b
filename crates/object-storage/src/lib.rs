#![doc = include_str!("../README.md")]

mod contents;
mod destination;
mod folder;
mod names;
mod objects;
#[cfg(feature = "s3")]
mod s3;
mod walk;
#[cfg(not(feature = "s3"))]
mod without_s3;

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;

pub use self::contents::{ObjectStart, gzip};
pub use self::destination::{Destination, DestinationError};
use self::folder::Folder;
#[cfg(feature = "s3")]
use self::s3::S3;
#[cfg(not(feature = "s3"))]
use self::without_s3::{self as s3, S3};
use firehose_model::excerpt::excerpt;
use firehose_model::prefix::{Compression, MAX_KEY_BYTES};

const MAX_CAUSE_CHARACTERS: usize = 200;

/// Why the storage can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The folder can't be created or read.
    #[error("could not open the folder {} (`--destination`)", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The folder does not exist or is unreadable.
    #[error("could not read the folder {}", .0.display())]
    Missing(PathBuf, #[source] io::Error),
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
    /// Opens the storage of a destination. A folder is created; a missing bucket is detected when the first object is put. With
    /// `durable`, a put into a folder returns when the object is on disk.
    pub fn open(destination: &Destination, durable: bool) -> Result<Self, BucketError> {
        let store = match destination {
            Destination::Folder(path) => Store::Folder(Folder::open(path, durable)?),
            Destination::S3 { bucket, endpoint } => Store::S3(S3::open(s3::environment, bucket, endpoint.as_deref())?),
        };
        Ok(Self { store, place: destination.to_string() })
    }

    /// Writes an object as a whole. An existing object is replaced, so that an attempt can be repeated.
    ///
    /// Returns its key. If an S3 refuses a key with empty parts, `.` or `..`, the key is encoded as in a folder (Amazon S3 user guide,
    /// "Naming Amazon S3 objects": 400 for a key whose `..` lead above its bucket).
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<String, BucketError> {
        let key = shortened(key, MAX_KEY_BYTES).into_owned();
        let failed = |key: &str, cause| BucketError::Operation { operation: "write", place: self.place_of(key), cause };
        let s3 = match &self.store {
            Store::Folder(folder) => {
                return folder.put(&key, bytes).await.map_err(|cause| failed(&key, cause)).map(|()| key);
            }
            Store::S3(s3) => s3,
        };
        let encoding = key.ends_with(Compression::Gzip.extension()).then_some("gzip");
        let refused = match s3.put(&key, bytes.clone(), encoding).await {
            Ok(()) => return Ok(key),
            Err(refused) => refused,
        };
        let encoded = shortened(&names::encoded(&key).join("/"), MAX_KEY_BYTES).into_owned();
        if !refused.is_perhaps_the_key || encoded == key {
            return Err(failed(&key, refused.cause));
        }
        s3.put(&encoded, bytes, encoding).await.map_err(|refused| failed(&encoded, refused.cause))?;
        Ok(encoded)
    }

    /// The first `at_most` bytes of an object, decompressed if it is gzip. None if the object does not exist.
    pub async fn get(&self, key: &str, at_most: usize) -> Result<Option<ObjectStart>, BucketError> {
        let key = shortened(key, MAX_KEY_BYTES);
        let got = match &self.store {
            Store::Folder(folder) => folder.start(&key, at_most).await,
            Store::S3(s3) => s3.start(&key, at_most).await,
        };
        got.map_err(|cause| BucketError::Operation { operation: "read", place: self.place_of(&key), cause })
    }

    fn place_of(&self, key: &str) -> String {
        format!("{}/{key}", self.place)
    }
}

/// A key of at most `at_most` bytes, without a part of its middle: its end makes it unique. A key that S3 refuses as too long would
/// be retried for ever.
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

/// The root cause of an error, in one line. The others repeat the object's place.
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

#[cfg(feature = "s3")]
#[cfg(test)]
mod tests;
