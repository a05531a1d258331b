//! Parses responses of the mysfits service, in the dialects of its published versions.
//!
//! Go and .NET spell `goodEvil`, Python and Java `goodevil`, so names are matched case-insensitively.

use std::borrow::Cow;
use std::fmt;
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::de::Read;
use serde_json::value::RawValue;

use super::attributes::{Attributes, OwnedAttributes};
use service_kit::json::{self, AnyName};

const ID: &str = "mysfitId";

/// The most heap of a list: two lists, a body and an event of 6 MB fit into 100 MiB. The longest body has 8 MiB, so only a list of many
/// mysfits with very short values exceeds it.
pub const MAX_LIST_HEAP_BYTES: usize = 14 << 20;

/// Why a response is not usable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceResponseError {
    /// `GET /mysfits` found nothing.
    #[error("no list of mysfits")]
    NoList,
    /// The body is not JSON, or has another shape.
    #[error("a body that is not the service's JSON")]
    Shape,
    /// The list exceeds [`MAX_LIST_HEAP_BYTES`].
    #[error("a list that takes more than {MAX_LIST_HEAP_BYTES} bytes of memory")]
    TooLarge,
    /// The mysfit lacks a wanted attribute.
    #[error("a mysfit without the attribute \"{0}\"")]
    MissingAttribute(String),
}

/// A mysfit in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It has every wanted attribute: see [`List::attributes`].
    Complete(AttributesId),
    /// It lacks one, so it is requested by id.
    Partial,
}

/// Identifies attributes within one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributesId(u32);

/// The mysfits of a list, by id.
///
/// All ids share one string, and all attributes another. With an allocation each, a list of small entries would take nine times its
/// body's bytes. This takes 1.7 times, or 2.5 times if `mysfitId` is an attribute, and never more than [`MAX_LIST_HEAP_BYTES`].
#[derive(Debug, Default)]
pub struct List {
    ids: String,
    entries: Vec<StoredEntry>,
    /// Indices of `entries`, by the hash of their ids.
    index: HashTable<u32>,
    hasher: RandomState,
    /// The members of all attributes, concatenated. Mysfits with equal attributes share them, so that they stay in the CPU's cache: 5 %
    /// less time for a batch with 10,000 mysfits.
    members: String,
    /// Where each mysfit's members end in `members`.
    members_ends: Vec<u32>,
    /// Where each value ends within its members: `names` ends for each.
    value_ends: Vec<u32>,
    names: usize,
}

#[derive(Debug)]
struct StoredEntry {
    /// Where the id ends in the list's `ids`.
    id_end: u32,
    /// The index of its attributes, or [`PARTIAL`].
    attributes: u32,
}

const PARTIAL: u32 = u32::MAX;

impl List {
    /// How many mysfits it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The mysfit with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Entry> {
        let number = self.index.find(self.hasher.hash_one(id), |number| self.id(*number) == id)?;
        Some(match self.entries[*number as usize].attributes {
            PARTIAL => Entry::Partial,
            attributes => Entry::Complete(AttributesId(attributes)),
        })
    }

    /// The attributes of an entry of this list.
    ///
    /// # Panics
    /// If `id` is from another list.
    #[must_use]
    pub fn attributes(&self, id: AttributesId) -> Attributes<'_> {
        let number = id.0 as usize;
        let values = number * self.names;
        Attributes {
            members: &self.members
                [start(number, |before| self.members_ends[before])..self.members_ends[number] as usize],
            ends: &self.value_ends[values..values + self.names],
        }
    }

    fn id(&self, number: u32) -> &str {
        let number = number as usize;
        &self.ids[start(number, |before| self.entries[before].id_end)..self.entries[number].id_end as usize]
    }

    /// Adds a mysfit; the last of several with one id counts.
    fn put(&mut self, id: &str, attributes: u32) {
        let hash = self.hasher.hash_one(id);
        let Self { ids, entries, index, hasher, .. } = self;
        let id_of = |number: u32| {
            let number = number as usize;
            &ids[start(number, |before| entries[before].id_end)..entries[number].id_end as usize]
        };
        match index.entry(hash, |number| id_of(*number) == id, |number| hasher.hash_one(id_of(*number))) {
            Slot::Occupied(known) => {
                let number = *known.get() as usize;
                entries[number].attributes = attributes;
            }
            Slot::Vacant(new) => {
                new.insert(offset_of(entries.len()));
                ids.push_str(id);
                entries.push(StoredEntry { id_end: offset_of(ids.len()), attributes });
            }
        }
    }

    /// The heap of its ids, without spare capacity.
    fn used_bytes(&self) -> usize {
        self.ids.len() + self.entries.len() * size_of::<StoredEntry>() + self.index.allocation_size()
    }

    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        let ends = self.members_ends.capacity() + self.value_ends.capacity();
        self.ids.capacity()
            + self.entries.capacity() * size_of::<StoredEntry>()
            + self.index.allocation_size()
            + self.members.capacity()
            + ends * size_of::<u32>()
    }
}

