//! Parses the service's responses: its list, and its items.
//!
//! Names are matched without regard to case: of the published mysfits services, Go and .NET spell `goodEvil`, Python and Java `goodevil`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::attributes::{Attributes, OwnedAttributes};
use super::texts::{Texts, offset_of, range};
use crate::config::{Config, LookupMode};
use crate::field::{Found, Selection};
use crate::key::Key;

/// The most heap of a list: two lists, a body and an event of 6 MB fit into 100 MiB. The longest body has 8 MiB, so only a list of many
/// items with very short values exceeds it, or one whose values several pointers select.
pub const MAX_LIST_HEAP_BYTES: usize = 14 << 20;
/// The most bytes of an item's attributes: as the longest body has, so only pointers that select a value several times exceed it.
const MAX_ATTRIBUTES_BYTES: usize = 8 << 20;

/// What to read of the service's items.
#[derive(Clone, Debug)]
pub struct ItemFormat {
    selection: Selection,
    key: Option<usize>,
    attributes: Vec<Attribute>,
    /// Finds the array of a list.
    array: Option<(Selection, usize)>,
    /// Whether the list has all there is of an item, because items can't be requested.
    list_is_complete: bool,
}

#[derive(Clone, Debug)]
struct Attribute {
    name: String,
    slot: usize,
    is_pointer: bool,
}

impl ItemFormat {
    /// The configured format.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut selection = Selection::new(true);
        let attributes = config.attributes.iter().map(|field| Attribute {
            name: field.output.clone(),
            slot: selection.add(field),
            is_pointer: field.is_pointer,
        });
        let attributes = attributes.collect();
        let key = config.list_key.as_ref().map(|field| selection.add(field));
        let array = match &config.lookup_mode {
            LookupMode::List { array: Some(array), .. } => {
                let mut selection = Selection::new(true);
                let slot = selection.add(array);
                Some((selection, slot))
            }
            _ => None,
        };
        let list_is_complete = matches!(config.lookup_mode, LookupMode::List { item: None, .. });
        Self { selection, key, attributes, array, list_is_complete }
    }

    fn key<'a>(&self, found: &Found<'a>) -> Option<Cow<'a, str>> {
        let Ok(Key::Text(key)) = Key::of(found.get(self.key?)?) else { return None };
        Some(key)
    }

    /// With `is_complete`, an attribute is `null` if its pointer finds nothing. The error is the name of the first that is missing or can't
    /// be written; `members` and `ends` then have a part of the attributes.
    fn write_attributes(
        &self,
        found: &Found,
        is_complete: bool,
        members: &mut Vec<u8>,
        ends: &mut Vec<u32>,
    ) -> Result<(), &str> {
        let start = members.len();
        for Attribute { name, slot, is_pointer } in &self.attributes {
            members.extend_from_slice(if members.len() == start { b"\"" } else { b",\"" });
            members.extend_from_slice(name.as_bytes());
            members.extend_from_slice(b"\":");
            match found.get(*slot) {
                Some(value) if members.len() - start + value.json.len() <= MAX_ATTRIBUTES_BYTES => {
                    value.write(members).map_err(|_| name.as_str())?;
                }
                None if is_complete && *is_pointer => members.extend_from_slice(b"null"),
                _ => return Err(name),
            }
            ends.push(offset_of(members.len() - start));
        }
        Ok(())
    }
}

/// Why a response is not usable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceResponseError {
    /// There is no list.
    #[error("no list")]
    NoList,
    /// The body is not JSON, or has another shape.
    #[error("a body that is not the service's JSON")]
    Shape,
    /// An object that does not have exactly one array.
    #[error("an object without a list; accepted: exactly one array as a member, or its JSON pointer in LOOKUP_LIST")]
    NoArray,
    /// There is no array at the configured pointer.
    #[error("an object without an array at the JSON pointer of LOOKUP_LIST")]
    NothingAtPointer,
    /// The list exceeds [`MAX_LIST_HEAP_BYTES`].
    #[error("a list that takes more than {MAX_LIST_HEAP_BYTES} bytes of memory")]
    TooLarge,
    /// No entry of the list has the key.
    #[error("a list without the key LOOKUP_LIST_KEY in any entry")]
    NoKeys,
    /// The item lacks a wanted attribute.
    #[error("an item without the attribute \"{0}\"")]
    MissingAttribute(String),
    /// As [`ServiceResponseError::MissingAttribute`], in the list.
    #[error("an item without all attributes in the list, and LOOKUP_ITEM is none")]
    Incomplete,
}

