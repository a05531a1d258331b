//! Reads JSON text in place, faster than a parser that accepts everything.
//!
//! Programs write nearly all JSON with strings without escapes, integers and literals. [`members`] reads such objects with any white space
//! and in any order, and leaves the rest to a full parser. A [`Shape`] reads objects that differ from another one in nothing but values, as
//! those of one producer do, several times faster.

/// How deep values may nest. Deeper ones are left to a full parser.
const MAX_DEPTH: u8 = 8;

/// Visits the members of the object in `text`: the name of each, and its value as JSON.
///
/// Returns `None` if `text` is not an object, or if anything in it has an escape, a fraction, an exponent or deep nesting. Then a full
/// parser decides; some members may have been visited by then. A name that occurs twice is visited twice.
///
/// ```
/// use firehose_transform::json::members;
///
/// let mut found = Vec::new();
/// members(r#"{"id": 7, "tags": ["a"]}"#, |name, value| found.push((name, value))).unwrap();
/// assert_eq!(found, [("id", "7"), ("tags", r#"["a"]"#)]);
///
/// assert!(members(r#"{"price": 1.5}"#, |_, _| ()).is_none());
/// ```
pub fn members<'a>(text: &'a str, visit: impl FnMut(&'a str, &'a str)) -> Option<()> {
    let mut scanner = Scanner::new(text);
    scanner.members(MAX_DEPTH, visit)?;
    scanner.end()
}

/// How an object is written: everything but its values, which are strings without escapes, and integers.
///
/// ```
/// use firehose_transform::json::Shape;
///
/// let shape = Shape::of(r#"{"id": 7, "name": "a"}"#).unwrap();
/// let mut values = Vec::new();
/// shape.read(r#"{"id": 12, "name": "bc"}"#, |index, value| values.push((index, value))).unwrap();
/// assert_eq!(values, [(0, "12"), (1, r#""bc""#)]);
///
/// assert!(shape.read(r#"{"name": "bc", "id": 12}"#, |_, _| ()).is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// For each value what precedes it, with the opening quote of a string.
    values: Vec<(String, Kind)>,
    /// What follows the last value.
    closing: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
}

impl Shape {
    /// The shape of the object in `text`. `None` if [`members`] can't read it, or if it has other values than strings and integers.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let (mut values, mut end, mut is_flat) = (Vec::new(), 0, true);
        members(text, |_, value| {
            let start = value.as_ptr().addr() - text.as_ptr().addr();
            let (kind, quote) = match value.as_bytes().first() {
                Some(b'"') => (Kind::Text, 1),
                Some(b'-' | b'0'..=b'9') => (Kind::Integer, 0),
                _ => return is_flat = false,
            };
            values.push((text[end..start + quote].to_owned(), kind));
            end = start + value.len() - quote;
        })?;
        is_flat.then(|| Self { values, closing: text[end..].to_owned() })
    }

    /// Visits the values of the object in `text`: the index of each member, and its value as JSON.
    ///
    /// Returns `None` if the object has another shape. Some values may have been visited by then.
    pub fn read<'a>(&self, text: &'a str, mut visit: impl FnMut(usize, &'a str)) -> Option<()> {
        self.read_if(text, |index, value| {
            visit(index, value);
            is_plain(value)
        })
    }

    /// As [`Shape::read`], for callers that check strings themselves. A string ends at the next quote, which may be escaped, so
    /// `accept` has to refuse what is not [`is_plain`]; then the result is `None`.
    ///
    /// ```
    /// use firehose_transform::json::Shape;
    ///
    /// let shape = Shape::of(r#"{"id": "a7"}"#).unwrap();
    /// let is_id = |value: &str| value.trim_matches('"').bytes().all(|byte| byte.is_ascii_alphanumeric());
    /// assert!(shape.read_if(r#"{"id": "b12"}"#, |_, value| is_id(value)).is_some());
    /// assert!(shape.read_if(r#"{"id": "b\n"}"#, |_, value| is_id(value)).is_none());
    /// ```
    pub fn read_if<'a>(&self, text: &'a str, accept: impl FnMut(usize, &'a str) -> bool) -> Option<()> {
        self.read_start(text, accept)?.is_empty().then_some(())
    }

    /// As [`Shape::read_if`] for the object at the start of `text`; returns what follows it.
    fn read_start<'a>(&self, text: &'a str, mut accept: impl FnMut(usize, &'a str) -> bool) -> Option<&'a str> {
        let mut rest = text;
        for (index, (opening, kind)) in self.values.iter().enumerate() {
            let value = rest.strip_prefix(opening.as_str())?;
            let (start, length, quote) = match kind {
                Kind::Text => (opening.len() - 1, memchr::memchr(b'"', value.as_bytes())?, 1),
                Kind::Integer => (opening.len(), integer_length(value.as_bytes())?, 0),
            };
            if !accept(index, &rest[start..start + length + 2 * quote]) {
                return None;
            }
            rest = &value[length..];
        }
        rest.strip_prefix(self.closing.as_str())
    }
}

