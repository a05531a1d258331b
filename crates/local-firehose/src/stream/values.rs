//! Counts how often each value of some fields was delivered.

use std::collections::BTreeMap;

use firehose_model::fields::Fields;
use serde::Serialize;

/// The most values that are counted of one field: a function may write anything.
const MAX_VALUES: usize = 200;
const MAX_VALUE_BYTES: usize = 128;

/// By field: how often each value was delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct ValueCounts(BTreeMap<String, BTreeMap<String, u64>>);

impl ValueCounts {
    /// Counts the strings of these fields in an object's lines. Lines that are no JSON objects are skipped.
    pub(super) fn of(object: &[u8], fields: &[String]) -> Self {
        let mut counts = Self(fields.iter().map(|field| (field.clone(), BTreeMap::new())).collect());
        if fields.is_empty() {
            return counts;
        }
        for line in object.split(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Fields<'_>>(line) else { continue };
            for (field, counts) in &mut counts.0 {
                let value = line.get(field).and_then(|value| serde_json::from_str::<String>(value).ok());
                if let Some(value) = value {
                    add(counts, &value, 1);
                }
            }
        }
        counts
    }

    pub(super) fn add(&mut self, others: Self) {
        for (field, others) in others.0 {
            let counts = self.0.entry(field).or_default();
            for (value, count) in others {
                add(counts, &value, count);
            }
        }
    }
}

/// Counts a value, within the bounds.
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

    fn fields() -> [String; 2] {
        ["id", "species"].map(str::to_owned)
    }

    #[test]
    fn values_are_counted_by_field() {
        let mut counts = ValueCounts::of(
            b"{\"userId\":\"a\",\"id\":\"1\",\"species\":\"Y\\u00e9ti\"}\n\
              {\"id\":\"1\",\"species\":null}\nno JSON\n[1]\n\n{\"id\":7}",
            &fields(),
        );
        counts.add(ValueCounts::of(b"{\"id\":\"2\"}\n", &fields()));
        let expected = json!({ "id": { "1": 2, "2": 1 }, "species": { "Y\u{e9}ti": 1 } });
        assert_eq!(serde_json::to_value(&counts).unwrap(), expected);
        assert_eq!(ValueCounts::of(b"{\"id\":\"1\"}", &[]), ValueCounts::default());
    }

    #[test]
    fn values_are_bounded_in_number_and_length() {
        let lines: Vec<String> = (0..MAX_VALUES + 9).map(|id| format!("{{\"id\":\"{id}\"}}\n")).collect();
        let mut counts = ValueCounts::of(lines.concat().as_bytes(), &fields());
        counts.add(ValueCounts::of(b"{\"id\":\"another\"}\n{\"id\":\"0\"}", &fields()));
        assert_eq!((counts.0["id"].len(), counts.0["id"]["0"]), (MAX_VALUES, 2));

        let of_length = |bytes: usize| format!("{{\"species\":\"{}\"}}", "x".repeat(bytes));
        for (bytes, counted) in [(MAX_VALUE_BYTES, 1), (MAX_VALUE_BYTES + 1, 0)] {
            assert_eq!(ValueCounts::of(of_length(bytes).as_bytes(), &fields()).0["species"].len(), counted);
        }
    }
}