/// The start of a range that is stored by its end: the end of the one before.
fn start(number: usize, end: impl FnOnce(usize) -> u32) -> usize {
    number.checked_sub(1).map_or(0, |before| end(before) as usize)
}

/// A position in a body, which is far shorter than 4 GiB.
fn offset_of(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Parses the response to `GET /mysfits`: `{"mysfits": [{"mysfitId": …, …}, …]}`, or `{}` without mysfits.
///
/// An entry that has no id or is not an object is ignored: no click can name it.
pub fn parse_list(body: &[u8], names: &[String]) -> Result<List, ServiceResponseError> {
    let body = WantedMembers::read(&mut serde_json::Deserializer::from_slice(body), ["mysfits"].into_iter())?;
    let Some(mysfits) = body.get("mysfits") else {
        return if body.is_empty { Ok(List::default()) } else { Err(ServiceResponseError::Shape) };
    };
    // Go writes an empty list as null.
    if mysfits.get() == "null" {
        return Ok(List::default());
    }
    let mut json = serde_json::Deserializer::from_str(mysfits.get());
    json.deserialize_seq(ListVisitor { names, body_bytes: mysfits.get().len() })
        .map_err(|_| ServiceResponseError::Shape)?
}

/// Parses the response to `GET /mysfits/{id}`: an object with that `mysfitId` and the mysfit's attributes.
pub fn parse_item(body: &[u8], id: &str, names: &[String]) -> Result<OwnedAttributes, ServiceResponseError> {
    let mysfit = WantedMembers::mysfit(&mut serde_json::Deserializer::from_slice(body), names)?;
    // Without this id it is another response: a gateway's `{"message": …}`, or that of another request.
    if mysfit.id().as_deref() != Some(id) {
        return Err(ServiceResponseError::Shape);
    }
    let (mut members, mut ends) = (Vec::new(), Vec::with_capacity(names.len()));
    mysfit
        .write_attributes(names, &mut members, &mut ends)
        .map_err(|name| ServiceResponseError::MissingAttribute(name.to_owned()))?;
    let members = String::from_utf8(members).map_err(|_| ServiceResponseError::Shape)?;
    Ok(OwnedAttributes::new(members, ends))
}

/// Reads an array of mysfits into a list.
struct ListVisitor<'n> {
    names: &'n [String],
    body_bytes: usize,
}

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = Result<List, ServiceResponseError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of mysfits")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = List { names: self.names.len(), ..List::default() };
        // Members are never longer than their source. Growing the buffer would hold them twice for a moment; untouched capacity takes no
        // memory.
        let mut attributes =
            AttributesTable { members: Vec::with_capacity(self.body_bytes), ..AttributesTable::default() };
        while let Some(entry) = seq.next_element::<&RawValue>()? {
            let mysfit = WantedMembers::mysfit(&mut serde_json::Deserializer::from_str(entry.get()), self.names);
            if let Ok(mysfit) = mysfit
                && let Some(id) = mysfit.id()
            {
                list.put(&id, attributes.number_of(&mysfit, self.names).unwrap_or(PARTIAL));
            }
            if list.used_bytes() + attributes.used_bytes() > MAX_LIST_HEAP_BYTES {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Err(ServiceResponseError::TooLarge));
            }
        }
        let AttributesTable { members, members_ends, value_ends, .. } = attributes;
        (list.members_ends, list.value_ends) = (members_ends, value_ends);
        // Everything written comes from strings, so it is UTF-8.
        list.members = String::from_utf8(members).map_err(serde::de::Error::custom)?;
        list.ids.shrink_to_fit();
        list.entries.shrink_to_fit();
        list.members.shrink_to_fit();
        list.members_ends.shrink_to_fit();
        list.value_ends.shrink_to_fit();
        Ok(Ok(list))
    }
}

/// The distinct attributes of a list while it is read.
#[derive(Default)]
struct AttributesTable {
    members: Vec<u8>,
    members_ends: Vec<u32>,
    value_ends: Vec<u32>,
    /// Their indices, by the hash of their members.
    index: HashTable<u32>,
    hasher: RandomState,
}

