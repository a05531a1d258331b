//! Parses and validates the clicks in a record's data.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::reason::Reason;
use service_kit::json::{self, AnyName, UnsupportedValue};

/// The most bytes a `userId` may have: a Cognito `sub` has 36.
const MAX_USER_ID_BYTES: usize = 256;
/// The most characters a `mysfitId` may have: the workshop's are UUIDs of 36.
const MAX_MYSFIT_ID_CHARS: usize = 128;

/// A click whose required fields are valid, borrowed from the record's data.
#[derive(Clone, Debug, PartialEq)]
pub struct Click<'a> {
    /// The visitor's id: at most 256 bytes, possibly empty.
    pub user_id: Cow<'a, str>,
    /// The id of the mysfit whose profile was opened: 1 to 128 characters of `[A-Za-z0-9_-]`.
    pub mysfit_id: Cow<'a, str>,
    /// The values of the extra fields that the click has, by the index of the field.
    extra: Box<[(u8, RawJson<'a>)]>,
}

impl<'a> Click<'a> {
    /// The value of the extra field with that index in the configured order.
    pub(super) fn extra(&self, field: usize) -> Option<RawJson<'a>> {
        self.extra.iter().find(|(index, _)| usize::from(*index) == field).map(|(_, raw)| *raw)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawJson<'a>(pub(super) &'a RawValue);

impl PartialEq for RawJson<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// Parses the clicks in one record's data: JSON objects, with or without white space between them.
///
/// `extra` names the fields to keep besides `userId` and `mysfitId`. Calls `push` for each click. A record is all or nothing: on an error
/// the caller discards its clicks.
pub(super) fn parse<'a>(data: &'a [u8], extra: &[String], mut push: impl FnMut(Click<'a>)) -> Result<(), Reason> {
    let text = str::from_utf8(data).map_err(|_| Reason::InvalidUtf8)?;
    if text.bytes().all(|byte| byte.is_ascii_whitespace()) {
        return Err(Reason::Empty);
    }
    if let Some((user_id, mysfit_id)) = parse_canonical(text) {
        push(Click { user_id: user_id.into(), mysfit_id: mysfit_id.into(), extra: Box::default() });
        return Ok(());
    }
    let wanted = WantedFields { extra };
    // Nearly every record is one click, which takes one pass.
    let mut json = serde_json::Deserializer::from_str(text);
    let members = wanted.deserialize(&mut json).map_err(|error| reason(&error))?;
    if json.end().is_ok() {
        push(members.validate()?);
        return Ok(());
    }
    // `end` after each click would take quadratic time: each error counts lines from the start.
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let mut json = serde_json::Deserializer::from_str(value.map_err(|error| reason(&error))?.get());
        push(wanted.deserialize(&mut json).map_err(|error| reason(&error))?.validate()?);
    }
    Ok(())
}

