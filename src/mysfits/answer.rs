//! The service's answers, in the dialects in which it is published.
//!
//! Go and .NET spell `goodEvil` where Python and Java spell `goodevil`, so names are matched without regard to case.

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

/// The member that holds a mysfit's id.
const ID: &str = "mysfitId";

/// The most heap that a list takes: two of them, a body and an event of 6 MB fit into 100 MiB. The longest body has 8 MiB, so
/// only a list of many mysfits with very short values takes more.
pub const MAX_LIST_HEAP_BYTES: usize = 14 << 20;

/// Why a body is no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// There is nothing where the list of mysfits should be.
    #[error("no list of mysfits")]
    NoList,
    /// The body is not JSON, or not of the shape that the service's answers have.
    #[error("a body that is not the service's JSON")]
    Shape,
    /// The list takes more than [`MAX_LIST_HEAP_BYTES`].
    #[error("a list that takes more than {MAX_LIST_HEAP_BYTES} bytes of memory")]
    TooLarge,
    /// The mysfit lacks an attribute that is wanted.
    #[error("a mysfit without the attribute \"{0}\"")]
    Lacks(String),
}

/// What the list says of one mysfit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Every wanted attribute: [`List::attributes`] has them.
    Complete(AttributesId),
    /// Not every one: the rest is asked for by id.
    Partial,
}

/// Which of a list's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributesId(u32);

/// The mysfits of a list, by id.
///
/// All ids are in one text and all attributes in another: with a block for each id and each mysfit's attributes, a list of small
/// entries would take nine times its body's bytes. So it takes 1.7 times, and 2.5 times where `mysfitId` is an attribute, too;
/// [`MAX_LIST_HEAP_BYTES`] at the most.
#[derive(Debug, Default)]
pub struct List {
    ids: String,
    entries: Vec<ListEntry>,
    /// The numbers of `entries`, by the hash of their ids.
    index: HashTable<u32>,
    hasher: RandomState,
    /// The members of all attributes, one after the other. Mysfits that differ in nothing share them, so that they stay in the
    /// CPU's cache: a twentieth less time for a batch with 10,000 mysfits.
    members: String,
    /// Where in `members` the members of each attributes end.
    members_ends: Vec<u32>,
    /// Where in its members each value ends: as many as there are `names`, for each attributes.
    value_ends: Vec<u32>,
    names: usize,
}

#[derive(Debug)]
struct ListEntry {
    /// Where in the list's `ids` the id ends.
    id_end: u32,
    /// The number of its attributes, or [`PARTIAL`].
    attributes: u32,
}

const PARTIAL: u32 = u32::MAX;

impl List {
    /// How many mysfits are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What it says of the mysfit `id`; `None` where it has none.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Entry> {
        let number = self.index.find(self.hasher.hash_one(id), |number| self.id(*number) == id)?;
        Some(match self.entries[*number as usize].attributes {
            PARTIAL => Entry::Partial,
            attributes => Entry::Complete(AttributesId(attributes)),
        })
    }

    /// The attributes that an entry of this list names.
    ///
    /// # Panics
    /// Where `id` is another list's.
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

    /// Adds a mysfit; of one that comes twice the last counts.
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
                new.insert(offset(entries.len()));
                ids.push_str(id);
                entries.push(ListEntry { id_end: offset(ids.len()), attributes });
            }
        }
    }

    /// The heap that its ids take, without what is allocated ahead.
    fn used_bytes(&self) -> usize {
        self.ids.len() + self.entries.len() * size_of::<ListEntry>() + self.index.allocation_size()
    }

    /// The heap that it takes.
    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        let ends = self.members_ends.capacity() + self.value_ends.capacity();
        self.ids.capacity()
            + self.entries.capacity() * size_of::<ListEntry>()
            + self.index.allocation_size()
            + self.members.capacity()
            + ends * size_of::<u32>()
    }
}