impl AttributesTable {
    /// The heap that stays after reading.
    fn used_bytes(&self) -> usize {
        self.members.len() + (self.members_ends.len() + self.value_ends.len()) * size_of::<u32>()
    }

    /// The index of the attributes of `mysfit`; `None` if it lacks one.
    fn number_of(&mut self, mysfit: &WantedMembers, names: &[String]) -> Option<u32> {
        let (members_start, values_start) = (self.members.len(), self.value_ends.len());
        let written = mysfit.write_attributes(names, &mut self.members, &mut self.value_ends);
        let Self { members, members_ends, value_ends, index, hasher } = self;
        let members_of = |number: u32| {
            let number = number as usize;
            &members[start(number, |before| members_ends[before])..members_ends[number] as usize]
        };
        let new = &members[members_start..];
        let number = written.ok().map(|()| {
            let again = |number: &u32| hasher.hash_one(members_of(*number));
            match index.entry(hasher.hash_one(new), |number| members_of(*number) == new, again) {
                Slot::Occupied(known) => *known.get(),
                Slot::Vacant(vacant) => {
                    let number = offset_of(members_ends.len());
                    vacant.insert(number);
                    number
                }
            }
        });
        if number == Some(offset_of(self.members_ends.len())) {
            self.members_ends.push(offset_of(self.members.len()));
        } else {
            self.members.truncate(members_start);
            value_ends.truncate(values_start);
        }
        number
    }
}

/// The wanted members of a JSON object. Nothing else of it is kept, however often a member repeats.
struct WantedMembers<'a, 'w> {
    members: Vec<Member<'a, 'w>>,
    is_empty: bool,
}

/// A wanted member: the last with exactly this name, and the last whose name differs only in case.
struct Member<'a, 'w> {
    name: &'w str,
    exact: Option<&'a RawValue>,
    other_case: Option<&'a RawValue>,
}

impl<'a, 'w> WantedMembers<'a, 'w> {
    fn mysfit<R: Read<'a>>(
        json: &mut serde_json::Deserializer<R>,
        names: &'w [String],
    ) -> Result<WantedMembers<'a, 'w>, ServiceResponseError> {
        Self::read(json, names.iter().map(String::as_str).chain([ID]))
    }

    fn read<R: Read<'a>>(
        json: &mut serde_json::Deserializer<R>,
        wanted: impl Iterator<Item = &'w str>,
    ) -> Result<WantedMembers<'a, 'w>, ServiceResponseError> {
        let members = wanted.map(|name| Member { name, exact: None, other_case: None }).collect();
        let object =
            json.deserialize_map(WantedMembers { members, is_empty: true }).map_err(|_| ServiceResponseError::Shape)?;
        json.end().map_err(|_| ServiceResponseError::Shape)?;
        Ok(object)
    }

    /// The last member with exactly this name, or else the last whose name differs only in case.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let member = self.members.iter().find(|member| member.name == name)?;
        member.exact.or(member.other_case)
    }

    fn id(&self) -> Option<Cow<'a, str>> {
        json::text(self.get(ID)?).ok().flatten()
    }

    /// Appends the attributes `names` to `members`, and their ends to `ends`.
    ///
    /// # Errors
    /// The name of the first that is missing or can't be written. `members` and `ends` then have a part of them.
    fn write_attributes<'n>(
        &self,
        names: &'n [String],
        members: &mut Vec<u8>,
        ends: &mut Vec<u32>,
    ) -> Result<(), &'n str> {
        let start = members.len();
        for name in names {
            let value = self.get(name).ok_or(name.as_str())?;
            members.extend_from_slice(if members.len() == start { b"\"" } else { b",\"" });
            members.extend_from_slice(name.as_bytes());
            members.extend_from_slice(b"\":");
            json::write_compact(value, json::Mode::Unescape, members).map_err(|_| name.as_str())?;
            ends.push(offset_of(members.len() - start));
        }
        Ok(())
    }
}

