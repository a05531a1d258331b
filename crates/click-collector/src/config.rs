//! The configuration: every environment variable with its meaning, default and limits.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::value::RawValue;
use service_kit::env::{Env, VariableError, shown};
use service_kit::json::{self, UnsupportedValue};
use sha2::Sha256;

/// The collector's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `COLLECTOR_STREAM`: the data stream's name.
    pub stream: String,
    /// `COLLECTOR_FIELDS`: the fields of a record, in order.
    pub fields: Vec<Field>,
    /// `COLLECTOR_PARTITION_KEY_FIELD`: the field with the partition key. It need not be a field of the record.
    pub partition_key: Field,
    /// `COLLECTOR_ALLOWED_ORIGINS`: the origins of the pages whose requests are accepted; `None` for any.
    pub allowed_origins: Option<Vec<String>>,
}

/// A top-level field of a body.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name, matched exactly.
    pub name: String,
    pub(crate) treatment: Treatment,
}

#[derive(Clone, Debug)]
pub(crate) enum Treatment {
    Keep,
    Mask,
    Hash(Arc<HashKey>),
}

/// Telephone numbers are so few that plain hashes can be reversed by trying all of them. Without the key they can't. `Debug` hides the key.
#[derive(Clone, Debug)]
pub(crate) struct HashKey(Hmac<Sha256>);

impl HashKey {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).unwrap_or_else(|_| unreachable!("a key of any length")))
    }

    /// A string is hashed as its unescaped text, so a telephone number has one hash as a string and as a number.
    pub(crate) fn hash(&self, value: &RawValue) -> Result<String, UnsupportedValue> {
        let mut mac = self.0.clone();
        if let Some(text) = json::text(value.get())? {
            mac.update(text.as_bytes());
        } else {
            let mut compact = Vec::new();
            json::write_compact(value.get(), json::Mode::KeepBytes, &mut compact)?;
            mac.update(&compact);
        }
        Ok(hex::encode(mac.finalize().into_bytes()))
    }
}

const STREAM: &str = "COLLECTOR_STREAM";
const FIELDS: &str = "COLLECTOR_FIELDS";
const PARTITION_KEY_FIELD: &str = "COLLECTOR_PARTITION_KEY_FIELD";
const MASK_FIELDS: &str = "COLLECTOR_MASK_FIELDS";
const HASH_FIELDS: &str = "COLLECTOR_HASH_FIELDS";
const HASH_KEY: &str = "COLLECTOR_HASH_KEY";
const ALLOWED_ORIGINS: &str = "COLLECTOR_ALLOWED_ORIGINS";
const VARIABLES: [&str; 7] = [STREAM, FIELDS, PARTITION_KEY_FIELD, MASK_FIELDS, HASH_FIELDS, HASH_KEY, ALLOWED_ORIGINS];
const PREFIX: &str = "COLLECTOR_";
const DEFAULT_FIELDS: &str = "id,title,price,category,name,phone,address,quantity,item_id,item_name";
const DEFAULT_PARTITION_KEY_FIELD: &str = "id";
/// `StreamName` of `PutRecord` ("PutRecord", Amazon Kinesis Data Streams API Reference).
const STREAM_NAME: &str = "a data stream's name, and not its ARN: 1 to 128 characters of [A-Za-z0-9_.-]";
const MAX_STREAM_NAME_LEN: usize = 128;
const KEY: &str = "a secret of 32 bytes or more, such as one from a secrets store";
/// The length of the hash: a shorter key weakens it (RFC 2104, section 3).
const MIN_KEY_LEN: usize = 32;
const ANY_ORIGIN: &str = "*";
const ORIGINS: &str = "*, or a comma-separated list of up to 32 different origins such as https://www.example.com, in lower case and without a path";

