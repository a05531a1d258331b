//! Masks and hashes personal fields.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::value::RawValue;
use sha2::Sha256;

use service_kit::json::{self, UnsupportedValue};

pub(crate) const MASK: &str = "***";

#[derive(Clone, Debug)]
pub(crate) enum Treatment {
    Keep,
    Mask,
    Hash(Arc<HashKey>),
}

/// The secret key for hashing values, which `Debug` does not show. Telephone numbers are so few that plain hashes can be reversed by trying all of them. Without the key they can't.
#[derive(Clone, Debug)]
pub(crate) struct HashKey(Hmac<Sha256>);

impl HashKey {
    pub(crate) fn new(secret: &[u8]) -> Self {
        // HMAC takes keys of any length.
        Self(Hmac::new_from_slice(secret).unwrap_or_else(|_| unreachable!("a key of any length")))
    }

    /// HMAC-SHA-256 of a value, in 64 lower-case hexadecimal digits. A string is hashed as its unescaped text, and any other value as compact JSON. So a telephone number has one hash as a string and as a
    /// number.
    pub(crate) fn hash(&self, value: &RawValue) -> Result<String, UnsupportedValue> {
        let mut mac = self.0.clone();
        if let Some(text) = json::text(value)? {
            mac.update(text.as_bytes());
        } else {
            let mut compact = Vec::new();
            json::write_compact(value, json::Mode::KeepBytes, &mut compact)?;
            mac.update(&compact);
        }
        Ok(hex::encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: &str, json: &str) -> Result<String, UnsupportedValue> {
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
        assert_eq!(hash("key", r#""\ud800""#), Err(UnsupportedValue::Escape));
        assert_eq!(hash("key", &format!("{}{}", "[".repeat(129), "]".repeat(129))), Err(UnsupportedValue::TooDeep));
    }
}
