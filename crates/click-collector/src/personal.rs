//! Personal fields: what is stored instead of a value that tells who somebody is.

use std::fmt;
use std::sync::Arc;

use ring::hmac;
use serde_json::value::RawValue;

use service_kit::json::{self, Unusable};

/// What a masked value becomes.
pub const MASK: &str = "***";

/// What becomes of a field's value.
#[derive(Clone, Debug)]
pub enum Treatment {
    /// It is stored as it came.
    Keep,
    /// [`MASK`] is stored instead.
    Mask,
    /// Its hash is stored instead.
    Hash(Arc<HashKey>),
}

/// The secret by which values are hashed.
///
/// There are so few telephone numbers that whoever has their plain hashes tries them all; without the key, that tells nothing.
#[derive(Clone)]
pub struct HashKey(hmac::Key);

impl HashKey {
    /// The key of the bytes of a secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// HMAC-SHA-256 of a value, in 64 lower-case hexadecimal digits.
    ///
    /// A string is hashed as its text, however it was escaped, and any other value as its compact JSON, so that a telephone
    /// number is the same person's whether it was sent as a string or as a number.
    ///
    /// # Errors
    /// [`Unusable`] for a value that is no Unicode text, or nests too deep.
    pub fn hash(&self, value: &RawValue) -> Result<String, Unusable> {
        let tag = if let Some(text) = json::text(value)? {
            hmac::sign(&self.0, text.as_bytes())
        } else {
            let mut compact = Vec::new();
            json::write_compact(value, json::Mode::KeepBytes, &mut compact)?;
            hmac::sign(&self.0, &compact)
        };
        Ok(hex(tag.as_ref()))
    }
}

/// Without the key.
impl fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HashKey(not shown)")
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: &str, json: &str) -> Result<String, Unusable> {
        HashKey::new(key.as_bytes()).hash(serde_json::from_str(json).unwrap())
    }

    /// RFC 4231, section 4.3, test case 2.
    #[test]
    fn hashes_are_hmac_sha_256() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hash("Jefe", "\"what do ya want for nothing?\"").unwrap(), expected);
    }

    #[test]
    fn the_same_value_has_the_same_hash_however_it_is_written() {
        for (one, other, same) in [
            (r#""+41 79""#, r#""\u002b41\u002079""#, true),
            ("\"é\"", r#""\u00e9""#, true),
            ("41791234567", r#""41791234567""#, true),
            (r#"{ "zip" : 8000 }"#, r#"{"zip":8000}"#, true),
            ("8000", "8000.0", false),
            ("\"A\"", "\"a\"", false),
            ("\"\"", "\" \"", false),
        ] {
            assert_eq!(hash("key", one) == hash("key", other), same, "{one} and {other}");
        }
        assert_ne!(hash("key", "\"a\""), hash("another", "\"a\""));
        assert_eq!(hash("key", r#""\ud800""#), Err(Unusable::Escape));
        assert_eq!(hash("key", &format!("{}{}", "[".repeat(129), "]".repeat(129))), Err(Unusable::TooDeep));
    }
}