impl Config {
    /// Reads the variables of `env`. The error is about the first one that is invalid, or that is required and missing.
    pub fn read(env: &Env) -> Result<Self, VariableError> {
        check_names(env)?;
        let stream = stream(env)?;
        let fields = env.list_of_names(FIELDS, DEFAULT_FIELDS)?;
        let partition_key = env.name(PARTITION_KEY_FIELD, DEFAULT_PARTITION_KEY_FIELD)?;
        let mask = env.list_of_names(MASK_FIELDS, "")?;
        let hash = env.list_of_names(HASH_FIELDS, "")?;
        let key = hash_key(env)?;
        let allowed_origins = allowed_origins(env)?;
        check_personal(&mask, &hash, &fields, &partition_key)?;
        if !hash.is_empty() && key.is_none() {
            return Err(VariableError::new(HASH_KEY, "no value", format!("{KEY}, because {HASH_FIELDS} names fields")));
        }
        let field = |name: String| {
            let treatment = match &key {
                _ if mask.contains(&name) => Treatment::Mask,
                Some(key) if hash.contains(&name) => Treatment::Hash(key.clone()),
                _ => Treatment::Keep,
            };
            Field { name, treatment }
        };
        let fields = fields.into_iter().map(&field).collect();
        Ok(Self { stream, partition_key: field(partition_key), fields, allowed_origins })
    }
}

/// A name that is not a field is a typo, which would store personal data in the clear.
fn check_personal(mask: &[String], hash: &[String], fields: &[String], key_field: &str) -> Result<(), VariableError> {
    for (variable, names) in [(MASK_FIELDS, mask), (HASH_FIELDS, hash)] {
        let is_read = |name: &String| fields.contains(name) || name == key_field;
        if let Some(stray) = names.iter().find(|name| !is_read(name)) {
            let found = format!("\"{stray}\", which is not a field that is read");
            let accepted = format!("names out of {FIELDS} and {PARTITION_KEY_FIELD}: {}", fields.join(", "));
            return Err(VariableError::new(variable, found, accepted));
        }
    }
    if let Some(both) = hash.iter().find(|name| mask.contains(name)) {
        let found = format!("\"{both}\", which {MASK_FIELDS} names too");
        return Err(VariableError::new(HASH_FIELDS, found, "names that are not masked"));
    }
    Ok(())
}

/// A typo in `COLLECTOR_HASH_FIELDS` would store personal data in the clear.
fn check_names(env: &Env) -> Result<(), VariableError> {
    match env.names().find(|name| name.starts_with(PREFIX) && !VARIABLES.contains(name)) {
        Some(unknown) => Err(VariableError::new(shown(unknown), "an unknown variable", VARIABLES.join(", "))),
        None => Ok(()),
    }
}

fn stream(env: &Env) -> Result<String, VariableError> {
    let name = env.text(STREAM)?.ok_or_else(|| VariableError::new(STREAM, "no value", STREAM_NAME))?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let usable = name.len() <= MAX_STREAM_NAME_LEN && name.bytes().all(allowed);
    usable.then(|| name.to_owned()).ok_or_else(|| VariableError::of_value(STREAM, name, STREAM_NAME))
}

fn hash_key(env: &Env) -> Result<Option<Arc<HashKey>>, VariableError> {
    match env.text(HASH_KEY)? {
        Some(secret) if secret.len() < MIN_KEY_LEN => {
            Err(VariableError::new(HASH_KEY, "a value of fewer than 32 bytes (not shown)", KEY))
        }
        secret => Ok(secret.map(|secret| Arc::new(HashKey::new(secret.as_bytes())))),
    }
}

fn allowed_origins(env: &Env) -> Result<Option<Vec<String>>, VariableError> {
    if env.text(ALLOWED_ORIGINS)?.is_none_or(|text| text.trim() == ANY_ORIGIN) {
        return Ok(None);
    }
    let origin = |text: &str| is_origin(text).then(|| text.to_owned());
    env.list(ALLOWED_ORIGINS, ANY_ORIGIN, ORIGINS, origin, String::as_str).map(Some)
}