/// An item in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListEntry {
    /// It has every wanted attribute: see [`List::attributes`].
    Complete(AttributesId),
    /// It lacks one, so it is requested.
    Partial,
}

/// Identifies attributes within one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributesId(u32);

/// The items of a list, by key.
///
/// All keys share one buffer, and all attributes another. With an allocation each, a list of small entries would take nine times its
/// body's bytes. This takes 1.7 times, or 2.5 times if the key is an attribute, and never more than [`MAX_LIST_HEAP_BYTES`].
#[derive(Debug, Default)]
pub struct List {
    keys: Texts,
    /// For each key the number of its attributes, or [`PARTIAL`].
    attributes: Vec<u32>,
    /// Items with equal attributes share them, so that they stay in the CPU's cache: 5 % less time for a batch with 10,000 keys.
    members: String,
    members_ends: Vec<u32>,
    /// Where each value ends within its members: one for each attribute.
    value_ends: Vec<u32>,
    /// How many attributes an item has.
    width: usize,
}

const PARTIAL: u32 = u32::MAX;

impl List {
    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.attributes.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The item with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<ListEntry> {
        Some(match self.attributes[self.keys.find(key.as_bytes())? as usize] {
            PARTIAL => ListEntry::Partial,
            attributes => ListEntry::Complete(AttributesId(attributes)),
        })
    }

    /// The attributes of an entry of this list.
    ///
    /// # Panics
    /// If `id` is from another list.
    #[must_use]
    pub fn attributes(&self, id: AttributesId) -> Attributes<'_> {
        let values = id.0 as usize * self.width;
        Attributes {
            members: &self.members[range(&self.members_ends, id.0)],
            ends: &self.value_ends[values..values + self.width],
        }
    }

    /// The last of several with one key counts.
    fn put(&mut self, key: &str, attributes: u32) {
        self.keys.bytes.extend_from_slice(key.as_bytes());
        let number = self.keys.number_of_last() as usize;
        match self.attributes.get_mut(number) {
            Some(known) => *known = attributes,
            None => self.attributes.push(attributes),
        }
    }

    /// Returns the number of the attributes, or [`PARTIAL`] if a wanted one is missing.
    fn put_attributes(&mut self, found: &Found, format: &ItemFormat, members: &mut Texts) -> u32 {
        let written = format.write_attributes(found, format.list_is_complete, &mut members.bytes, &mut self.value_ends);
        let number = if written.is_ok() { members.number_of_last() } else { PARTIAL };
        // What is incomplete or known is removed again.
        members.bytes.truncate(members.last_end());
        self.value_ends.truncate(members.ends.len() * self.width);
        number
    }

    /// Without spare capacity.
    fn used_bytes(&self) -> usize {
        let numbers = self.attributes.len() + self.value_ends.len();
        self.keys.used_bytes() + self.keys.index_bytes() + numbers * size_of::<u32>()
    }
}

/// Parses the list: the array that the configuration names; otherwise an array of items, or an object with exactly one array. `{}` has
/// no items.
///
/// An entry that has no key or is not an object is ignored: no event can name it.
pub fn parse_list(body: &[u8], format: &ItemFormat) -> Result<List, ServiceResponseError> {
    let shape = |_| ServiceResponseError::Shape;
    let mut json = serde_json::Deserializer::from_slice(body);
    let items = if let Some((selection, slot)) = &format.array {
        let mut found = Found::default();
        selection.read(&mut json, &mut found).and_then(|()| json.end()).map_err(shape)?;
        match found.get(*slot).map(|value| value.json) {
            Some(items) if items.starts_with('[') => items,
            // Go writes an empty list so.
            Some("null") => return Ok(List::default()),
            _ => return Err(ServiceResponseError::NothingAtPointer),
        }
    } else if body.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice::<&RawValue>(body).map_err(shape)?.get()
    } else {
        let items = json.deserialize_map(OnlyArray).map_err(shape)?;
        json.end().map_err(shape)?;
        match items {
            Members::OneArray(items) => items,
            Members::None => return Ok(List::default()),
            Members::Others => return Err(ServiceResponseError::NoArray),
        }
    };
    let list = ListVisitor { format, body_bytes: items.len() };
    serde_json::Deserializer::from_str(items).deserialize_seq(list).map_err(shape)?
}

