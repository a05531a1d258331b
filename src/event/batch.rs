//! The events of a whole batch, and the distinct keys among them.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::format::EventFormat;
use super::parse::{Parsed, ParsedEvent, offset_of};
use crate::field::Value;
use crate::reason::Reason;

/// The events of a batch, or the reason for each record that has none.
#[derive(Debug)]
pub struct InputEvents<'a> {
    parsed: Parsed<'a>,
    /// For each event, the index of its key among the distinct ones.
    keys: Vec<u32>,
    /// For each record, the end of its events, which start where those of the record before end.
    records: Vec<Result<u32, Reason>>,
    /// For each distinct key, the index of the first event with it.
    firsts: Vec<u32>,
}

/// What a line keeps of one event: the values that it has, each with the index of its column.
pub type InputEvent<'e> = &'e [(u8, Value<'e>)];

impl<'a> InputEvents<'a> {
    /// Parses the text of each record.
    pub fn parse(records: impl Iterator<Item = Result<&'a str, Reason>>, format: &EventFormat) -> Self {
        // Nearly every record is one event.
        let (count, _) = records.size_hint();
        let mut batch = Self {
            parsed: Parsed::with_capacity(count, format),
            keys: Vec::new(),
            records: Vec::with_capacity(count),
            firsts: Vec::new(),
        };
        for text in records {
            let outcome = text.and_then(|text| batch.parsed.record(text, format));
            batch.records.push(outcome.map(|()| offset_of(batch.parsed.events.len())));
        }
        batch.number_keys();
        batch
    }

    /// The distinct keys, in the order of their first event.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        self.firsts.iter().map(|first| &*self.parsed.events[*first as usize].key).collect()
    }

    /// The events of each record, each with the index of its key, in the batch's order.
    pub fn records(
        &self,
    ) -> impl Iterator<Item = Result<impl Iterator<Item = (InputEvent<'_>, usize)> + Clone, Reason>> {
        let mut start = 0;
        self.records.iter().map(move |end| {
            let range = start..(*end)? as usize;
            start = range.end;
            let events = self.parsed.events[range.clone()].iter().map(|event| self.view(event));
            Ok(events.zip(self.keys[range].iter().map(|key| *key as usize)))
        })
    }

    fn view(&self, event: &ParsedEvent<'a>) -> InputEvent<'_> {
        &self.parsed.values[event.start as usize..event.end as usize]
    }

    fn number_keys(&mut self) {
        let Self { parsed: Parsed { events, .. }, keys, firsts, .. } = self;
        // Each batch has its own hash seed, so that visitors can't provoke collisions.
        let hasher = RandomState::default();
        // The table holds indices and has its final capacity. With keys in it, and growing, it takes so much of the CPU's cache that 10,000
        // events with as many keys take 1.2 times as long.
        let mut numbers: HashTable<u32> = HashTable::with_capacity(events.len());
        keys.reserve_exact(events.len());
        // A payload has at most 6 MB, so fewer events than 2^32.
        for (ParsedEvent { key, .. }, event) in events.iter().zip(0..) {
            let key_of = |number: &u32| &*events[firsts[*number as usize] as usize].key;
            let hash_again = |number: &u32| hasher.hash_one(key_of(number));
            let entry = numbers.entry(hasher.hash_one(&**key), |number| key_of(number) == &**key, hash_again);
            keys.push(match entry {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let next = u32::try_from(firsts.len()).unwrap_or(u32::MAX);
                    new.insert(next);
                    firsts.push(event);
                    next
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_record_is_all_or_nothing_and_keys_are_numbered_once() {
        let event = |key: &str| format!(r#"{{"userId":"u","mysfitId":"{key}"}}"#);
        let data = [
            event("a"),
            format!("{}{}", event("b"), event("a")),
            format!("{}{{}}", event("never-looked-up")),
            event("c"),
            event("7"),
            r#"{"userId":"u","mysfitId":7}"#.to_owned(),
        ];
        let config = Config::read(&[("LOOKUP_API_URL", "http://127.0.0.1")].into_iter().collect()).unwrap();
        let format = EventFormat::new(&config);
        let events = InputEvents::parse(data.iter().map(|data| Ok(data.as_str())), &format);
        assert_eq!(events.keys(), ["a", "b", "c", "7"]);
        let numbers: Vec<_> = events
            .records()
            .map(|events| events.map(|events| events.map(|(_, key)| key).collect::<Vec<_>>()))
            .collect();
        let expected = [Ok(vec![0]), Ok(vec![1, 0]), Err(Reason::MissingField), Ok(vec![2]), Ok(vec![3]), Ok(vec![3])];
        assert_eq!(numbers, expected);
    }
}
