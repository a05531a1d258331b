//! An item's wanted attributes, pre-encoded as the JSON members of a line.

use crate::field::Field;

/// The attributes of one item, borrowed from an [`OwnedAttributes`] or a [`List`](super::service_response::List).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes<'a> {
    pub(super) members: &'a str,
    /// Where each value ends in `members`.
    pub(super) ends: &'a [u32],
}

impl<'a> Attributes<'a> {
    /// The attributes as members of a JSON object, such as `"goodevil":"Evil","lawchaos":"Lawful"`.
    #[must_use]
    pub fn members(self) -> &'a str {
        self.members
    }

    /// The JSON of the attribute at `index` of the configured names.
    ///
    /// # Panics
    /// If `index` is out of range.
    #[must_use]
    pub fn value(self, index: usize) -> &'a str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let member = &self.members[start..self.ends[index] as usize];
        // A name needs no escaping, so it ends at the first colon.
        member.split_once(':').map_or("", |(_, value)| value)
    }
}

/// The attributes of one item, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedAttributes {
    members: Box<str>,
    ends: Box<[u32]>,
}

impl OwnedAttributes {
    /// The attributes of an unknown key: `null` for each of `attributes`.
    #[must_use]
    pub fn unknown(attributes: &[Field]) -> Self {
        let (mut members, mut ends) = (String::new(), Vec::new());
        for attribute in attributes {
            members.push_str(if members.is_empty() { "\"" } else { ",\"" });
            members.push_str(&attribute.output);
            members.push_str("\":null");
            ends.push(u32::try_from(members.len()).unwrap_or(u32::MAX));
        }
        Self::new(members, ends)
    }

    pub(super) fn new(members: String, ends: Vec<u32>) -> Self {
        Self { members: members.into(), ends: ends.into() }
    }

    /// The attributes.
    #[must_use]
    pub fn view(&self) -> Attributes<'_> {
        Attributes { members: &self.members, ends: &self.ends }
    }

    /// The most heap behind an `Arc`: three allocations, each with up to 32 bytes more than requested (glibc: a header of 8, steps of 16).
    pub(super) fn heap_bytes(&self) -> usize {
        const ARC_BYTES: usize = 2 * size_of::<usize>() + size_of::<OwnedAttributes>();
        const BLOCKS: usize = 3;
        ARC_BYTES + self.members.len() + size_of_val(&*self.ends) + BLOCKS * 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_has_nulls() {
        let unknown = OwnedAttributes::unknown(&["goodevil", "age"].map(Field::named));
        assert_eq!(unknown.view().members(), r#""goodevil":null,"age":null"#);
        assert_eq!([0, 1].map(|index| unknown.view().value(index)), ["null", "null"]);
        assert_eq!(OwnedAttributes::unknown(&[]).view().members(), "");
    }

    #[test]
    fn no_attributes_take_more_heap_than_is_counted() {
        for names in [1_usize, 3, 32] {
            let names: Vec<Field> = (0..names).map(|index| Field::named(&format!("attribute-{index}"))).collect();
            let mut counted = 0;
            let heap = allocation_counter::measure(|| {
                let attributes = std::sync::Arc::new(OwnedAttributes::unknown(&names));
                counted = attributes.heap_bytes();
                std::mem::forget(attributes);
            });
            assert!(
                heap.bytes_current > 0 && counted >= usize::try_from(heap.bytes_current).unwrap(),
                "{counted}, {heap:?}"
            );
        }
    }
}