/// Where what has that number begins: where the one before it ends.
fn start(number: usize, end: impl FnOnce(usize) -> u32) -> usize {
    number.checked_sub(1).map_or(0, |before| end(before) as usize)
}

/// A place in a body, which is far shorter than 4 GiB.
fn offset(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Reads the answer to `GET /mysfits`: `{"mysfits": [{"mysfitId": …, …}, …]}`, or `{}` where there is none.
///
/// An entry without an id, or that is no object, is passed over: no click can name it.
///
/// # Errors
/// [`BadAnswer::Shape`] where `body` is none of these, and [`BadAnswer::TooLarge`] where the list takes too much memory.
pub fn list(body: &[u8], names: &[String]) -> Result<List, BadAnswer> {
    let body = Object::read(&mut serde_json::Deserializer::from_slice(body), ["mysfits"].into_iter())?;
    let Some(mysfits) = body.get("mysfits") else {
        return if body.is_empty { Ok(List::default()) } else { Err(BadAnswer::Shape) };
    };
    // Go writes an empty list as null.
    if mysfits.get() == "null" {
        return Ok(List::default());
    }
    let mut json = serde_json::Deserializer::from_str(mysfits.get());
    json.deserialize_seq(Entries { names, body_bytes: mysfits.get().len() }).map_err(|_| BadAnswer::Shape)?
}

/// Reads the answer to `GET /mysfits/{id}`: an object with that `mysfitId` and the mysfit's attributes.
///
/// # Errors
/// [`BadAnswer::Shape`] where `body` is no such object, and [`BadAnswer::Lacks`] where one of `names` is not in it.
pub fn item(body: &[u8], id: &str, names: &[String]) -> Result<OwnedAttributes, BadAnswer> {
    let mysfit = Object::mysfit(&mut serde_json::Deserializer::from_slice(body), names)?;
    // What has no id, or another's, is not this mysfit: a gateway's `{"message": …}`, or the answer to another request.
    if mysfit.id().as_deref() != Some(id) {
        return Err(BadAnswer::Shape);
    }
    let (mut members, mut ends) = (Vec::new(), Vec::with_capacity(names.len()));
    mysfit.write_attributes(names, &mut members, &mut ends).map_err(|name| BadAnswer::Lacks(name.to_owned()))?;
    let members = String::from_utf8(members).map_err(|_| BadAnswer::Shape)?;
    Ok(OwnedAttributes::new(members, ends))
}

/// Puts the mysfits of an array into a list, one by one.
struct Entries<'n> {
    names: &'n [String],
    body_bytes: usize,
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = Result<List, BadAnswer>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of mysfits")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = List { names: self.names.len(), ..List::default() };
        // Members are never longer than what they were read from. Growing step by step would hold them twice for a moment;
        // memory that is not written to takes none.
        let mut attributes = AllAttributes { members: Vec::with_capacity(self.body_bytes), ..AllAttributes::default() };
        while let Some(entry) = seq.next_element::<&RawValue>()? {
            let mysfit = Object::mysfit(&mut serde_json::Deserializer::from_str(entry.get()), self.names);
            if let Ok(mysfit) = mysfit
                && let Some(id) = mysfit.id()
            {
                list.put(&id, attributes.number_of(&mysfit, self.names).unwrap_or(PARTIAL));
            }
            if list.used_bytes() + attributes.used_bytes() > MAX_LIST_HEAP_BYTES {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Err(BadAnswer::TooLarge));
            }
        }
        let AllAttributes { members, members_ends, value_ends, .. } = attributes;
        (list.members_ends, list.value_ends) = (members_ends, value_ends);
        // What is written is out of texts, so it is one.
        list.members = String::from_utf8(members).map_err(serde::de::Error::custom)?;
        list.ids.shrink_to_fit();
        list.entries.shrink_to_fit();
        list.members.shrink_to_fit();
        list.members_ends.shrink_to_fit();
        list.value_ends.shrink_to_fit();
        Ok(Ok(list))
    }
}