/// The ids of a click in the page's own form: these members in this order, without white space or escapes, optionally with a newline.
/// Without this fast path a batch takes 1.4 times the instructions.
fn parse_canonical(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let (user_id, rest) = text.strip_prefix(r#"{"userId":""#)?.split_once('"')?;
    let mysfit_id = rest.strip_prefix(r#","mysfitId":""#)?.strip_suffix(r#""}"#)?;
    let is_unescaped = |byte| byte >= b' ' && byte != b'\\';
    let is_canonical = user_id.len() <= MAX_USER_ID_BYTES
        && all_bytes(user_id, is_unescaped)
        && mysfit_id.len() <= MAX_MYSFIT_ID_CHARS
        && is_mysfit_id(mysfit_id);
    is_canonical.then_some((user_id, mysfit_id))
}

fn reason(error: &serde_json::Error) -> Reason {
    match error.classify() {
        // Members are read as raw JSON, so only a top-level value can have a wrong type.
        Category::Data => Reason::NotAnObject,
        Category::Syntax | Category::Eof | Category::Io => Reason::InvalidJson,
    }
}

#[derive(Clone, Copy)]
struct WantedFields<'f> {
    extra: &'f [String],
}

/// The values of the wanted members, not yet validated. The last of several members with one name counts, as in most parsers.
struct Members<'a> {
    user_id: Option<&'a RawValue>,
    mysfit_id: Option<&'a RawValue>,
    /// Only fields that are present: a batch of 6 MB may have 160,000 clicks, and a configuration 32 fields.
    extra: Vec<(u8, RawJson<'a>)>,
}

impl<'a> Members<'a> {
    fn keep(&mut self, field: u8, raw: RawJson<'a>) {
        match self.extra.iter_mut().find(|(index, _)| *index == field) {
            Some((_, known)) => *known = raw,
            None => self.extra.push((field, raw)),
        }
    }

    fn validate(self) -> Result<Click<'a>, Reason> {
        for (_, value) in &self.extra {
            json::check(value.0, json::Mode::Unescape)?;
        }
        let user_id = required_text(self.user_id)?;
        let mysfit_id = required_text(self.mysfit_id)?;
        if user_id.len() > MAX_USER_ID_BYTES || mysfit_id.chars().count() > MAX_MYSFIT_ID_CHARS {
            return Err(Reason::TooLong);
        }
        if !is_mysfit_id(&mysfit_id) {
            return Err(Reason::InvalidMysfitId);
        }
        Ok(Click { user_id, mysfit_id, extra: self.extra.into() })
    }
}

fn required_text(value: Option<&RawValue>) -> Result<Cow<'_, str>, Reason> {
    let value = value.ok_or(Reason::MissingField)?;
    match json::text(value)? {
        Some(text) => Ok(text),
        // Too deep and too large are more specific reasons than a wrong type.
        None => json::check(value, json::Mode::Unescape).map_err(Reason::from).and(Err(Reason::WrongType)),
    }
}

/// Whether `holds` for every byte. It vectorises, because it never stops early. `Iterator::all` would cost a batch 1.1 times the
/// instructions.
fn all_bytes(text: &str, holds: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & holds(byte))
}

