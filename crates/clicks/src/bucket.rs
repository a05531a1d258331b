//! The storage that a stream delivers to: a folder, or a bucket of S3 or of what speaks like it.

mod contents;
mod destination;
mod folder;
mod objects;
mod s3;

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore, ObjectStoreExt, PutOptions};

pub(crate) use self::contents::{Contents, GZIP_MAGIC, gzip};
pub(crate) use self::destination::{Destination, DestinationError};
pub(crate) use self::objects::Object;
use crate::excerpt::excerpt;
use crate::firehose::prefix::{Compression, MAX_KEY_BYTES};

/// The most characters of a storage's cause: what a log line and a page have room for.
const MAX_CAUSE_CHARACTERS: usize = 200;

/// What the storage refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
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
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    kind: Kind,
    place: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    S3,
}

impl Bucket {
    /// The storage of a destination. A folder is made; whether a bucket is there turns out at the first object. With `durable`
    /// an object in a folder is on the disk once it is put, as S3's objects are.
    pub(crate) fn open(destination: &Destination, durable: bool) -> Result<Self, BucketError> {
        let place = destination.to_string();
        let (store, kind): (Arc<dyn ObjectStore>, _) = match destination {
            Destination::Folder(path) => (Arc::new(folder::open(path, durable)?), Kind::Folder),
            Destination::S3 { bucket, endpoint } => {
                (Arc::new(s3::open(s3::environment(), bucket, endpoint.as_deref())?), Kind::S3)
            }
        };
        Ok(Self { store, kind, place })
    }

    /// Writes an object, whole or not at all; one that has the name already is replaced, so that an attempt can be repeated.
    pub(crate) async fn put(&self, path: &str, bytes: Bytes) -> Result<(), BucketError> {
        let location = self.location(path);
        let options = PutOptions::from(self.attributes(path));
        let put = self.store.put_opts(&location, bytes.into(), options).await;
        put.map(drop).map_err(|error| BucketError::Put { place: self.place_of(&location), cause: cause(&error) })
    }

    /// The start of an object, decompressed where it is gzip: at most `at_most` bytes. None where there is no such object.
    pub(crate) async fn get(&self, path: &str, at_most: usize) -> Result<Option<Contents>, BucketError> {
        let location = self.location(path);
        let failed = |error| BucketError::Get { place: self.place_of(&location), cause: cause(&error) };
        let mut chunks = match self.store.get(&location).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(failed)?.into_stream(),
        };
        let mut stored = Vec::new();
        let mut whole = false;
        while !whole && stored.len() <= contents::stored_bytes_for(at_most) {
            match chunks.try_next().await.map_err(failed)? {
                Some(chunk) => stored.extend_from_slice(&chunk),
                None => whole = true,
            }
        }
        Ok(Some(contents::start(stored, whole, at_most)))
    }

    /// Where an object of this name is. Every name has a place, because a name that is refused would be tried for ever: a `.`,
    /// `..` or control character is percent-encoded, an empty segment left out, and what is too long loses its middle.
    fn location(&self, name: &str) -> Path {
        let segments = name.split('/').filter(|segment| !segment.is_empty()).map(encoded);
        let name = segments.collect::<Vec<_>>().join("/");
        let name = shortened(&name, MAX_KEY_BYTES);
        let segments = name.split('/').map(|segment| match self.kind {
            Kind::Folder => shortened(segment, folder::MAX_NAME_BYTES),
            Kind::S3 => segment.into(),
        });
        let name = segments.collect::<Vec<_>>().join("/");
        // As it is; `Path::from` would percent-encode whatever is not ASCII.
        Path::parse(&name).unwrap_or_else(|_| Path::from(name))
    }

    fn place_of(&self, location: &Path) -> String {
        format!("{}/{location}", self.place)
    }

    /// What real Firehose's objects have (probed). A folder has no place for it.
    fn attributes(&self, path: &str) -> Attributes {
        let mut attributes = Attributes::new();
        if self.kind == Kind::S3 {
            attributes.insert(Attribute::ContentType, "application/octet-stream".into());
            if path.ends_with(Compression::Gzip.extension()) {
                attributes.insert(Attribute::ContentEncoding, "gzip".into());
            }
        }
        attributes
    }
}

/// A segment that neither leads elsewhere nor has characters that no storage takes.
fn encoded(segment: &str) -> Cow<'_, str> {
    if matches!(segment, "." | "..") {
        return segment.replace('.', "%2E").into();
    }
    if !segment.contains(|character: char| character.is_ascii_control()) {
        return segment.into();
    }
    let characters = segment.chars().map(|character| match character {
        control if control.is_ascii_control() => format!("%{:02X}", u32::from(control)),
        other => other.to_string(),
    });
    characters.collect::<String>().into()
}

/// A text without so much of its middle that it has at most `at_most` bytes: an object's name ends in what makes it unique.
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

/// The root of an error in one line: what leads to it is the client's own names, and an address that the place tells.
fn cause(error: &object_store::Error) -> String {
    let mut root: &dyn Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    let text = root.to_string();
    let text = text.strip_prefix("Server returned non-2xx status code: ").unwrap_or(&text);
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

/// The same of an error of the storage's while an object is read.
fn read_cause(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => cause(error),
        None => error.to_string(),
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

#[cfg(test)]
mod tests;