/// The different attributes of a list while it is read.
#[derive(Default)]
struct AllAttributes {
    members: Vec<u8>,
    members_ends: Vec<u32>,
    value_ends: Vec<u32>,
    /// Their numbers, by the hash of their members.
    index: HashTable<u32>,
    hasher: RandomState,
}

impl AllAttributes {
    /// The heap that stays when the list is read.
    fn used_bytes(&self) -> usize {
        self.members.len() + (self.members_ends.len() + self.value_ends.len()) * size_of::<u32>()
    }

    /// The number of the attributes of `mysfit`; `None` where it lacks one.
    fn number_of(&mut self, mysfit: &Object, names: &[String]) -> Option<u32> {
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
                    let number = offset(members_ends.len());
                    vacant.insert(number);
                    number
                }
            }
        });
        if number == Some(offset(self.members_ends.len())) {
            self.members_ends.push(offset(self.members.len()));
        } else {
            self.members.truncate(members_start);
            value_ends.truncate(values_start);
        }
        number
    }
}

/// The wanted members of a JSON object, which is all that is kept of it, however often they come.
struct Object<'a, 'w> {
    members: Vec<Member<'a, 'w>>,
    is_empty: bool,
}

/// A wanted member: the last that is called just so, and the last whose name differs in case alone.
struct Member<'a, 'w> {
    name: &'w str,
    exact: Option<&'a RawValue>,
    other_case: Option<&'a RawValue>,
}

impl<'a, 'w> Object<'a, 'w> {
    fn mysfit<R: Read<'a>>(
        json: &mut serde_json::Deserializer<R>,
        names: &'w [String],
    ) -> Result<Object<'a, 'w>, BadAnswer> {
        Self::read(json, names.iter().map(String::as_str).chain([ID]))
    }

    fn read<R: Read<'a>>(
        json: &mut serde_json::Deserializer<R>,
        wanted: impl Iterator<Item = &'w str>,
    ) -> Result<Object<'a, 'w>, BadAnswer> {
        let members = wanted.map(|name| Member { name, exact: None, other_case: None }).collect();
        let object = json.deserialize_map(Object { members, is_empty: true }).map_err(|_| BadAnswer::Shape)?;
        json.end().map_err(|_| BadAnswer::Shape)?;
        Ok(object)
    }

    /// The last member called `name`; where none is spelled just so, the last that differs in case alone.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let member = self.members.iter().find(|member| member.name == name)?;
        member.exact.or(member.other_case)
    }

    fn id(&self) -> Option<Cow<'a, str>> {
        json::text(self.get(ID)?).ok().flatten()
    }

    /// Appends the attributes called `names` to `members`, and where each ends to `ends`.
    ///
    /// # Errors
    /// The name of one that is missing or can't be carried over; then there is a part of them in `members` and `ends`.
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
            ends.push(offset(members.len() - start));
        }
        Ok(())
    }
}

