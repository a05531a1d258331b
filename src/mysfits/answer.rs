//! The service's answers, in the dialects in which it is published.
//!
//! Go and .NET spell `goodEvil` where Python and Java spell `goodevil`, so names are matched without regard to case.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::de::Read;
use serde_json::value::RawValue;

use crate::json::{self, Name};

/// The member that holds a mysfit's id.
const ID: &str = "mysfitId";

/// A mysfit's wanted attributes, ready-made as the JSON members of a line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attributes {
    members: Box<str>,
    values: Box<[Range<usize>]>,
}

impl Attributes {
    /// The attributes of a mysfit about which nothing is known: `null` for each of `names`.
    #[must_use]
    pub fn unknown(names: &[String]) -> Self {
        Self::new(names.iter().map(|name| (name.as_str(), "null")))
    }

    /// From pairs of a name, which needs no escaping, and a value's JSON.
    fn new<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut members = String::new();
        let mut values = Vec::new();
        for (name, value) in pairs {
            members.push_str(if members.is_empty() { "\"" } else { ",\"" });
            members.push_str(name);
            members.push_str("\":");
            let start = members.len();
            members.push_str(value);
            values.push(start..members.len());
        }
        Self { members: members.into(), values: values.into() }
    }

    /// The attributes as members of a JSON object, such as `"goodevil":"Evil","lawchaos":"Lawful"`.
    #[must_use]
    pub fn members(&self) -> &str {
        &self.members
    }

    /// The JSON of the attribute at `index` of the configured names.
    ///
    /// # Panics
    /// Where there are not as many names.
    #[must_use]
    pub fn value(&self, index: usize) -> &str {
        &self.members[self.values[index].clone()]
    }
}

/// Why a body is no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// There is nothing where the list of mysfits should be.
    #[error("no list of mysfits")]
    NoList,
    /// The body is not JSON, or not of the shape that the service's answers have.
    #[error("a body that is not the service's JSON")]
    Shape,
    /// The mysfit lacks an attribute that is wanted.
    #[error("a mysfit without the attribute \"{0}\"")]
    Lacks(String),
}

/// What the list says of one mysfit.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// Every wanted attribute.
    Complete(Arc<Attributes>),
    /// Not every one: the rest is asked for by id.
    Partial,
}

/// The mysfits of a list, by id.
pub type List = HashMap<Box<str>, Entry, foldhash::fast::RandomState>;

/// Reads the answer to `GET /mysfits`: `{"mysfits": [{"mysfitId": …, …}, …]}`, or `{}` where there is none.
///
/// An entry without an id, or that is no object, is passed over: it can't be anybody's.
///
/// # Errors
/// [`BadAnswer::Shape`] where `body` is none of these.
pub fn list(body: &[u8], names: &[String]) -> Result<List, BadAnswer> {
    let body = Object::read(&mut serde_json::Deserializer::from_slice(body), &["mysfits"])?;
    let Some(mysfits) = body.get("mysfits") else {
        return if body.is_empty { Ok(List::default()) } else { Err(BadAnswer::Shape) };
    };
    // Go writes an empty list as null.
    if mysfits.get() == "null" {
        return Ok(List::default());
    }
    let mut json = serde_json::Deserializer::from_str(mysfits.get());
    json.deserialize_seq(Entries(names)).map_err(|_| BadAnswer::Shape)
}

/// Reads the answer to `GET /mysfits/{id}`: an object with that `mysfitId` and the mysfit's attributes.
///
/// # Errors
/// [`BadAnswer::Shape`] where `body` is no such object, and [`BadAnswer::Lacks`] where one of `names` is not in it.
pub fn item(body: &[u8], id: &str, names: &[String]) -> Result<Arc<Attributes>, BadAnswer> {
    let mysfit = Object::mysfit(&mut serde_json::Deserializer::from_slice(body), names)?;
    // What has no id, or another's, is not this mysfit: a gateway's `{"message": …}`, or an answer to someone else.
    if mysfit.id().as_deref() != Some(id) {
        return Err(BadAnswer::Shape);
    }
    mysfit.attributes(names).map_err(|name| BadAnswer::Lacks(name.to_owned()))
}