/// Parses an item: an object with that key, if items have one, and the attributes.
pub fn parse_item(body: &[u8], key: &str, format: &ItemFormat) -> Result<OwnedAttributes, ServiceResponseError> {
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = format.selection.read(&mut json, &mut found).and_then(|()| json.end());
    read.map_err(|_| ServiceResponseError::Shape)?;
    // Without this key it is another response: a gateway's `{"message": …}`, or that of another request.
    if format.key.is_some() && format.key(&found).as_deref() != Some(key) {
        return Err(ServiceResponseError::Shape);
    }
    let (mut members, mut ends) = (Vec::new(), Vec::with_capacity(format.attributes.len()));
    format
        .write_attributes(&found, true, &mut members, &mut ends)
        .map_err(|name| ServiceResponseError::MissingAttribute(name.to_owned()))?;
    let members = String::from_utf8(members).map_err(|_| ServiceResponseError::Shape)?;
    Ok(OwnedAttributes::new(members, ends))
}

enum Members<'a> {
    /// Or one that is `null`: Go writes an empty list so.
    None,
    OneArray(&'a str),
    Others,
}

struct OnlyArray;

impl<'de> Visitor<'de> for OnlyArray {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut array, mut arrays, mut others, mut nulls) = (None, 0_usize, 0_usize, 0_usize);
        while let Some((_, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            match value.get().as_bytes() {
                [b'[', ..] => (array, arrays) = (Some(value), arrays + 1),
                b"null" => nulls += 1,
                _ => others += 1,
            }
        }
        Ok(match (array, arrays) {
            (Some(array), 1) => Members::OneArray(array.get()),
            (None, _) if others == 0 && nulls <= 1 => Members::None,
            _ => Members::Others,
        })
    }
}

struct ListVisitor<'f> {
    format: &'f ItemFormat,
    body_bytes: usize,
}

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = Result<List, ServiceResponseError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = List { width: self.format.attributes.len(), ..List::default() };
        // Seldom longer than their source. Growing would hold them twice for a moment; untouched capacity takes no memory.
        let mut members = Texts::with_capacity(self.body_bytes);
        let (mut found, mut is_empty) = (Found::default(), true);
        while let Some(entry) = seq.next_element::<&RawValue>()? {
            is_empty = false;
            let mut json = serde_json::Deserializer::from_str(entry.get());
            if self.format.selection.read(&mut json, &mut found).is_ok()
                && let Some(key) = self.format.key(&found)
            {
                let attributes = list.put_attributes(&found, self.format, &mut members);
                list.put(&key, attributes);
            }
            if list.used_bytes() + members.used_bytes() > MAX_LIST_HEAP_BYTES {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Err(ServiceResponseError::TooLarge));
            }
        }
        if list.is_empty() && !is_empty {
            return Ok(Err(ServiceResponseError::NoKeys));
        }
        list.members_ends = members.ends;
        // Everything written comes from strings, so it is UTF-8.
        list.members = String::from_utf8(members.bytes).map_err(serde::de::Error::custom)?;
        list.keys.bytes.shrink_to_fit();
        list.keys.ends.shrink_to_fit();
        list.attributes.shrink_to_fit();
        list.members.shrink_to_fit();
        list.members_ends.shrink_to_fit();
        list.value_ends.shrink_to_fit();
        Ok(Ok(list))
    }
}

#[cfg(test)]
mod tests;
