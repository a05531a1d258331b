//! Where the delivered objects of a stream are, and which other objects are there.

use std::path::{Path, absolute};

use firehose_model::prefix::{ErrorOutputType, Prefix};
use local_firehose::stream::StreamSettings;
use object_storage::{Destination, name_in_folder};

const EXPRESSION: &str = "!{";

#[derive(Debug)]
pub(super) struct Location {
    pub(super) place: Place,
    /// The folder of all delivered objects. It is empty, or ends with a slash.
    pub(super) folder: String,
    /// The regular expressions of keys that have to match (true) or must not (false).
    keys: Vec<(bool, String)>,
}

#[derive(Debug)]
pub(super) enum Place {
    /// Its absolute path.
    Folder(String),
    S3 {
        bucket: String,
        endpoint: Option<String>,
    },
}

impl Location {
    pub(super) fn of(settings: &StreamSettings, has_backup_bucket: bool) -> Self {
        let StreamSettings { name, prefix, error_prefix, backup_prefix, .. } = settings;
        let start = literal_start(prefix.text());
        let (folder, name_start) =
            start.rsplit_once('/').map_or(("", start), |(_, name)| (&start[..start.len() - name.len()], name));
        let mut keys = Vec::new();
        if !name_start.is_empty() {
            keys.push((true, escaped(start)));
        }
        let backup = backup_prefix.as_ref().filter(|_| !has_backup_bucket);
        for other in [Some(error_prefix), backup].into_iter().flatten() {
            keys.extend(others(other, start, name).map(|pattern| (false, pattern)));
        }
        let place = match &settings.destination {
            Destination::Folder(path) => Place::folder(path),
            Destination::S3 { bucket, endpoint } => Place::S3 { bucket: bucket.clone(), endpoint: endpoint.clone() },
        };
        Self { place, folder: folder.to_owned(), keys }
    }

    /// All files below the folder, as a pattern of `DuckDB`.
    pub(super) fn glob(&self) -> String {
        let literal = match &self.place {
            Place::Folder(path) => match self.folder.strip_suffix('/') {
                Some(folder) => format!("{path}/{}/", name_in_folder(folder)),
                None => format!("{path}/"),
            },
            Place::S3 { bucket, .. } => format!("s3://{bucket}/{}", self.folder),
        };
        let escape = |char: char| match char {
            '*' | '?' | '[' => format!("[{char}]"),
            char => char.to_string(),
        };
        literal.chars().map(escape).collect::<String>() + "**/*"
    }

    /// Regular expressions of whole names, which begin as `bucket`.
    pub(super) fn conditions(&self, bucket: &str) -> Vec<(bool, String)> {
        self.keys.iter().map(|(is_included, key)| (*is_included, format!("^{bucket}{key}"))).collect()
    }
}

impl Place {
    fn folder(path: &Path) -> Self {
        // Fails for an empty path only, which no destination has.
        let path = absolute(path).unwrap_or_else(|_| path.to_owned());
        Self::Folder(path.to_string_lossy().trim_end_matches('/').to_owned())
    }

    /// The start of names as a regular expression.
    pub(super) fn pattern(&self) -> String {
        match self {
            Self::Folder(path) => escaped(path) + "/",
            Self::S3 { bucket, .. } => format!("s3://{}/", escaped(bucket)),
        }
    }
}

/// A prefix before its first expression.
fn literal_start(prefix: &str) -> &str {
    prefix.split_once(EXPRESSION).map_or(prefix, |(literal, _)| literal)
}

/// The keys of a prefix of other objects, if they may begin with `start`. None, too, if the keys of delivered objects are alike: no
/// expression separates them then.
fn others(prefix: &Prefix, start: &str, stream: &str) -> Option<String> {
    let text = prefix.text();
    let literal = literal_start(text);
    let is_below = literal.starts_with(start) || (literal != text && start.starts_with(literal));
    if !is_below {
        return None;
    }
    if literal == text && literal == start {
        // Delivered objects are in folders of their hours below it.
        return Some(format!("{}{}-[0-9]", escaped(text), escaped(stream)));
    }
    let mut pattern = escaped(literal);
    let mut rest = &text[literal.len()..];
    let mut is_specific = literal != start;
    while let Some((expression, after)) = rest.strip_prefix(EXPRESSION).and_then(|rest| rest.split_once('}')) {
        if expression == "firehose:error-output-type" {
            is_specific = true;
            pattern.extend(["(", &ErrorOutputType::ALL.map(ErrorOutputType::as_str).join("|"), ")"]);
        } else {
            pattern += ".*";
        }
        let literal = literal_start(after);
        is_specific |= literal.contains(char::is_alphanumeric);
        pattern += &escaped(literal);
        rest = &after[literal.len()..];
    }
    is_specific.then_some(pattern)
}

/// A regular expression for this text only, of RE2 and of Java.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for char in text.chars() {
        if "\\.+*?()|[]{}^$".contains(char) {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}
