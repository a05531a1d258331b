//! The members of an event that `*` in `EVENT_FIELDS` keeps.

use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use service_kit::json::{self, Mode, UnsupportedValue};

use crate::config::Config;

#[derive(Clone, Debug)]
pub(super) struct Rest {
    excluded: Vec<String>,
}

struct Member<'a> {
    name: &'a RawValue,
    value: &'a RawValue,
}

impl Rest {
    pub(super) fn new(config: &Config) -> Self {
        Self { excluded: config.output_fields().map(str::to_owned).collect() }
    }

    pub(super) fn check(&self, event: &str) -> Result<(), UnsupportedValue> {
        self.members(event).into_iter().try_for_each(|member| {
            json::check(member.name.get(), Mode::KeepBytes)?;
            json::check(member.value.get(), Mode::KeepBytes)
        })
    }

    /// Expects an event that [`Rest::check`] accepts. Each member has a comma before it.
    pub(super) fn write(&self, event: &str, out: &mut Vec<u8>) {
        for member in self.members(event) {
            out.push(b',');
            out.extend_from_slice(member.name.get().as_bytes());
            out.push(b':');
            let written = json::write_compact(member.value.get(), Mode::KeepBytes, out);
            debug_assert_eq!(written, Ok(()), "parsing checks every member that is kept");
        }
    }

    /// Of members that share a name, the last counts, at the place of the first: two would be one column twice, and readers reject them.
    fn members<'a>(&self, event: &'a str) -> Vec<Member<'a>> {
        let members = MembersVisitor { excluded: &self.excluded };
        // It was read before, so it is an object.
        serde_json::Deserializer::from_str(event).deserialize_map(members).unwrap_or_default()
    }
}

/// A member's name, compared and hashed as Hive and Athena do: without regard to case.
#[derive(Clone, Copy)]
struct AnyCase<'t>(&'t str);

impl AnyCase<'_> {
    fn lower(self) -> impl Iterator<Item = char> {
        self.0.chars().flat_map(char::to_lowercase)
    }
}

impl PartialEq for AnyCase<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.lower().eq(other.lower())
    }
}

impl Hash for AnyCase<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lower().for_each(|character| state.write_u32(character.into()));
    }
}

struct MembersVisitor<'e> {
    excluded: &'e [String],
}

impl<'de> Visitor<'de> for MembersVisitor<'_> {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // Its own hash seed, so that visitors can't provoke collisions. Indices, because an event may have half a million members.
        let hasher = RandomState::default();
        let mut numbers: HashTable<u32> = HashTable::new();
        let mut members: Vec<Member> = Vec::new();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let text = text_of(name);
            let same = |other: &RawValue| AnyCase(&text_of(other)) == AnyCase(&text);
            if self.excluded.iter().any(|excluded| AnyCase(excluded) == AnyCase(&text)) {
                continue;
            }
            let again = |number: &u32| hasher.hash_one(AnyCase(&text_of(members[*number as usize].name)));
            match numbers.entry(hasher.hash_one(AnyCase(&text)), |number| same(members[*number as usize].name), again) {
                Entry::Occupied(known) => members[*known.get() as usize] = Member { name, value },
                Entry::Vacant(new) => {
                    new.insert(u32::try_from(members.len()).unwrap_or(u32::MAX));
                    members.push(Member { name, value });
                }
            }
        }
        Ok(members)
    }
}

/// A name, or its JSON if it has a lone surrogate.
fn text_of(name: &RawValue) -> std::borrow::Cow<'_, str> {
    json::text(name.get()).ok().flatten().unwrap_or(name.get().into())
}
