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
    /// The object of a name. Firehose's names end in a UUID, so that such an object is the same in whatever folder it lies, moved,
    /// copied or unzipped; any other is known by its whole name.
    pub(crate) fn of(name: &str) -> Self {
        let last = name.rsplit('/').next().unwrap_or(name);
        let last = last.strip_suffix(".gz").unwrap_or(last);
        let id = last.len().checked_sub(UUID_CHARS).and_then(|start| last.get(start..));
        let name = if id.is_some_and(|id| Uuid::try_parse(id).is_ok()) { last } else { name };
        Self { name: name.to_owned(), occurrences: HashMap::new() }
    }

    /// The object's name in the ledger.
    pub(crate) fn name(self) -> String {
        self.name
    }

    /// The key of the next line. Of equal lines of an object each is another: two visitors may do the same in the same
    /// millisecond. Where a line is in the object does not count, so that one that lost or got others keeps its lines' keys.
    pub(crate) fn line_key(&mut self, line: &[u8]) -> u128 {
        let occurrence = self.occurrences.entry(key([line])).or_default();
        *occurrence += 1;
        key([self.name.as_bytes(), line, &occurrence.to_le_bytes()])
    }
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
            ("a/errors.jsonl".to_owned(), "b/errors.jsonl".to_owned(), false),
            (NAME.to_owned(), NAME.replace("0f0e", "0f0f"), false),
            (String::new(), "é".repeat(30), false),
        ] {
            assert_eq!(key(&one) == key(&other), same, "{one} {other}");
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
