//! Fields of JSON objects: how the configuration names them, and how they are found.

use std::borrow::Cow;
use std::fmt;

use firehose_transform::json::{Shape, members};
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::de::Read;
use serde_json::value::RawValue;
use service_kit::env::is_name;
use service_kit::json::{self, AnyName, Mode, UnsupportedValue};

/// What [`Field::parse`] accepts.
pub const FIELD: &str =
    "NAME or NAME=/json/pointer, with a name of 1 to 64 characters of [A-Za-z0-9_-] and a pointer of up to 16 parts";
/// The most parts of a pointer: each is another pass over a part of the object.
const MAX_DEPTH: usize = 16;

/// A field of a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in a line.
    pub output: String,
    /// Whether it is found by a JSON pointer (RFC 6901), and not by its name.
    pub is_pointer: bool,
    /// The member's name, or the pointer's unescaped parts.
    path: Vec<String>,
}

impl Field {
    /// The member with that name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { output: name.to_owned(), is_pointer: false, path: vec![name.to_owned()] }
    }

    /// `NAME` or `NAME=/json/pointer`; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('=') {
            None => is_name(text).then(|| Self::named(text)),
            Some((output, pointer)) => {
                let path: Option<Vec<String>> = pointer.strip_prefix('/')?.split('/').map(unescape).collect();
                let path = path.filter(|path| is_name(output) && path.len() <= MAX_DEPTH)?;
                Some(Self { output: output.to_owned(), is_pointer: true, path })
            }
        }
    }
}

fn unescape(part: &str) -> Option<String> {
    let mut pieces = part.split('~');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        text.push(match piece.bytes().next()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        });
        text.push_str(&piece[1..]);
    }
    Some(text)
}

/// Without a leading zero (RFC 6901).
fn index(part: &str) -> Option<usize> {
    let is_index = part == "0" || (!part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit()));
    part.parse().ok().filter(|_| is_index)
}

/// Fields to find in objects, as a tree: fields with a common path share the passes over it.
#[derive(Clone, Debug)]
pub struct Selection {
    nodes: Vec<Node>,
    slots: usize,
    any_case: bool,
}

#[derive(Clone, Debug)]
struct Node {
    name: String,
    /// Whether a member whose name differs only in case counts if none has exactly this name.
    any_case: bool,
    index: Option<usize>,
    slot: usize,
    children: Vec<Node>,
}

/// How objects are written whose values are strings and integers, and which of their members are selected. These have no fields in them.
#[derive(Debug)]
pub(crate) struct FlatObject {
    pub(crate) shape: Shape,
    /// For each member the slot of its value, if it is selected.
    pub(crate) slots: Vec<Option<usize>>,
}

/// A value of an object.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// The value as JSON.
    pub json: &'a str,
    /// Whether it is known to be a string without escapes, or an integer that a 64-bit float can hold. Finding out takes as long as
    /// copying it.
    is_plain: bool,
}

impl<'a> Value<'a> {
    /// A value of any type.
    #[must_use]
    pub fn of(json: &'a str) -> Self {
        Self { json, is_plain: false }
    }

    /// A string without escapes, or an integer that a 64-bit float can hold.
    pub(crate) fn plain(json: &'a str) -> Self {
        Self { json, is_plain: true }
    }

    pub(crate) fn text(self) -> Result<Option<Cow<'a, str>>, UnsupportedValue> {
        if self.is_plain { Ok(json::quoted(self.json).map(Cow::Borrowed)) } else { json::text(self.json) }
    }

    pub(crate) fn check(self) -> Result<(), UnsupportedValue> {
        if self.is_plain { Ok(()) } else { json::check(self.json, Mode::Unescape) }
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) -> Result<(), UnsupportedValue> {
        if !self.is_plain {
            return json::write_compact(self.json, Mode::Unescape, out);
        }
        out.extend_from_slice(self.json.as_bytes());
        Ok(())
    }
}

/// The values of a [`Selection`] in one object.
#[derive(Debug, Default)]
pub struct Found<'a>(Vec<Slot<'a>>);

#[derive(Clone, Copy, Debug, Default)]
struct Slot<'a> {
    value: Option<Value<'a>>,
    is_exact: bool,
}

impl<'a> Found<'a> {
    fn clear(&mut self, slots: usize) {
        self.0.clear();
        self.0.resize(slots, Slot::default());
    }