impl<'de, 'w> Visitor<'de> for WantedMembers<'de, 'w> {
    type Value = WantedMembers<'de, 'w>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(AnyName(name)) = map.next_key()? {
            self.is_empty = false;
            if !self.members.iter().any(|member| member.name.eq_ignore_ascii_case(&name)) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value()?;
            for member in self.members.iter_mut().filter(|member| member.name.eq_ignore_ascii_case(&name)) {
                *(if member.name == name { &mut member.exact } else { &mut member.other_case }) = Some(value);
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn attributes_are_encoded_members() {
        let wanted = names(&["goodevil", "age", "likes"]);
        for (body, expected) in [
            (r#"{"mysfitId":"m","goodevil":"Good","age":43,"likes":"0"}"#, r#""goodevil":"Good","age":43,"likes":"0""#),
            (
                r#"{"mysfitId":"m","GoodEvil":"Good","AGE":2000000000,"likes":null}"#,
                r#""goodevil":"Good","age":2000000000,"likes":null"#,
            ),
            (
                r#"{"mysfitId":"m","GoodEvil":"x","goodevil":"y","age":[ 1 ],"likes":"\u00e9\""}"#,
                r#""goodevil":"y","age":[1],"likes":"é\"""#,
            ),
            (
                r#"{"mysfitId":"m","goodEvil":"x","GOODEVIL":"y","age":1,"likes":2}"#,
                r#""goodevil":"y","age":1,"likes":2"#,
            ),
        ] {
            let attributes = parse_item(body.as_bytes(), "m", &wanted).unwrap();
            assert_eq!(attributes.view().members(), expected);
            let values = expected.split(',').map(|member| member.split_once(':').unwrap().1);
            assert_eq!(
                (0..3).map(|index| attributes.view().value(index)).collect::<Vec<_>>(),
                values.collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn invalid_items() {
        let wanted = names(&["goodevil", "species"]);
        let missing = |name: &str| ServiceResponseError::MissingAttribute(name.to_owned());
        for (body, expected) in [
            ("<html>", ServiceResponseError::Shape),
            ("", ServiceResponseError::Shape),
            ("[]", ServiceResponseError::Shape),
            ("null", ServiceResponseError::Shape),
            (r#"{"mysfitId":"m","goodevil":"Good","species":"Yeti"} x"#, ServiceResponseError::Shape),
            ("{}", ServiceResponseError::Shape),
            (r#"{"message":"Internal server error"}"#, ServiceResponseError::Shape),
            (r#"{"mysfitId":null,"goodevil":"Good","species":"Yeti"}"#, ServiceResponseError::Shape),
            (r#"{"mysfitId":"n","goodevil":"Good","species":"Yeti"}"#, ServiceResponseError::Shape),
            (r#"{"mysfitId":"M","goodevil":"Good","species":"Yeti"}"#, ServiceResponseError::Shape),
            (r#"{"mysfitId":"m"}"#, missing("goodevil")),
            (r#"{"mysfitId":"m","goodevil":"Good"}"#, missing("species")),
            (r#"{"mysfitId":"m","goodevil":"Good","species":"\ud800"}"#, missing("species")),
            (r#"{"mysfitId":"m","goodevil":1e999,"species":"Yeti"}"#, missing("goodevil")),
        ] {
            assert_eq!(parse_item(body.as_bytes(), "m", &wanted), Err(expected), "{body}");
        }
    }

    #[test]
    fn lists() {
        let wanted = names(&["species"]);
        for (body, expected) in [
            ("{}", Ok(vec![])),
            (r#"{"mysfits":[]}"#, Ok(vec![])),
            (r#"{"mysfits":null}"#, Ok(vec![])),
            (
                r#"{"mysfits":[{"mysfitId":"a","Species":"Yeti"},{"MysfitId":"b"}]}"#,
                Ok(vec![("a", true), ("b", false)]),
            ),
            (r#"{"mysfits":[{"mysfitId":"a"},{"mysfitId":"a","species":"Yeti"}]}"#, Ok(vec![("a", true)])),
            (r#"{"mysfits":[7,{"species":"Yeti"},{"mysfitId":8},{"mysfitId":"a"}]}"#, Ok(vec![("a", false)])),
            ("", Err(ServiceResponseError::Shape)),
            ("<html>", Err(ServiceResponseError::Shape)),
            ("[]", Err(ServiceResponseError::Shape)),
            (r#"{"message":"Internal server error"}"#, Err(ServiceResponseError::Shape)),
            (r#"{"mysfits":{}}"#, Err(ServiceResponseError::Shape)),
            (r#"{"mysfits":[{"mysfitId":"a""#, Err(ServiceResponseError::Shape)),
        ] {
            let found = parse_list(body.as_bytes(), &wanted);
            match (&found, &expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found.len(), expected.len(), "{body}");
                    for (id, is_complete) in expected {
                        let entry = found.get(id).unwrap();
                        assert_eq!(matches!(entry, Entry::Complete(_)), *is_complete, "{id} of {body}");
                    }
                }
                (found, expected) => assert_eq!(found.as_ref().err(), expected.as_ref().err(), "{body}"),
            }
        }
    }

    #[test]
    fn mysfits_with_equal_attributes_share_them() {
        let body = br#"{"mysfits":[{"mysfitId":"a","species":"Yeti"},{"mysfitId":"x"},{"mysfitId":"b","species":"Yeti"},{"mysfitId":"c","species":"Troll"}]}"#;
        let list = parse_list(body, &names(&["species"])).unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|id| match list.get(id) {
            Some(Entry::Complete(attributes)) => attributes,
            other => panic!("{id}: {other:?}"),
        });
        assert_eq!(a, b);
        assert_eq!([a, c].map(|id| list.attributes(id).members()), [r#""species":"Yeti""#, r#""species":"Troll""#]);
        assert_eq!([a, c].map(|id| list.attributes(id).value(0)), [r#""Yeti""#, r#""Troll""#]);
        assert_eq!(list.members.len(), r#""species":"Yeti""species":"Troll""#.len());
    }

    #[test]
    fn repeated_members_take_no_memory() {
        let wanted = names(&["s"]);
        let repeated = |member: &str| member.repeat(10_000);
        for body in [
            format!(r#"{{"mysfits":[{{"mysfitId":"m",{}"s":2}}]}}"#, repeated(r#""s":1,"#)),
            format!(r#"{{{}"mysfits":[{{"mysfitId":"m","s":2}}]}}"#, repeated(r#""mysfits":1,"#)),
        ] {
            let mut read = None;
            let heap = allocation_counter::measure(|| {
                read = Some(parse_list(body.as_bytes(), &wanted).unwrap());
            });
            assert!(matches!(read.unwrap().get("m"), Some(Entry::Complete(_))));
            // The buffer for members has the length of the body, and nothing else is allocated.
            let most = usize::try_from(heap.bytes_max).unwrap();
            assert!(most < body.len() + 1_000, "{most} bytes of a body of {}", body.len());
        }
    }

    #[test]
    fn a_list_takes_no_more_than_two_and_a_half_times_its_body() {
        const BODY_BYTES: usize = 1 << 18;
        let one = &names(&["a"])[..];
        // The shortest distinct names: names are alphanumeric, and case is ignored.
        let many: &[String] = &('a'..='z').chain('0'..='5').map(String::from).collect::<Vec<_>>();
        let all = |id: usize| {
            many.iter()
                .zip(0..)
                .map(|(name, n)| format!(r#""{name}":{}"#, (id >> n) % 10))
                .collect::<Vec<_>>()
                .join(",")
        };
        let id = &names(&[ID])[..];
        for (name, names, most_percent, entry) in [
            (
                "without attributes",
                one,
                150,
                &(|id: usize| format!(r#"{{"mysfitId":"{id:x}"}}"#)) as &dyn Fn(usize) -> String,
            ),
            ("with the same", one, 150, &|id| format!(r#"{{"mysfitId":"{id:x}","a":1}}"#)),
            ("each with its own", one, 150, &|id| format!(r#"{{"mysfitId":"{id:x}","a":{id}}}"#)),
            ("with many", many, 170, &|id| format!(r#"{{"mysfitId":"{id:x}",{}}}"#, all(id))),
            ("with its id", id, 250, &|id| format!(r#"{{"mysfitId":"{id:x}"}}"#)),
            ("with long ones", one, 150, &|id| {
                format!(r#"{{"mysfitId":"{id:x}","a":"{}"}}"#, id.to_string().repeat(5_000))
            }),
            ("with escapes", one, 150, &|id| format!(r#"{{"mysfitId":"{id:x}","a":"\u0001\u007f\n{id}"}}"#)),
            ("the same one", one, 150, &|_| r#"{"mysfitId":"","a":1}"#.to_owned()),
        ] {
            let mut body = r#"{"mysfits":["#.to_owned();
            let mut id = 0;
            while body.len() < BODY_BYTES {
                body += if id == 0 { "" } else { "," };
                body += &entry(id);
                id += 1;
            }
            body += "]}";
            let mut read = None;
            let heap = allocation_counter::measure(|| read = Some(parse_list(body.as_bytes(), names).unwrap()));
            let taken = usize::try_from(heap.bytes_current).unwrap();
            assert!(taken <= read.unwrap().heap_bytes(), "{name}: {heap:?}");
            assert!(taken * 100 <= body.len() * most_percent, "{name}: {taken} bytes of a body of {}", body.len());
            let most = usize::try_from(heap.bytes_max).unwrap();
            assert!(most <= body.len() * 4, "{name}: {most} bytes while it is read, of a body of {}", body.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_parsed(body: Vec<u8>) {
            let wanted = names(&["species"]);
            let _ = (parse_list(&body, &wanted), parse_item(&body, "m", &wanted));
        }
    }
}
