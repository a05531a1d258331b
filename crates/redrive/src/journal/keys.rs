//! The keys of objects, lines and records in the journal.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use uuid::Uuid;

const UUID_CHARS: usize = 36;

#[derive(Debug)]
pub(crate) struct Identity {
    name: String,
    occurrences: HashMap<u128, u64>,
}

impl Identity {
    /// Only the name counts, up to the UUID that Firehose gave the object, so that a moved, copied or decompressed object is the same one.
    /// Two different objects may share a name; then a line that is in both, with its times, counts as one.
    pub(crate) fn of(place: &str) -> Self {
        let name = firehose_name(place).unwrap_or_else(|| file_name(place));
        Self { name: name.to_owned(), occurrences: HashMap::new() }
    }

    /// Without the line's position: lines may be added or removed. Equal lines get different keys: two users may do the same at once.
    pub(crate) fn line_key(&mut self, line: &[u8]) -> u128 {
        let occurrence = self.occurrences.entry(key([line])).or_default();
        *occurrence += 1;
        key([self.name.as_bytes(), line, &occurrence.to_le_bytes()])
    }
}

/// Up to the end of its UUID. An extension may follow, but no number, as `split` appends.
pub(crate) fn firehose_name(place: &str) -> Option<&str> {
    let name = file_name(place);
    let extension = name.rfind(|char: char| char != '.' && !char.is_ascii_alphabetic()).unwrap_or_default();
    let dot = name[extension..].find('.').map_or(name.len(), |dot| extension + dot);
    let name = name.get(..dot)?;
    let id = name.len().checked_sub(UUID_CHARS).and_then(|start| name.get(start..))?;
    Uuid::try_parse(id).is_ok().then_some(name)
}

fn file_name(place: &str) -> &str {
    let name = place.rsplit('/').next().unwrap_or(place);
    name.strip_suffix(".gz").unwrap_or(name)
}

pub(crate) fn content_key(data: &[u8]) -> u128 {
    key([data])
}

/// Hashes each part with its length, so that different cuts of a text have different keys.
fn key<const N: usize>(parts: [&[u8]; N]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    // Half of the digest: among a billion lines, the chance of a collision is 1 in 10^20.
    hash.finalize().iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_firehose_has_one_key_in_every_folder() {
        const NAME: &str = "clicks-1-2026-11-26-10-00-00-0f0e1d2c-3b4a-4958-8776-655443322110";
        let key = |name: &str| Identity::of(name).line_key(b"line");
        for (one, other, same) in [
            (format!("errors/2026/{NAME}"), format!("done/{NAME}"), true),
            (format!("errors/{NAME}.gz"), NAME.to_owned(), true),
            (format!("errors/{NAME}.jsonl.gz"), format!("{NAME}.jsonl"), true),
            (format!("{NAME}.json.gz"), NAME.to_owned(), true),
            // As `split` names them.
            (format!("{NAME}.00"), format!("{NAME}.01"), false),
            (format!("my.stream-{NAME}"), format!("a/my.stream-{NAME}.gz"), true),
            ("a/errors.jsonl".to_owned(), "b/errors.jsonl.gz".to_owned(), true),
            ("a/errors.jsonl".to_owned(), "a/errors-2.jsonl".to_owned(), false),
            (NAME.to_owned(), NAME.replace("0f0e", "0f0f"), false),
            (String::new(), "é".repeat(30), false),
        ] {
            assert_eq!(key(&one) == key(&other), same, "{one} {other}");
        }
    }

    #[test]
    fn a_name_of_firehose_ends_in_a_uuid() {
        let uuid = "0f0e1d2c-3b4a-4958-8776-655443322110";
        for (place, name) in [
            ("s3://b/a/errors.jsonl", None),
            (&format!("s3://b/a/clicks-1-{uuid}.gz"), Some(format!("clicks-1-{uuid}"))),
            (&format!("s3://b/{uuid}/errors"), None),
        ] {
            assert_eq!(firehose_name(place), name.as_deref());
        }
    }

    #[test]
    fn equal_lines_have_different_keys_whatever_is_between() {
        let keys = |lines: &[&str]| {
            let mut object = Identity::of("a");
            lines.iter().map(|line| object.line_key(line.as_bytes())).collect::<Vec<_>>()
        };
        let [a, b, again] = keys(&["a", "b", "a"])[..] else { panic!("three") };
        assert!(a != again && a != b);
        assert_eq!(keys(&["new", "a", "a"])[1..], [a, again]);
        assert_eq!(content_key(b"a"), content_key(b"a"));
        assert_ne!(content_key(b"a"), content_key(b"b"));
    }
}
