//! By what the ledger knows objects, lines and records.

use std::collections::HashMap;

use ring::digest::{Context, SHA256};
use uuid::Uuid;

/// How many characters a UUID has at the end of a name.
const UUID_CHARS: usize = 36;

/// An object, and how often each of its lines has come.
#[derive(Debug)]
pub(crate) struct Identity {
    name: String,
    occurrences: HashMap<u128, u64>,
}

impl Identity {
    /// The object that is in a place. Firehose's names end in a UUID, so that such an object is the same in whatever folder it
    /// lies, moved, copied or unzipped, and whatever its extension is. So is any other by its name without folders: two objects
    /// of one name may be two, but a line that they share, with its times, is taken for one.
    pub(crate) fn of(place: &str) -> Self {
        let name = ObjectName::of(place).firehose.unwrap_or_else(|| file_name(place));
        Self { name: name.to_owned(), occurrences: HashMap::new() }
    }

    /// The key of the next line. Of equal lines of an object each is another: two visitors may do the same in the same
    /// millisecond. Where a line is in the object does not count, so that one that lost or got others keeps its lines' keys.
    pub(crate) fn line_key(&mut self, line: &[u8]) -> u128 {
        let occurrence = self.occurrences.entry(key([line])).or_default();
        *occurrence += 1;
        key([self.name.as_bytes(), line, &occurrence.to_le_bytes()])
    }
}

/// By what an object as a whole is known: wherever it lies, if its name is one of Firehose's; else by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectName<'a> {
    place: &'a str,
    firehose: Option<&'a str>,
}

impl<'a> ObjectName<'a> {
    /// The object that is in a place.
    pub(crate) fn of(place: &'a str) -> Self {
        Self { place, firehose: firehose_name(place) }
    }

    /// As the ledger has it.
    pub(crate) fn text(self) -> &'a str {
        self.firehose.unwrap_or(self.place)
    }

    /// Whether Firehose has given it, and will not give it again.
    pub(crate) fn is_of_firehose(self) -> bool {
        self.firehose.is_some()
    }
}

/// The name up to the end of its UUID, after which there may be an extension, but no number: parts of an object have such.
fn firehose_name(place: &str) -> Option<&str> {
    let name = file_name(place);
    let extension = name.rfind(|char: char| char != '.' && !char.is_ascii_alphabetic()).unwrap_or_default();
    let dot = name[extension..].find('.').map_or(name.len(), |dot| extension + dot);
    let name = name.get(..dot)?;
    let id = name.len().checked_sub(UUID_CHARS).and_then(|start| name.get(start..))?;
    is_uuid(id).then_some(name)
}

fn is_uuid(text: &str) -> bool {
    text.contains('-') && Uuid::try_parse(text).is_ok()
}

fn file_name(place: &str) -> &str {
    let name = place.rsplit('/').next().unwrap_or(place);
    name.strip_suffix(".gz").unwrap_or(name)
}

/// The key of a record's bytes.
pub(crate) fn content_key(data: &[u8]) -> u128 {
    key([data])
}

/// Each part with its length, so that no two ways to cut a text are the same.
fn key<const N: usize>(parts: [&[u8]; N]) -> u128 {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let digest = context.finish();
    // Half of it: at a billion lines the chance that any two have the same is one in 10^20.
    digest.as_ref().iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_firehose_is_the_same_wherever_it_lies() {
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
    fn an_object_without_a_uuid_is_known_by_its_place() {
        let uuid = "0f0e1d2c-3b4a-4958-8776-655443322110";
        for (place, name) in [
            ("s3://b/a/errors.jsonl", "s3://b/a/errors.jsonl".to_owned()),
            (&format!("s3://b/a/clicks-1-{uuid}.gz"), format!("clicks-1-{uuid}")),
            (&format!("s3://b/{uuid}/errors"), format!("s3://b/{uuid}/errors")),
        ] {
            assert_eq!(ObjectName::of(place).text(), name);
            assert_eq!(ObjectName::of(place).is_of_firehose(), name != *place);
        }
    }

    #[test]
    fn each_of_equal_lines_is_another_whatever_is_between() {
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
