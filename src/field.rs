//! Fields of JSON objects: how the configuration names them, and how they are found.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::de::Read;
use serde_json::value::RawValue;
use service_kit::env::is_name;
use service_kit::json::AnyName;

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

/// A part of a pointer without its escapes, which are `~0` for `~` and `~1` for `/`.
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

/// The index of an array's element in a pointer: digits without a leading zero.
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
    /// The element that it names in an array.
    index: Option<usize>,
    slot: usize,
    children: Vec<Node>,
}

/// The values of a [`Selection`] in one object.
#[derive(Debug, Default)]
pub struct Found<'a>(Vec<Slot<'a>>);

#[derive(Clone, Copy, Debug, Default)]
struct Slot<'a> {
    value: Option<&'a RawValue>,
    is_exact: bool,
}

impl<'a> Found<'a> {
    /// The value of the field with that slot.
    #[must_use]
    pub fn get(&self, slot: usize) -> Option<&'a RawValue> {
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

    /// Finds the fields of the object that `json` has next. The last of several members with one name counts, as in most parsers.
    ///
    /// # Errors
    /// It is not JSON, or not an object.
    pub fn read<'a, R: Read<'a>>(
        &self,
        json: &mut Deserializer<R>,
        found: &mut Found<'a>,
    ) -> Result<(), serde_json::Error> {
        found.0.clear();
        found.0.resize(self.slots, Slot::default());
        json.deserialize_map(Members { nodes: &self.nodes, found: &mut found.0 })?;
        descend(&self.nodes, &mut found.0);
        Ok(())
    }
}

/// Finds the fields within the values that were found. Its depth is that of the pointers, not that of the values.
fn descend(nodes: &[Node], found: &mut [Slot<'_>]) {
    for node in nodes.iter().filter(|node| !node.children.is_empty()) {
        let Some(value) = found[node.slot].value else { continue };
        let mut json = Deserializer::from_str(value.get());
        let members = Members { nodes: &node.children, found: &mut *found };
        // It was read before, so it is JSON. A scalar has no fields.
        let read =
            if value.get().starts_with('[') { json.deserialize_seq(members) } else { json.deserialize_map(members) };
        if read.is_ok() {
            descend(&node.children, found);
        }
    }
}

struct Members<'s, 'a> {
    nodes: &'s [Node],
    found: &'s mut [Slot<'a>],
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(AnyName(name)) = map.next_key()? {
            // At most 65 fields are configured.
            let matches = |node: &&Node| node.name == name || (node.any_case && node.name.eq_ignore_ascii_case(&name));
            let mut matching = self.nodes.iter().filter(matches).peekable();
            if matching.peek().is_none() {
                // Other members may have any valid JSON: any depth, number or escape.
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = Some(map.next_value()?);
            for node in matching {
                let (slot, is_exact) = (&mut self.found[node.slot], node.name == name);
                if is_exact || !slot.is_exact {
                    *slot = Slot { value, is_exact };
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(value) = seq.next_element()? {
            for node in self.nodes.iter().filter(|node| node.index == Some(index)) {
                self.found[node.slot].value = Some(value);
            }
            index += 1;
        }
        Ok(())
    }
}