/// Puts the mysfits of an array into a list, one by one: eight megabytes of small entries would be many times that as values.
struct Entries<'n>(&'n [String]);

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = List;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of mysfits")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List, A::Error> {
        let mut list = List::default();
        // Mysfits that differ in nothing share their attributes, which stay in the CPU's cache then: a twentieth less time for
        // a batch with 10,000 mysfits.
        let mut shared = HashSet::new();
        while let Some(entry) = seq.next_element::<&RawValue>()? {
            let mysfit = Object::mysfit(&mut serde_json::Deserializer::from_str(entry.get()), self.0);
            if let Ok(mysfit) = mysfit
                && let Some(id) = mysfit.id()
            {
                let entry = match mysfit.attributes(self.0) {
                    Ok(attributes) => Entry::Complete(share(attributes, &mut shared)),
                    Err(_) => Entry::Partial,
                };
                list.insert(id.into(), entry);
            }
        }
        Ok(list)
    }
}

/// The same attributes out of `shared`, or these, which are there from now on.
fn share(attributes: Arc<Attributes>, shared: &mut HashSet<Arc<Attributes>>) -> Arc<Attributes> {
    if let Some(same) = shared.get(&attributes) {
        return same.clone();
    }
    shared.insert(attributes.clone());
    attributes
}

/// The wanted members of a JSON object, which is all that is kept of it.
struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn mysfit<R: Read<'a>>(json: &mut serde_json::Deserializer<R>, names: &[String]) -> Result<Self, BadAnswer> {
        let wanted: Vec<&str> = names.iter().map(String::as_str).chain([ID]).collect();
        Self::read(json, &wanted)
    }

    fn read<R: Read<'a>>(json: &mut serde_json::Deserializer<R>, wanted: &[&str]) -> Result<Self, BadAnswer> {
        let object = json.deserialize_map(Wanted(wanted)).map_err(|_| BadAnswer::Shape)?;
        json.end().map_err(|_| BadAnswer::Shape)?;
        Ok(object)
    }

    /// The last member called `name`; where none is spelled just so, the last that differs in case alone.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let last = |is: fn(&str, &str) -> bool| self.members.iter().rev().find(|(known, _)| is(known, name));
        last(|known, name| known == name).or_else(|| last(str::eq_ignore_ascii_case)).map(|(_, value)| *value)
    }

    fn id(&self) -> Option<Cow<'a, str>> {
        json::text(self.get(ID)?).ok().flatten()
    }

    /// The attributes called `names`, or the name of one that is missing or can't be carried over.
    fn attributes<'n>(&self, names: &'n [String]) -> Result<Arc<Attributes>, &'n str> {
        let value = |name: &'n String| {
            let mut json = Vec::new();
            let value = self.get(name).filter(|value| json::write_compact(value, &mut json).is_ok());
            value.and_then(|_| String::from_utf8(json).ok()).ok_or(name.as_str())
        };
        let values: Vec<String> = names.iter().map(value).collect::<Result<_, _>>()?;
        Ok(Arc::new(Attributes::new(names.iter().map(String::as_str).zip(values.iter().map(String::as_str)))))
    }
}

struct Wanted<'w>(&'w [&'w str]);

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object { members: Vec::new(), is_empty: true };
        while let Some(Name(name)) = map.next_key()? {
            object.is_empty = false;
            if self.0.iter().any(|wanted| wanted.eq_ignore_ascii_case(&name)) {
                object.members.push((name, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(object)
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
            assert_eq!(attributes.members(), expected);
            assert_eq!(format!("\"age\":{}", attributes.value(1)), expected.split(',').nth(1).unwrap());
        }
        assert_eq!(Attributes::unknown(&wanted).members(), r#""goodevil":null,"age":null,"likes":null"#);
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
            let found = list(body.as_bytes(), &wanted).map(|list| {
                let mut found: Vec<_> = list.into_iter().map(|(id, e)| (id, matches!(e, Entry::Complete(_)))).collect();
                found.sort();
                found
            });
            let expected =
                expected.map(|found| found.into_iter().map(|(id, whole)| (id.into(), whole)).collect::<Vec<_>>());
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn mysfits_that_differ_in_nothing_share_their_attributes() {
        let body = br#"{"mysfits":[{"mysfitId":"a","species":"Yeti"},{"mysfitId":"b","species":"Yeti"},{"mysfitId":"c","species":"Troll"}]}"#;
        let list = list(body, &names(&["species"])).unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|id| match &list[id] {
            Entry::Complete(attributes) => attributes,
            Entry::Partial => panic!("{id} lacks something"),
        });
        assert!(Arc::ptr_eq(a, b));
        assert_eq!([a, c].map(|attributes| attributes.members()), [r#""species":"Yeti""#, r#""species":"Troll""#]);
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_judged(body: Vec<u8>) {
            let wanted = names(&["species"]);
            let _ = (list(&body, &wanted), item(&body, "m", &wanted));
        }
    }
}