/// Whether a text is an origin as browsers send it: scheme, host and port in lower case (RFC 6454, section 6.2).
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:".contains(&byte);
    !host.is_empty() && host.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use service_kit::env::{NAME, NAMES};

    use super::*;

    const STREAM_SET: (&str, &str) = ("COLLECTOR_STREAM", "orders");
    const KEY_SET: (&str, &str) = ("COLLECTOR_HASH_KEY", "hunter2-hunter2-hunter2-hunter2-");

    fn config(variables: &[(&str, &str)]) -> Result<Config, VariableError> {
        Config::read(&variables.iter().copied().collect())
    }

    fn describe(field: &Field) -> String {
        let treatment = match field.treatment {
            Treatment::Keep => "kept",
            Treatment::Mask => "masked",
            Treatment::Hash(_) => "hashed",
        };
        format!("{} {treatment}", field.name)
    }

    #[test]
    fn defaults() {
        for variables in [
            vec![STREAM_SET],
            vec![
                STREAM_SET,
                ("COLLECTOR_FIELDS", ""),
                ("COLLECTOR_PARTITION_KEY_FIELD", ""),
                ("COLLECTOR_MASK_FIELDS", ""),
                ("COLLECTOR_HASH_FIELDS", ""),
                ("COLLECTOR_HASH_KEY", ""),
                ("COLLECTOR_ALLOWED_ORIGINS", ""),
            ],
            vec![STREAM_SET, ("COLLECTOR_ALLOWED_ORIGINS", "*")],
        ] {
            let config = config(&variables).unwrap();
            assert_eq!(config.allowed_origins, None);
            assert_eq!(
                config.fields.iter().map(describe).collect::<Vec<_>>(),
                [
                    "id kept",
                    "title kept",
                    "price kept",
                    "category kept",
                    "name kept",
                    "phone kept",
                    "address kept",
                    "quantity kept",
                    "item_id kept",
                    "item_name kept"
                ]
            );
            assert_eq!((config.stream.as_str(), describe(&config.partition_key).as_str()), ("orders", "id kept"));
        }
    }

    #[test]
    fn values_are_read() {
        let config = config(&[
            ("COLLECTOR_STREAM", "a_b-C.9"),
            ("COLLECTOR_FIELDS", "phone, id,name"),
            ("COLLECTOR_PARTITION_KEY_FIELD", "customer"),
            ("COLLECTOR_MASK_FIELDS", "name"),
            ("COLLECTOR_HASH_FIELDS", "customer,phone"),
            KEY_SET,
            ("COLLECTOR_ALLOWED_ORIGINS", "https://a.example, http://localhost:8000"),
            ("AWS_REGION", "eu-west-1"),
        ])
        .unwrap();
        assert_eq!(config.allowed_origins.unwrap(), ["https://a.example", "http://localhost:8000"]);
        assert_eq!(config.fields.iter().map(describe).collect::<Vec<_>>(), ["phone hashed", "id kept", "name masked"]);
        assert_eq!((config.stream.as_str(), describe(&config.partition_key).as_str()), ("a_b-C.9", "customer hashed"));
    }

    #[test]
    fn an_invalid_value_is_reported_with_its_variable_and_what_is_accepted() {
        let names = |count: usize| (0..count).map(|index| format!("n{index}")).collect::<Vec<_>>().join(",");
        assert!(config(&[STREAM_SET, ("COLLECTOR_FIELDS", &names(32))]).is_ok());
        assert!(config(&[("COLLECTOR_STREAM", &"x".repeat(128))]).is_ok());
        for (variable, value, found, accepted) in [
            ("COLLECTOR_STREAM", "", "no value", STREAM_NAME),
            ("COLLECTOR_STREAM", "arn:aws:kinesis", "\"arn:aws:kinesis\"", STREAM_NAME),
            ("COLLECTOR_STREAM", &"x".repeat(129), "\"xxx", STREAM_NAME),
            ("COLLECTOR_FIELDS", "id,,name", "\"id,,name\"", NAMES),
            ("COLLECTOR_FIELDS", "id,ID", "\"id,ID\"", NAMES),
            ("COLLECTOR_FIELDS", "a b", "\"a b\"", NAMES),
            ("COLLECTOR_FIELDS", "a\"b", "\"a\\\"b\"", NAMES),
            ("COLLECTOR_FIELDS", &names(33), "\"n0,", NAMES),
            ("COLLECTOR_FIELDS", &"x".repeat(65), "\"xxx", NAMES),
            ("COLLECTOR_PARTITION_KEY_FIELD", "id,name", "\"id,name\"", NAME),
            ("COLLECTOR_PARTITION_KEY_FIELD", &"x".repeat(65), "\"xxx", NAME),
            ("COLLECTOR_MASK_FIELDS", "phon", "\"phon\", which is not a field that is read", "id, title, price"),
            ("COLLECTOR_MASK_FIELDS", "Phone", "\"Phone\", which is not a field that is read", "id, title, price"),
            ("COLLECTOR_HASH_FIELDS", "phon", "\"phon\", which is not a field that is read", "id, title, price"),
            ("COLLECTOR_HASH_KEY", "hunter2", "fewer than 32 bytes (not shown)", "32 bytes or more"),
            ("COLLECTOR_ALLOWED_ORIGINS", "*,https://a.example", "\"*,https://a.example\"", ORIGINS),
            ("COLLECTOR_ALLOWED_ORIGINS", "https://a.example/", "\"https://a.example/\"", ORIGINS),
            ("COLLECTOR_ALLOWED_ORIGINS", "https://A.example", "\"https://A.example\"", ORIGINS),
            ("COLLECTOR_ALLOWED_ORIGINS", "a.example", "\"a.example\"", ORIGINS),
            ("COLLECTOR_ALLOWED_ORIGINS", "https://", "\"https://\"", ORIGINS),
            ("COLLECTOR_HASHED_FIELDS", "phone", "an unknown variable", "COLLECTOR_HASH_FIELDS"),
        ] {
            let message = config(&[STREAM_SET, (variable, value)]).unwrap_err().to_string();
            assert!(message.starts_with(&format!("{variable}: found ")), "{variable}={value}: {message}");
            assert!(message.contains(found) && message.contains(accepted), "{variable}={value}: {message}");
            assert!(message.len() < 600, "{message}");
        }
    }

    #[test]
    fn a_field_is_masked_or_hashed_but_not_both() {
        let both =
            [STREAM_SET, KEY_SET, ("COLLECTOR_MASK_FIELDS", "name,phone"), ("COLLECTOR_HASH_FIELDS", "address,phone")];
        let message = config(&both).unwrap_err().to_string();
        assert!(message.contains("found \"phone\", which COLLECTOR_MASK_FIELDS names too"), "{message}");
    }

    #[test]
    fn nothing_is_hashed_without_a_key() {
        let message = config(&[STREAM_SET, ("COLLECTOR_HASH_FIELDS", "phone")]).unwrap_err().to_string();
        let accepted = "a secret of 32 bytes or more, such as one from a secrets store";
        let because = "because COLLECTOR_HASH_FIELDS names fields";
        assert_eq!(message, format!("COLLECTOR_HASH_KEY: found no value; accepted: {accepted}, {because}"));
    }

    #[test]
    fn the_key_is_never_shown() {
        let shown = format!("{:?}", config(&[STREAM_SET, KEY_SET, ("COLLECTOR_HASH_FIELDS", "phone")]).unwrap());
        assert!(shown.contains("Hash") && !shown.contains("hunter2"), "{shown}");
        let short = config(&[STREAM_SET, ("COLLECTOR_HASH_KEY", "hunter2")]).unwrap_err();
        assert!(!format!("{short} {short:?}").contains("hunter2"), "{short:?}");
    }

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