/// The length of the integer at the start of `text`.
fn integer_length(text: &[u8]) -> Option<usize> {
    let sign = usize::from(text.first() == Some(&b'-'));
    let digits = digits(&text[sign..]);
    let is_integer = digits == 1 || (digits > 1 && text[sign] != b'0');
    is_integer.then_some(sign + digits)
}

/// The number of digits at the start of `text`. Timestamps have 13, so it looks at eight at once.
fn digits(text: &[u8]) -> usize {
    const EACH: u64 = u64::MAX / 255;
    let mut count = 0;
    for eight in text.as_chunks::<8>().0 {
        let bytes = u64::from_le_bytes(*eight) ^ (EACH * u64::from(b'0'));
        // The highest bit of each byte that is more than 9.
        let others = (((bytes & (EACH * 0x7f)) + EACH * (0x7f - 9)) | bytes) & (EACH * 0x80);
        if others != 0 {
            return count + others.trailing_zeros() as usize / 8;
        }
        count += 8;
    }
    count + text[count..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// A position in JSON text. Each method skips white space first, and returns `None` if it finds something else than it is for.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// Whether `text` has neither escapes nor control characters. Between the quotes of a string, it is then valid JSON and stands for itself.
///
/// ```
/// use firehose_transform::json::is_plain;
///
/// assert!(is_plain("caf\u{e9}"));
/// assert!(!is_plain("a\tb") && !is_plain(r"a\tb"));
/// ```
#[must_use]
pub fn is_plain(text: &str) -> bool {
    // It vectorises, because it never stops early.
    text.bytes().fold(0, |any, byte| any | u8::from(byte < b' ') | u8::from(byte == b'\\')) == 0
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    pub(crate) fn byte(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// What is left, without the white space before it.
    pub(crate) fn rest(&mut self) -> &'a str {
        self.peek();
        &self.text[self.at..]
    }

    /// As [`Shape::read_if`] for the next object.
    pub(crate) fn shaped(&mut self, shape: &Shape, accept: impl FnMut(usize, &'a str) -> bool) -> Option<()> {
        let after = shape.read_start(self.rest(), accept)?;
        self.at = self.text.len() - after.len();
        Some(())
    }

    /// Visits the elements of an array, for each of which `visit` consumes a value.
    pub(crate) fn elements(&mut self, mut visit: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.byte(b'[')?;
        if self.byte(b']').is_some() {
            return Some(());
        }
        loop {
            visit(self)?;
            if self.byte(b',').is_none() {
                return self.byte(b']');
            }
        }
    }

    /// Visits the names of an object's members, for each of which `visit` consumes a value.
    pub(crate) fn names(&mut self, mut visit: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.byte(b'{')?;
        if self.byte(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.byte(b':')?;
            visit(self, name)?;
            if self.byte(b',').is_none() {
                return self.byte(b'}');
            }
        }
    }

    /// Any value, as JSON.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        self.nested(MAX_DEPTH)
    }

    fn members(&mut self, depth: u8, mut visit: impl FnMut(&'a str, &'a str)) -> Option<()> {
        self.names(|scanner, name| {
            visit(name, scanner.nested(depth)?);
            Some(())
        })
    }

    fn nested(&mut self, depth: u8) -> Option<&'a str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => _ = self.string()?,
            b'{' => self.members(depth.checked_sub(1)?, |_, _| ())?,
            b'[' => {
                let depth = depth.checked_sub(1)?;
                self.elements(|scanner| scanner.nested(depth).map(|_| ()))?;
            }
            b't' => self.literal("true")?,
            b'f' => self.literal("false")?,
            b'n' => self.literal("null")?,
            _ => self.integer()?,
        }
        Some(&self.text[start..self.at])
    }

    /// The text of a string without escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.byte(b'"')?;
        let rest = &self.text[self.at..];
        let text = &rest[..memchr::memchr(b'"', rest.as_bytes())?];
        self.at += text.len() + 1;
        is_plain(text).then_some(text)
    }

    fn integer(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = integer_length(rest)?;
        self.at += length;
        (!matches!(rest.get(length), Some(b'.' | b'e' | b'E'))).then_some(())
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.text[self.at..].starts_with(literal).then(|| self.at += literal.len())
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn read(text: &str) -> Option<Vec<(&str, &str)>> {
        let mut found = Vec::new();
        members(text, |name, value| found.push((name, value)))?;
        Some(found)
    }

    #[test]
    fn objects_are_read_or_left_to_a_parser() {
        for (text, expected) in [
            ("{}", Some(vec![])),
            (" { \"a\" :\t1 ,\r\n\"b\":\"é\" } \n", Some(vec![("a", "1"), ("b", "\"é\"")])),
            (r#"{"a":-0,"a":null}"#, Some(vec![("a", "-0"), ("a", "null")])),
            (r#"{"a":{"b":[1,{"c":"}"}]},"d":[]}"#, Some(vec![("a", r#"{"b":[1,{"c":"}"}]}"#), ("d", "[]")])),
            ("", None),
            ("[]", None),
            ("{", None),
            ("{}{}", None),
            (r#"{"a":1,}"#, None),
            (r#"{"a" 1}"#, None),
            (r#"{"a":01}"#, None),
            (r#"{"a":-}"#, None),
            (r#"{"a":1.5}"#, None),
            (r#"{"a":1e3}"#, None),
            (r#"{"a":nul}"#, None),
            (r#"{"a":truefalse}"#, None),
            (r#"{"a":"\n"}"#, None),
            (r#"{"\u0061":1}"#, None),
            ("{\"a\":\"\n\"}", None),
            (r#"{"a":"b}"#, None),
            (r#"{"a":[[[[[[[[[1]]]]]]]]]}"#, None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_shape_reads_objects_that_differ_in_values_alone() {
        let shape = Shape::of("{\n  \"a\": \"x\",\n  \"n\": -1\n}\n").unwrap();
        for (text, expected) in [
            ("{\n  \"a\": \"\",\n  \"n\": 0\n}\n", Some(["\"\"", "0"])),
            ("{\n  \"a\": \"é\",\n  \"n\": 20\n}\n", Some(["\"é\"", "20"])),
            ("{\n  \"a\": \"x\",\n  \"n\": 1\n}", None),
            ("{\n  \"a\": \"x\",\n  \"n\": 1\n}\n\n", None),
            ("{\n  \"a\": \"x\",\n  \"n\": 1.5\n}\n", None),
            ("{\n  \"a\": \"x\",\n  \"n\": 01\n}\n", None),
            ("{\n  \"a\": \"x\",\n  \"n\": \"1\"\n}\n", None),
            ("{\n  \"a\": \"\n\",\n  \"n\": 1\n}\n", None),
            ("{\n  \"a\": \"\\n\",\n  \"n\": 1\n}\n", None),
            ("{\n  \"a\": \"", None),
            ("", None),
        ] {
            let mut found = Vec::new();
            let read = shape.read(text, |_, value| found.push(value));
            assert_eq!(read.map(|()| &*found), expected.as_ref().map(|values| &values[..]), "{text}");
        }
        for text in [r#"{"a":true}"#, r#"{"a":null}"#, r#"{"a":{}}"#, r#"{"a":[1]}"#, r#"{"a":1.5}"#, "[]", ""] {
            assert_eq!(Shape::of(text), None, "{text}");
        }
        assert_eq!(Shape::of(" {} ").unwrap().read(" {} ", |_, _| ()), Some(()));
    }

    proptest::proptest! {
        #[test]
        fn digits_are_counted(text in r"[0-9]{0,20}", after: Vec<u8>) {
            let text = [text.as_bytes(), &after].concat();
            let expected = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            proptest::prop_assert_eq!(digits(&text), expected);
        }

        #[test]
        fn a_shape_agrees_with_the_scanner(
            text in r#"\{("[ab]": ?("[a-c]{0,3}"|-?[0-9]{1,3}),?){0,3}\}\n?"#,
            other in r#"\{("[ab]": ?("[a-c\\\n]{0,3}"|-?[0-9.]{1,3}),?){0,3}\}\n?"#,
        ) {
            if let Some(shape) = Shape::of(&text) {
                for text in [&text, &other] {
                    let mut values = Vec::new();
                    if shape.read(text, |_, value| values.push(value)).is_some() {
                        let scanned: Vec<_> = read(text).unwrap().into_iter().map(|(_, value)| value).collect();
                        proptest::prop_assert_eq!(values, scanned);
                    }
                }
            }
        }

        #[test]
        fn what_is_read_is_json(text in r#"[\[\]{}:,"ab\\\-01.e \n]{0,24}"#) {
            if let Some(found) = read(&text) {
                let Value::Object(object) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
                for (name, value) in found.into_iter().rev().collect::<std::collections::BTreeMap<_, _>>() {
                    proptest::prop_assert!(object.contains_key(name));
                    serde_json::from_str::<Value>(value).unwrap();
                }
            }
        }
    }
}