impl<'de, 'w> Visitor<'de> for Object<'de, 'w> {
    type Value = Object<'de, 'w>;

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
    fn attributes_are_ready_made_members() {
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
            let attributes = item(body.as_bytes(), "m", &wanted).unwrap();
            assert_eq!(attributes.view().members(), expected);
            let values = expected.split(',').map(|member| member.split_once(':').unwrap().1);
            assert_eq!(
                (0..3).map(|index| attributes.view().value(index)).collect::<Vec<_>>(),
                values.collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn bodies_that_are_no_item() {
        let wanted = names(&["goodevil", "species"]);
        let lacks = |name: &str| BadAnswer::Lacks(name.to_owned());
        for (body, expected) in [
            ("<html>", BadAnswer::Shape),
            ("", BadAnswer::Shape),
            ("[]", BadAnswer::Shape),
            ("null", BadAnswer::Shape),
            (r#"{"mysfitId":"m","goodevil":"Good","species":"Yeti"} x"#, BadAnswer::Shape),
            ("{}", BadAnswer::Shape),
            (r#"{"message":"Internal server error"}"#, BadAnswer::Shape),
            (r#"{"mysfitId":null,"goodevil":"Good","species":"Yeti"}"#, BadAnswer::Shape),
            (r#"{"mysfitId":"n","goodevil":"Good","species":"Yeti"}"#, BadAnswer::Shape),
            (r#"{"mysfitId":"M","goodevil":"Good","species":"Yeti"}"#, BadAnswer::Shape),
            (r#"{"mysfitId":"m"}"#, lacks("goodevil")),
            (r#"{"mysfitId":"m","goodevil":"Good"}"#, lacks("species")),
            (r#"{"mysfitId":"m","goodevil":"Good","species":"\ud800"}"#, lacks("species")),
            (r#"{"mysfitId":"m","goodevil":1e999,"species":"Yeti"}"#, lacks("goodevil")),
        ] {
            assert_eq!(item(body.as_bytes(), "m", &wanted), Err(expected), "{body}");
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
            ("", Err(BadAnswer::Shape)),
            ("<html>", Err(BadAnswer::Shape)),
            ("[]", Err(BadAnswer::Shape)),
            (r#"{"message":"Internal server error"}"#, Err(BadAnswer::Shape)),
            (r#"{"mysfits":{}}"#, Err(BadAnswer::Shape)),
            (r#"{"mysfits":[{"mysfitId":"a""#, Err(BadAnswer::Shape)),
        ] {
            let found = list(body.as_bytes(), &wanted);
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
    fn mysfits_that_differ_in_nothing_share_their_attributes() {
        let body = br#"{"mysfits":[{"mysfitId":"a","species":"Yeti"},{"mysfitId":"x"},{"mysfitId":"b","species":"Yeti"},{"mysfitId":"c","species":"Troll"}]}"#;
        let list = list(body, &names(&["species"])).unwrap();
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
    fn members_that_repeat_take_no_memory() {
        let wanted = names(&["s"]);
        let repeated = |member: &str| member.repeat(10_000);
        for body in [
            format!(r#"{{"mysfits":[{{"mysfitId":"m",{}"s":2}}]}}"#, repeated(r#""s":1,"#)),
            format!(r#"{{{}"mysfits":[{{"mysfitId":"m","s":2}}]}}"#, repeated(r#""mysfits":1,"#)),
        ] {
            let mut read = None;
            let heap = allocation_counter::measure(|| {
                read = Some(list(body.as_bytes(), &wanted).unwrap());
            });
            assert!(matches!(read.unwrap().get("m"), Some(Entry::Complete(_))));
            // The members' text has room for the whole body, and no more is asked for.
            let most = usize::try_from(heap.bytes_max).unwrap();
            assert!(most < body.len() + 1_000, "{most} bytes of a body of {}", body.len());
        }
    }

    #[test]
    fn a_list_takes_no_more_than_two_and_a_half_times_its_body() {
        const BODY_BYTES: usize = 1 << 18;
        let one = &names(&["a"])[..];
        // The shortest names: `[`, `_` and the like are none, and case makes no difference.
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
            let heap = allocation_counter::measure(|| read = Some(list(body.as_bytes(), names).unwrap()));
            let taken = usize::try_from(heap.bytes_current).unwrap();
            assert!(taken <= read.unwrap().heap_bytes(), "{name}: {heap:?}");
            assert!(taken * 100 <= body.len() * most_percent, "{name}: {taken} bytes of a body of {}", body.len());
            let most = usize::try_from(heap.bytes_max).unwrap();
            assert!(most <= body.len() * 4, "{name}: {most} bytes while it is read, of a body of {}", body.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_judged(body: Vec<u8>) {
            let wanted = names(&["species"]);
            let _ = (list(&body, &wanted), item(&body, "m", &wanted));
        }
    }
}
