#![doc = include_str!("../README.md")]

mod contents;
mod destination;
mod folder;
mod objects;
mod s3;
mod walk;

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;

pub use self::contents::{Contents, gzip};
pub use self::destination::{Destination, DestinationError};
use self::folder::Folder;
pub use self::objects::Object;
use self::s3::S3;
use firehose_model::excerpt::excerpt;
use firehose_model::prefix::{Compression, MAX_KEY_BYTES};

/// The most characters of a storage's cause: what a log line and a page have room for.
const MAX_CAUSE_CHARACTERS: usize = 200;

/// What the storage refused.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The folder can't be made, or not be looked into.
    #[error("could not open the folder {} (`--destination`)", path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// `~/.aws` is not read, and a machine that is no part of AWS has nothing else to ask.
    #[error(
        "{0} needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \
         (`aws configure export-credentials --format env` prints those of a profile)"
    )]
    NoCredentials(String),
    /// The client can't be made of the settings and the `AWS_…` variables.
    #[error("could not set up {place}: {cause}")]
    Client {
        /// Which bucket.
        place: String,
        /// In one line.
        cause: String,
    },
    /// An object was not written, or perhaps was and the storage's answer got lost.
    #[error("could not write {place}: {cause}")]
    Put {
        /// Which object.
        place: String,
        /// In one line.
        cause: String,
    },
    /// There is nothing to look into.
    #[error("could not look into the folder {}", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// What is there can't be listed.
    #[error("could not list what is in {place}: {cause}")]
    List {
        /// Below what.
        place: String,
        /// In one line.
        cause: String,
    },
    /// An object was not moved, or perhaps copied only.
    #[error("could not move {place} to {to}: {cause}")]
    Move {
        /// Which object.
        place: String,
        /// Where it should be.
        to: String,
        /// In one line.
        cause: String,
    },
    /// An object can't be read.
    #[error("could not read {place}: {cause}")]
    Get {
        /// Which object.
        place: String,
        /// In one line.
        cause: String,
    },
}

/// The storage; cheap to clone.
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

/// What a storage knows of an object.
#[derive(Debug, Clone)]
struct Meta {
    /// In S3 its key; in a folder its file.
    name: String,
    bytes: u64,
    e_tag: Option<String>,
    modified_us: i64,
}

impl Bucket {
    /// The storage of a destination. A folder is made; whether a bucket is there turns out at the first object. With `durable`
    /// an object in a folder is on the disk once it is put, as S3's objects are.
    pub fn open(destination: &Destination, durable: bool) -> Result<Self, BucketError> {
        let store = match destination {
            Destination::Folder(path) => Store::Folder(Folder::open(path, durable)?),
            Destination::S3 { bucket, endpoint } => Store::S3(S3::open(s3::environment, bucket, endpoint.as_deref())?),
        };
        Ok(Self { store, place: destination.to_string() })
    }

    /// Writes an object, whole or not at all; one that has the name already is replaced, so that an attempt can be repeated.
    /// Gives its key, which is another where an S3 refuses one with empty parts, `.` or `..` (Amazon S3 user guide, "Naming Amazon
    /// S3 objects": a key whose `..` lead above its bucket is answered with 400): then it is encoded as in a folder.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<String, BucketError> {
        let key = shortened(key, MAX_KEY_BYTES).into_owned();
        let failed = |key: &str, cause| BucketError::Put { place: self.place_of(key), cause };
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
        // Encoding makes it longer.
        let encoded = shortened(&folder::encoded(&key).join("/"), MAX_KEY_BYTES).into_owned();
        if !refused.is_perhaps_the_key || encoded == key {
            return Err(failed(&key, refused.cause));
        }
        s3.put(&encoded, bytes, encoding).await.map_err(|refused| failed(&encoded, refused.cause))?;
        Ok(encoded)
    }

    /// The start of an object, decompressed where it is gzip: at most `at_most` bytes. None where there is no such object.
    pub async fn get(&self, key: &str, at_most: usize) -> Result<Option<Contents>, BucketError> {
        let key = shortened(key, MAX_KEY_BYTES);
        let got = match &self.store {
            Store::Folder(folder) => folder.start(&key, at_most).await,
            Store::S3(s3) => s3.start(&key, at_most).await,
        };
        got.map_err(|cause| BucketError::Get { place: self.place_of(&key), cause })
    }

    fn place_of(&self, key: &str) -> String {
        format!("{}/{key}", self.place)
    }
}

/// A key without so much of its middle that it has at most `at_most` bytes: it ends in what makes it unique. Every key has a place,
/// because one that is refused would be tried for ever.
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

/// The root of an error of the folder's client: what leads to it is the client's own names, and a path that the place has.
fn cause(error: &object_store::Error) -> String {
    let mut root: &dyn Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    in_one_line(&root.to_string())
}

/// A storage's message in one line, without the XML around it.
fn in_one_line(text: &str) -> String {
    let text = match text.split_once('<') {
        Some((before, xml)) => {
            let told = [between(xml, "<Code>", "</Code>"), between(xml, "<Message>", "</Message>")];
            [Some(before.trim_end_matches([' ', ':'])), told[0], told[1]]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(": ")
        }
        None => text.trim_end_matches([' ', ':']).to_owned(),
    };
    excerpt(&text.split_whitespace().collect::<Vec<_>>().join(" "), MAX_CAUSE_CHARACTERS)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

#[cfg(test)]
mod tests;