    /// The value of the field with that slot.
    #[must_use]
    pub fn get(&self, slot: usize) -> Option<Value<'a>> {
        self.0[slot].value
    }
}

impl Selection {
    /// No fields. With `any_case`, names match without regard to case; pointers never do.
    #[must_use]
    pub fn new(any_case: bool) -> Self {
        Self { nodes: Vec::new(), slots: 0, any_case }
    }

    /// Adds a field; returns the slot of its value, which equal fields share.
    pub fn add(&mut self, field: &Field) -> usize {
        let any_case = self.any_case && !field.is_pointer;
        let (mut nodes, mut slot) = (&mut self.nodes, 0);
        for name in &field.path {
            let same = nodes.iter().position(|node| node.name == *name && node.any_case == any_case);
            let index = same.unwrap_or_else(|| {
                let index = index(name);
                nodes.push(Node { name: name.clone(), any_case, index, slot: self.slots, children: Vec::new() });
                self.slots += 1;
                nodes.len() - 1
            });
            slot = nodes[index].slot;
            nodes = &mut nodes[index].children;
        }
        slot
    }

    /// How the object in `text` is written, if all its values are strings and integers.
    pub(crate) fn flat_object(&self, text: &str) -> Option<FlatObject> {
        if self.any_case {
            return None;
        }
        let mut slots = Vec::new();
        members(text, |name, _| slots.push(self.nodes.iter().find(|node| node.name == name).map(|node| node.slot)))?;
        Some(FlatObject { shape: Shape::of(text)?, slots })
    }

    /// Finds the fields of the object in `text`, like [`Selection::read`]; `None` if that has to decide.
    pub fn scan<'a>(&self, text: &'a str, found: &mut Found<'a>) -> Option<()> {
        found.clear(self.slots);
        members(text, |name, value| select(&self.nodes, name, value, &mut found.0))?;
        descend(&self.nodes, &mut found.0);
        Some(())
    }

    /// Finds the fields of the object that `json` has next. The last of several members with one name counts, as in most parsers.
    ///
    /// # Errors
    /// It is not JSON, or not an object.
    pub fn read<'a, R: Read<'a>>(
        &self,
        json: &mut Deserializer<R>,
        found: &mut Found<'a>,
    ) -> Result<(), serde_json::Error> {
        found.clear(self.slots);
        json.deserialize_map(SelectionVisitor { nodes: &self.nodes, found: &mut found.0 })?;
        descend(&self.nodes, &mut found.0);
        Ok(())
    }
}

/// Its depth is that of the pointers, not that of the values.
fn descend(nodes: &[Node], found: &mut [Slot<'_>]) {
    for node in nodes.iter().filter(|node| !node.children.is_empty()) {
        let Some(value) = found[node.slot].value else { continue };
        let mut json = Deserializer::from_str(value.json);
        let visitor = SelectionVisitor { nodes: &node.children, found: &mut *found };
        // It was read before, so it is JSON. A scalar has no fields.
        let read =
            if value.json.starts_with('[') { json.deserialize_seq(visitor) } else { json.deserialize_map(visitor) };
        if read.is_ok() {
            descend(&node.children, found);
        }
    }
}

/// At most 65 fields are configured.
fn select<'a>(nodes: &[Node], name: &str, value: &'a str, found: &mut [Slot<'a>]) {
    for node in nodes {
        let is_exact = node.name == name;
        if is_exact || (node.any_case && node.name.eq_ignore_ascii_case(name)) {
            let slot = &mut found[node.slot];
            if is_exact || !slot.is_exact {
                *slot = Slot { value: Some(Value::of(value)), is_exact };
            }
        }
    }
}

struct SelectionVisitor<'s, 'a> {
    nodes: &'s [Node],
    found: &'s mut [Slot<'a>],
}

impl<'de> Visitor<'de> for SelectionVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(AnyName(name)) = map.next_key()? {
            select(self.nodes, &name, map.next_value::<&RawValue>()?.get(), self.found);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(value) = seq.next_element::<&RawValue>()? {
            for node in self.nodes.iter().filter(|node| node.index == Some(index)) {
                self.found[node.slot].value = Some(Value::of(value.get()));
            }
            index += 1;
        }
        Ok(())
    }
}
