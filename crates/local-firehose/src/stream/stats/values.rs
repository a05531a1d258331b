//! How often the values of fields are in delivered lines.

use std::collections::BTreeMap;

use serde::Serialize;

use firehose_model::fields::Fields;

/// The most values that are counted of one field: a function may write anything.
pub(super) const MAX_VALUES: usize = 200;
pub(crate) const MAX_VALUE_BYTES: usize = 128;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct ValueCounts(pub(super) BTreeMap<String, BTreeMap<String, u64>>);

impl ValueCounts {
    /// Lines that are no JSON objects are skipped.
    pub(crate) fn of(object: &[u8], fields: &[String]) -> Self {
        let mut counts = Self(fields.iter().map(|field| (field.clone(), BTreeMap::new())).collect());
        if fields.is_empty() {
            return counts;
        }
        for line in object.split(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Fields<'_>>(line) else { continue };
            for (field, counts) in &mut counts.0 {
                if let Some(value) = line.text(field) {
                    add(counts, &value, 1);
                }
            }
        }
        counts
    }

    pub(crate) fn add(&mut self, others: Self) {
        for (field, others) in others.0 {
            let counts = self.0.entry(field).or_default();
            for (value, count) in others {
                add(counts, &value, count);
            }
        }
    }
}

pub(crate) fn add(counts: &mut BTreeMap<String, u64>, value: &str, count: u64) {
    if let Some(sum) = counts.get_mut(value) {
        *sum += count;
    } else if counts.len() < MAX_VALUES && value.len() <= MAX_VALUE_BYTES {
        counts.insert(value.to_owned(), count);
    }
}