/// Whether `id` is safe in a URL's path: 1 or more characters of `[A-Za-z0-9_-]`.
fn is_mysfit_id(id: &str) -> bool {
    !id.is_empty() && all_bytes(id, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

impl From<UnsupportedValue> for Reason {
    fn from(unsupported: UnsupportedValue) -> Self {
        match unsupported {
            UnsupportedValue::Escape => Reason::InvalidJson,
            UnsupportedValue::TooDeep => Reason::TooDeep,
            UnsupportedValue::NumberTooLarge => Reason::NumberTooLarge,
        }
    }
}

impl<'de> DeserializeSeed<'de> for WantedFields<'_> {
    type Value = Members<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for WantedFields<'_> {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a click")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members { user_id: None, mysfit_id: None, extra: Vec::new() };
        while let Some(AnyName(name)) = map.next_key()? {
            match &*name {
                "userId" => members.user_id = Some(map.next_value()?),
                "mysfitId" => members.mysfit_id = Some(map.next_value()?),
                // At most 32 fields are configured.
                name => match (0..).zip(self.extra).find(|(_, extra)| *extra == name) {
                    Some((index, _)) => members.keep(index, RawJson(map.next_value()?)),
                    // Other fields may have any valid JSON: any depth, number or escape.
                    None => _ = map.next_value::<IgnoredAny>()?,
                },
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed<'a>(data: &'a [u8], extra: &[String]) -> Result<Vec<Click<'a>>, Reason> {
        let mut clicks = Vec::new();
        parse(data, extra, |click| clicks.push(click)).map(|()| clicks)
    }

    #[test]
    fn clicks_are_read() {
        let long_user = "é".repeat(128);
        let long_id = "a".repeat(128);
        let longest = format!(r#"{{"userId":"{long_user}","mysfitId":"{long_id}"}}"#);
        for (data, expected) in [
            (r#"{"userId":"u","mysfitId":"m"}"#, vec![("u", "m")]),
            (r#"{"mysfitId":"m","userId":""}"#, vec![("", "m")]),
            (" {\"userId\" : \"u\" , \"mysfitId\" : \"m\"}\r\n", vec![("u", "m")]),
            (r#"{"userId":"\u00e9\n","mysfit\u0049d":"\u006d"}"#, vec![("é\n", "m")]),
            (r#"{"userId":"u","mysfitId":"m","mysfitId":"n","x":[1,{"y":null}]}"#, vec![("u", "n")]),
            (r#"{"userId":"u","mysfitId":"m"}{"userId":"v","mysfitId":"n"}"#, vec![("u", "m"), ("v", "n")]),
            (
                "{\"userId\":\"u\",\"mysfitId\":\"m\"}\n\n{\"userId\":\"v\",\"mysfitId\":\"n\"}\n",
                vec![("u", "m"), ("v", "n")],
            ),
            (&longest, vec![(&long_user, &long_id)]),
        ] {
            let clicks = parsed(data.as_bytes(), &[]).unwrap();
            let pairs: Vec<_> = clicks.iter().map(|click| (&*click.user_id, &*click.mysfit_id)).collect();
            assert_eq!(pairs, expected, "{data}");
        }
    }

    #[test]
    fn an_invalid_click_has_a_reason() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let with = |member: &str| format!(r#"{{"userId":"u","mysfitId":"m",{member}}}"#);
        let user = |id: &str| format!(r#"{{"userId":{id},"mysfitId":"m"}}"#);
        let mysfit = |id: &str| format!(r#"{{"userId":"u","mysfitId":{id}}}"#);
        let cases = [
            (String::new(), Reason::Empty),
            (" \r\n\t".to_owned(), Reason::Empty),
            ("\u{a0}".to_owned(), Reason::InvalidJson),
            ("click".to_owned(), Reason::InvalidJson),
            ("{".to_owned(), Reason::InvalidJson),
            (r#"{"userId":"u","mysfitId":"m"},"#.to_owned(), Reason::InvalidJson),
            (r#"{"userId":"u","mysfitId":"m"} x"#.to_owned(), Reason::InvalidJson),
            (r#"{"userId":"u","mysfitId":"m",}"#.to_owned(), Reason::InvalidJson),
            (with("\"x\":NaN"), Reason::InvalidJson),
            (with("\"x\":\"\n\""), Reason::InvalidJson),
            (with("\"\n\":1"), Reason::InvalidJson),
            (with(r#""x":"\ud8""#), Reason::InvalidJson),
            (with(r#""\ud8":1"#), Reason::InvalidJson),
            (with(r#""x":[1}"#), Reason::InvalidJson),
            (user(r#""\ud800""#), Reason::InvalidJson),
            ("\u{feff}{}".to_owned(), Reason::InvalidJson),
            ("[]".to_owned(), Reason::NotAnObject),
            ("null".to_owned(), Reason::NotAnObject),
            ("7".to_owned(), Reason::NotAnObject),
            (r#""click""#.to_owned(), Reason::NotAnObject),
            (r#"{"userId":"u","mysfitId":"m"}[]"#.to_owned(), Reason::NotAnObject),
            (user(&nested(100_000)), Reason::TooDeep),
            (nested(100_000), Reason::NotAnObject),
            (mysfit("1e400"), Reason::NumberTooLarge),
            (r#"{"x":1e400}"#.to_owned(), Reason::MissingField),
            ("{}".to_owned(), Reason::MissingField),
            (r#"{"userId":"u"}"#.to_owned(), Reason::MissingField),
            (r#"{"mysfitId":"m"}"#.to_owned(), Reason::MissingField),
            (r#"{"userid":"u","mysfitid":"m"}"#.to_owned(), Reason::MissingField),
            (r#"{"userId":"u","mysfitId":"m"}{}"#.to_owned(), Reason::MissingField),
            (user("null"), Reason::WrongType),
            (user(r#"{"sub":"u"}"#), Reason::WrongType),
            (mysfit("7"), Reason::WrongType),
            (user(&format!("\"{}\"", "u".repeat(257))), Reason::TooLong),
            (user(&format!("\"{}\"", "é".repeat(129))), Reason::TooLong),
            (mysfit(&format!("\"{}\"", "m".repeat(129))), Reason::TooLong),
            (mysfit("\"\""), Reason::InvalidMysfitId),
            (mysfit("\"../admin\""), Reason::InvalidMysfitId),
            (mysfit("\"..\""), Reason::InvalidMysfitId),
            (mysfit("\"a:b\""), Reason::InvalidMysfitId),
            (mysfit("\"a?b\""), Reason::InvalidMysfitId),
            (mysfit("\"a%2fb\""), Reason::InvalidMysfitId),
            (mysfit("\"é\""), Reason::InvalidMysfitId),
            (mysfit(&format!("\"{}\"", "é".repeat(128))), Reason::InvalidMysfitId),
        ];
        for (data, reason) in cases {
            let shown: String = data.chars().take(80).collect();
            assert_eq!(parsed(data.as_bytes(), &[]), Err(reason), "{shown}");
        }
        assert_eq!(parsed(b"{\"userId\":\"\xff\",\"mysfitId\":\"m\"}", &[]), Err(Reason::InvalidUtf8));
    }

    #[test]
    fn ignored_fields_need_only_be_json_and_kept_fields_must_fit_into_a_line() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let click = |members: &str| format!(r#"{{"userId":"u",{members},"mysfitId":"m"}}"#);
        let page = |value: &str| click(&format!(r#""page":{value}"#));
        for (data, kept) in [
            // From `JSON.stringify("ab😀".slice(0, 3))`.
            (page(r#""ab\ud83d""#), Err(Reason::InvalidJson)),
            (page(r#"[{"x":["\udc00\ud800"]}]"#), Err(Reason::InvalidJson)),
            (page(r#"{"\ud800":1}"#), Err(Reason::InvalidJson)),
            (page("1e400"), Err(Reason::NumberTooLarge)),
            (page(&"9".repeat(400)), Err(Reason::NumberTooLarge)),
            (page(&nested(129)), Err(Reason::TooDeep)),
            (page(&nested(100_000)), Err(Reason::TooDeep)),
            (click(&format!(r#""page":{},"at":1e400"#, nested(129))), Err(Reason::TooDeep)),
            (page(&nested(128)), Ok(())),
            // Of repeated members, the first is not kept.
            (click(r#""page":"\ud83d","page":1"#), Ok(())),
            (click(r#""userId":"\ud83d","userId":"u""#), Ok(())),
            // A name with a lone surrogate is never kept.
            (click(r#""\ud83d":1,"pag\u0065":2"#), Ok(())),
            (click(r#""\ud83d":"\ud83d""#), Ok(())),
        ] {
            let shown: String = data.chars().take(80).collect();
            let two = data.repeat(2);
            for (data, clicks) in [(&data, 1), (&two, 2)] {
                assert_eq!(parsed(data.as_bytes(), &[]).map(|found| found.len()), Ok(clicks), "{shown}");
                let found = parsed(data.as_bytes(), &["page".to_owned(), "at".to_owned()]).map(|found| found.len());
                assert_eq!(found, kept.map(|()| clicks), "{shown}, kept");
            }
        }
    }

    #[test]
    fn extra_fields_are_kept_in_their_configured_order() {
        let extra = ["page".to_owned(), "at".to_owned()];
        for (data, expected) in [
            (r#"{"at":17, "userId":"u","mysfitId":"m"}"#, [None, Some("17")]),
            (r#"{"at":17, "userId":"u","mysfitId":"m","page":"p"}"#, [Some(r#""p""#), Some("17")]),
            (r#"{"at":17, "page":1,"at":18,"userId":"u","mysfitId":"m"}"#, [Some("1"), Some("18")]),
            (r#"{"userId":"u","mysfitId":"m"}"#, [None, None]),
        ] {
            let clicks = parsed(data.as_bytes(), &extra).unwrap();
            assert_eq!([0, 1].map(|field| clicks[0].extra(field).map(|raw| raw.0.get())), expected, "{data}");
        }
    }

    #[test]
    fn missing_fields_take_no_memory() {
        let extra: Vec<String> = (0..30).map(|index| format!("f{index}")).collect();
        for (data, most_bytes) in [
            (r#"{"userId":"u","mysfitId":"m"}"#, 0),
            (r#"{"userId":"","mysfitId":"m","x":1}"#, 0),
            (r#"{"userId":"u","mysfitId":"m","f29":1}"#, 24),
        ] {
            let mut clicks = Vec::with_capacity(1);
            let heap =
                allocation_counter::measure(|| parse(data.as_bytes(), &extra, |click| clicks.push(click)).unwrap());
            assert!(heap.bytes_current <= most_bytes, "{data}: {heap:?}");
        }
    }

    #[test]
    fn other_forms_are_left_to_serde() {
        for (text, expected) in [
            (r#"{"userId":"u","mysfitId":"m"}"#, Some(("u", "m"))),
            (r#"{"userId":"","mysfitId":"m"}"#, Some(("", "m"))),
            ("{\"userId\":\"u\",\"mysfitId\":\"m\"}\n", Some(("u", "m"))),
            ("{\"userId\":\"u\",\"mysfitId\":\"m\"}\n\n", None),
            ("{\"userId\":\"\u{7f}é\",\"mysfitId\":\"m\"}", Some(("\u{7f}é", "m"))),
            (r#"{"userId":"u","mysfitId":"m"}{"userId":"v","mysfitId":"n"}"#, None),
            (r#"{"userId":"u","mysfitId":"m","x":1}"#, None),
            (r#"{"mysfitId":"m","userId":"u"}"#, None),
            (r#"{"userId":"\n","mysfitId":"m"}"#, None),
            (r#"{"userId":"u","mysfitId":"\u006d"}"#, None),
            (r#"{"userId": "u","mysfitId":"m"}"#, None),
            ("{\"userId\":\"\n\",\"mysfitId\":\"m\"}", None),
            (r#"{"userId":"u","mysfitId":""}"#, None),
            (r#"{"userId":"u","mysfitId":"m"}} "#, None),
        ] {
            assert_eq!(parse_canonical(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_canonical_form_is_parsed_as_by_serde(user in "[ -~\\x00-\\x20é\\x7f]{0,8}", mysfit in "[a-z_\\-\"\\\\ ]{0,4}", end in "[}\n]{0,2}") {
            let text = format!(r#"{{"userId":"{user}","mysfitId":"{mysfit}"{end}"#);
            if let Some((user_id, mysfit_id)) = parse_canonical(&text) {
                let click: serde_json::Value = serde_json::from_str(&text).unwrap();
                proptest::prop_assert_eq!(click, serde_json::json!({"userId": user_id, "mysfitId": mysfit_id}));
            }
        }

        #[test]
        fn any_bytes_are_parsed(data: Vec<u8>) {
            let _ = parsed(&data, &[]);
        }

        #[test]
        fn any_pair_of_ids_is_validated(user_id: String, mysfit_id: String) {
            let click = serde_json::json!({"userId": user_id, "mysfitId": mysfit_id}).to_string();
            let valid = user_id.len() <= 256
                && (1..=128).contains(&mysfit_id.len())
                && mysfit_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            proptest::prop_assert_eq!(parsed(click.as_bytes(), &[]).is_ok(), valid);
        }
    }
}
