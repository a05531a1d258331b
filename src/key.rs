//! Keys: what events and the service's items are matched by. A key is a string or an integer, and 7 and "7" are the same one.

use std::borrow::Cow;

use service_kit::json::UnsupportedValue;

use crate::field::Value;

/// The most characters of a string: UUIDs have 36.
pub(crate) const MAX_CHARS: usize = 128;
/// The most digits of an integer: 2^64 has 20.
pub(crate) const MAX_DIGITS: usize = 20;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// A string's text, or an integer's digits, with `-` if it is negative.
    Text(Cow<'a, str>),
    TooLong,
    /// Neither a string nor an integer: `-0`, `1.0` and `1e3` are none.
    WrongType,
}

impl<'a> Key<'a> {
    /// Fails for a string with a lone surrogate.
    pub(crate) fn of(value: Value<'a>) -> Result<Self, UnsupportedValue> {
        if let Some(text) = value.text()? {
            return Ok(Self::Text(text));
        }
        let value = value.json;
        let digits = value.strip_prefix('-').unwrap_or(value);
        Ok(if value == "-0" || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::WrongType
        } else if digits.len() > MAX_DIGITS {
            Self::TooLong
        } else {
            Self::Text(Cow::Borrowed(value))
        })
    }
}

/// Whether all characters are of `[A-Za-z0-9_-]`, and there are any.
#[expect(clippy::needless_bitwise_bool, reason = "it vectorises, because it neither stops early nor branches")]
pub(crate) fn is_url_safe(key: &str) -> bool {
    let is_other = |byte: u8| {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let is_digit = byte.wrapping_sub(b'0') < 10;
        u8::from(!(is_letter | is_digit | (byte == b'_') | (byte == b'-')))
    };
    !key.is_empty() && key.bytes().fold(0, |any, byte| any | is_other(byte)) == 0
}
