//! Where error objects are, as the user says it.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use object_store::path::Path;

use crate::bucket::{Destination, DestinationError};

/// A folder or a bucket, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(super) store: Destination,
    /// Below which the objects are; or the name of one.
    pub(super) prefix: Path,
    /// Whether it may be the latter.
    pub(super) may_be_object: bool,
}

/// Why there can't be error objects.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// Neither a folder nor a file.
    #[error("{0}: found neither a folder nor a file; accepted is one of both, or s3://BUCKET/PREFIX")]
    Missing(String),
    /// What is before the prefix is no bucket, or no store is known by that name.
    #[error("{0}")]
    Bucket(DestinationError),
    /// A segment of it leads elsewhere, or is empty.
    #[error("{text}: found a name that no object has ({cause}); accepted is s3://BUCKET/PREFIX, or a folder")]
    Prefix {
        /// What was asked for.
        text: String,
        /// What is wrong.
        cause: object_store::path::Error,
    },
    /// A name that is not Unicode is none to the storage's client.
    #[error("{}: found a path that can't be used: it is no UTF-8, or can't be resolved", .0.display())]
    Path(PathBuf),
}

impl Source {
    /// What `s3://BUCKET/PREFIX`, a folder or a file is.
    pub(crate) fn parse(text: &str, s3_endpoint: Option<&str>) -> Result<Self, SourceError> {
        let Some(rest) = text.strip_prefix("s3://") else {
            if text.contains("://") {
                // For its message about other stores.
                Destination::parse(text, s3_endpoint).map_err(SourceError::Bucket)?;
            }
            return Self::local(text);
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let store = Destination::parse(&format!("s3://{bucket}"), s3_endpoint).map_err(SourceError::Bucket)?;
        let prefix = Path::parse(prefix).map_err(|cause| SourceError::Prefix { text: text.to_owned(), cause })?;
        Ok(Self { store, may_be_object: !(prefix.is_root() || text.ends_with('/')), prefix })
    }

    fn local(text: &str) -> Result<Self, SourceError> {
        let metadata = fs::metadata(text).map_err(|_| SourceError::Missing(text.to_owned()))?;
        // The client takes no `..`, and the ledger of a folder is the same whatever way leads there.
        let path = fs::canonicalize(text).map_err(|_| SourceError::Path(text.into()))?;
        if metadata.is_dir() {
            return Ok(Self { store: Destination::Folder(path), prefix: Path::default(), may_be_object: false });
        }
        let (Some(folder), Some(file)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(SourceError::Path(text.into()));
        };
        let prefix = Path::parse(file).map_err(|cause| SourceError::Prefix { text: text.to_owned(), cause })?;
        Ok(Self { store: Destination::Folder(folder.to_owned()), prefix, may_be_object: true })
    }

    /// The storage's folder and the one to look into, where it is one.
    pub(super) fn folder(&self) -> Option<(PathBuf, PathBuf)> {
        match &self.store {
            Destination::Folder(root) if !self.may_be_object => Some((root.clone(), root.join(self.prefix.as_ref()))),
            _ => None,
        }
    }

    /// Whether all of this source is below a prefix, so that nothing can be moved there from it.
    pub(super) fn is_within(&self, prefix: &Path) -> bool {
        self.prefix.prefix_matches(prefix)
    }

    /// Where an object of this source goes below an archive, which may be a prefix of the source's own.
    pub(super) fn archived(&self, archive: &Path, object: &Path) -> Path {
        let below: Vec<_> = object.prefix_match(&self.prefix).into_iter().flatten().collect();
        if below.is_empty() {
            // The source is this one object.
            return archive.clone().join(object.filename().unwrap_or_default());
        }
        below.into_iter().fold(archive.clone(), Path::join)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.as_ref() {
            "" => self.store.fmt(formatter),
            prefix => write!(formatter, "{}/{prefix}", self.store),
        }
    }
}

/// What the storage calls these files, in order, and which it has no name for.
pub(super) fn names(root: &std::path::Path, files: Vec<PathBuf>) -> (Vec<Path>, Vec<(PathBuf, &'static str)>) {
    let (mut names, mut unusable) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.strip_prefix(root).ok().and_then(std::path::Path::to_str);
        // So the storage's client calls a file that it is writing.
        if name.and_then(|name| name.rsplit_once('#')).is_some_and(|(_, number)| is_number(number)) {
            continue;
        }
        match name.and_then(|name| Path::parse(name).ok()) {
            Some(name) => names.push(name),
            None => unusable.push((file, "its name is not UTF-8, or not one of an object")),
        }
    }
    names.sort_unstable();
    (names, unusable)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What `--archive` is: a prefix of the source's own bucket or folder.
pub(crate) fn archive(text: &str) -> Result<Path, String> {
    let accepted = || "accepted is a prefix of the source's own bucket or folder, such as redriven/".to_owned();
    // An absolute path would be taken for one below the folder.
    let relative = Some(text).filter(|text| !text.starts_with('/') && !text.contains("://"));
    relative.and_then(|text| Path::parse(text).ok()).filter(|path| !path.is_root()).ok_or_else(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_folders_files_and_prefixes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("errors")).unwrap();
        fs::write(root.join("errors/a.jsonl"), "").unwrap();
        let text = |path: &str| root.join(path).display().to_string();
        for (asked, shown) in [
            ("s3://clicks/errors/2026/", "s3://clicks/errors/2026".to_owned()),
            ("s3://clicks", "s3://clicks".to_owned()),
            (&text("errors"), text("errors")),
            (&text("errors/../errors/"), text("errors")),
            (&text("errors/a.jsonl"), text("errors/a.jsonl")),
        ] {
            assert_eq!(Source::parse(asked, None).unwrap().to_string(), shown, "{asked}");
        }
    }

    #[test]
    fn faults_say_what_is_accepted() {
        for (text, expected) in [
            ("", ": found neither a folder nor a file"),
            ("no/such", "no/such: found neither a folder nor a file; accepted is one of both, or s3://BUCKET/PREFIX"),
            ("gs://clicks/errors", "gs://clicks/errors is neither a folder nor s3://BUCKET"),
            ("s3://C/errors", "s3://C is not a bucket's name"),
            ("s3://clicks/a/../b", "s3://clicks/a/../b: found a name that no object has"),
        ] {
            let message = Source::parse(text, None).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn an_archive_is_a_prefix() {
        for (text, expected) in [("redriven/", "redriven"), ("errors/done", "errors/done")] {
            assert_eq!(archive(text).unwrap().as_ref(), expected);
        }
        for text in ["", "/", "/tmp/done", "s3://clicks/done", "a/../b", "a//b"] {
            assert!(archive(text).unwrap_err().starts_with("accepted is a prefix"), "{text}");
        }
    }

    #[test]
    fn an_archive_keeps_what_is_below_the_source() {
        for (source, archive, object, expected) in [
            ("s3://clicks/errors", "done", "errors/2026/11/x", "done/2026/11/x"),
            ("s3://clicks/errors", "errors/done", "errors/x", "errors/done/x"),
            ("s3://clicks/errors/x", "done", "errors/x", "done/x"),
            ("s3://clicks", "done", "errors/x", "done/errors/x"),
        ] {
            let source = Source::parse(source, None).unwrap();
            let archived = source.archived(&Path::from(archive), &Path::from(object));
            assert_eq!(archived.as_ref(), expected);
        }
    }
}
