//! Delivered clicks by what they tell: counted for the page.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most different values that are counted of one field. There are twelve mysfits; a function may write anything.
const MAX_VALUES: usize = 200;

/// The longest value that is counted: an id has 128 bytes at most.
const MAX_VALUE_BYTES: usize = 128;

/// How often each value was delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Clicks {
    mysfit: BTreeMap<String, u64>,
    species: BTreeMap<String, u64>,
    goodevil: BTreeMap<String, u64>,
    lawchaos: BTreeMap<String, u64>,
}

/// What is looked at of an enriched line, under the names that the processor has when nobody configured others.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "mysfitId", borrow)]
    mysfit: Option<Cow<'a, str>>,
    #[serde(borrow)]
    species: Option<Cow<'a, str>>,
    #[serde(borrow)]
    goodevil: Option<Cow<'a, str>>,
    #[serde(borrow)]
    lawchaos: Option<Cow<'a, str>>,
}

impl Clicks {
    /// Counts the lines of an object. What is no enriched click counts nothing.
    pub(super) fn of(object: &[u8]) -> Self {
        let mut clicks = Self::default();
        for line in object.split(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { continue };
            for (counts, value) in
                clicks.counts().into_iter().zip([line.mysfit, line.species, line.goodevil, line.lawchaos])
            {
                if let Some(value) = value {
                    add(counts, &value, 1);
                }
            }
        }
        clicks
    }

    /// Adds what was counted elsewhere.
    pub(super) fn add(&mut self, mut others: Self) {
        for (counts, others) in self.counts().into_iter().zip(others.counts()) {
            for (value, count) in others {
                add(counts, value, *count);
            }
        }
    }

    fn counts(&mut self) -> [&mut BTreeMap<String, u64>; 4] {
        [&mut self.mysfit, &mut self.species, &mut self.goodevil, &mut self.lawchaos]
    }
}

/// Counts a value, within bounds: a page shows it.
pub(super) fn add(counts: &mut BTreeMap<String, u64>, value: &str, count: u64) {
    if let Some(sum) = counts.get_mut(value) {
        *sum += count;
    } else if counts.len() < MAX_VALUES && value.len() <= MAX_VALUE_BYTES {
        counts.insert(value.to_owned(), count);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clicks_are_counted_by_what_they_tell() {
        let mut clicks = Clicks::of(
            b"{\"userId\":\"a\",\"mysfitId\":\"1\",\"goodevil\":\"Good\",\"lawchaos\":\"Lawful\",\"species\":\"Y\\u00e9ti\"}\n\
              {\"mysfitId\":\"1\",\"species\":null}\nno JSON\n[1]\n\n{\"mysfitId\":7}",
        );
        clicks.add(Clicks::of(b"{\"mysfitId\":\"2\",\"goodevil\":\"Good\"}\n"));
        assert_eq!(
            serde_json::to_value(&clicks).unwrap(),
            json!({ "mysfit": { "1": 2, "2": 1 }, "species": { "Y\u{e9}ti": 1 }, "goodevil": { "Good": 2 }, "lawchaos": { "Lawful": 1 } }),
        );
    }

    #[test]
    fn there_are_only_so_many_values() {
        let lines: Vec<String> = (0..MAX_VALUES + 9).map(|id| format!("{{\"mysfitId\":\"{id}\"}}\n")).collect();
        let mut clicks = Clicks::of(lines.concat().as_bytes());
        clicks.add(Clicks::of(b"{\"mysfitId\":\"another\"}\n{\"mysfitId\":\"0\"}"));
        assert_eq!((clicks.mysfit.len(), clicks.mysfit["0"]), (MAX_VALUES, 2));

        let of_length = |bytes: usize| format!("{{\"species\":\"{}\"}}", "x".repeat(bytes));
        for (bytes, counted) in [(MAX_VALUE_BYTES, 1), (MAX_VALUE_BYTES + 1, 0)] {
            assert_eq!(Clicks::of(of_length(bytes).as_bytes()).species.len(), counted);
        }
    }
}
