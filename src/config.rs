//! The configuration: every environment variable of the processor with its meaning, default and limits. The runtime, the logs and
//! the HTTP client read further ones: see `docs/reference/configuration.md`.
//!
//! An empty variable counts as not set, because templates write optional values that way.

mod auth;
#[cfg(test)]
mod documentation;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use service_kit::env::{Env, MAX_NAMES, VariableError};

use crate::field::{FIELD, Field};

pub(crate) use self::auth::secret_value;
pub use self::auth::{Auth, Secret, StoredSecret};

/// The processor's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `LOOKUP_API_URL`: the service's base URL.
    pub api_url: Url,
    /// `LOOKUP_KEY`: the event's field that holds the key.
    pub key: Field,
    /// `LOOKUP_MODE`, with the paths in `LOOKUP_LIST` and `LOOKUP_ITEM`.
    pub lookup_mode: LookupMode,
    /// `LOOKUP_LIST_KEY`: the field of the service's items that holds the key; `None` if they have none.
    pub list_key: Option<Field>,
    /// `LOOKUP_ATTRIBUTES`: the attributes to add, in order.
    pub attributes: Vec<Field>,
    /// `EVENT_FIELDS`: what of the event to keep, in order.
    pub event_fields: Vec<EventField>,
    /// `REQUIRED_FIELDS`: the fields that every event needs besides the key.
    pub required_fields: Vec<Field>,
    /// `RECORD_FIELDS`: the record's metadata to append to each line, in order.
    pub record_fields: Vec<RecordField>,
    /// `PARTITION_KEYS`: names of output fields that become `metadata.partitionKeys`.
    pub partition_keys: Vec<String>,
    /// `LOOKUP_CACHE_SECONDS`: how long a response of the service is fresh.
    pub cache: Duration,
    /// `LOOKUP_STALE_SECONDS`: for how long after that a stale value is served while the service is unavailable.
    pub stale: Duration,
    /// `LOOKUP_TIMEOUT_MS`: the time-out of one attempt.
    pub timeout: Duration,
    /// `LOOKUP_CONCURRENCY`: how many item requests may be in flight.
    pub concurrency: usize,
    /// `LOOKUP_AUTH`: how requests to the service are authenticated.
    pub auth: Auth,
    /// `ON_UNKNOWN_KEY`
    pub on_unknown_key: OnUnknownKey,
    /// `ON_LOOKUP_UNAVAILABLE`
    pub on_lookup_unavailable: OnLookupUnavailable,
    /// `SSL_CERT_FILE`: PEM file with additional certificate authorities.
    pub extra_roots: Option<PathBuf>,
}

/// What of an event to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventField {
    /// One field.
    Field(Field),
    /// `*`: all members, as they came, except those that share a name with another output field.
    Rest,
}

/// A field of the Firehose record that a line can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordField {
    /// When the record reached Firehose or its source stream: ISO 8601, UTC, with milliseconds; `null` if unknown.
    ArrivedAt,
    /// The record's id, or `null`.
    RecordId,
}

/// How keys are looked up. A path starts with `/`, and that of an item contains `{key}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupMode {
    /// One request of the list for all. Items that lack an attribute in it are requested, if there is a path.
    List {
        /// The path of the list.
        list: String,
        /// Where the array of items is in the response. Without it, the response is the array, or an object with exactly one.
        array: Option<Field>,
        /// The path of an item.
        item: Option<String>,
    },
    /// One request for each distinct key.
    Item {
        /// The path of an item.
        item: String,
    },
}

/// The outcome of a record whose key is unknown to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknownKey {
    /// `ProcessingFailed`: Firehose keeps the original.
    Fail,
    /// `Dropped`: Firehose discards the record.
    Drop,
    /// `Ok`, with `null` for each attribute.
    Pass,
}

/// The outcome of records while the service is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLookupUnavailable {
    /// The invocation fails, so that Firehose retries the batch.
    Retry,
    /// `ProcessingFailed`: Firehose keeps the originals.
    Fail,
    /// `Ok`, with `null` for each attribute.
    Pass,
}

const NONE: &str = "none";
const KEY: &str = "{key}";

impl RecordField {
    const ALL: [(&'static str, Self); 2] = [("arrivedAt", Self::ArrivedAt), ("recordId", Self::RecordId)];

    /// The name of the field in a line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ArrivedAt => Self::ALL[0].0,
            Self::RecordId => Self::ALL[1].0,
        }
    }
}

impl EventField {
    /// The field, if it is one.
    #[must_use]
    pub fn field(&self) -> Option<&Field> {
        match self {
            Self::Field(field) => Some(field),
            Self::Rest => None,
        }
    }

    fn name(&self) -> &str {
        self.field().map_or("*", |field| &field.output)
    }
}

impl Config {
    /// Reads the variables of `env`. The error is about the first one that is invalid, or that is required and missing.
    pub fn read(env: &Env) -> Result<Self, VariableError> {
        let key = field(env, "LOOKUP_KEY", "mysfitId")?;
        let lookup_mode = lookup_mode(env)?;
        let api_url = base_url(env)?;
        let config = Self {
            auth: Auth::read(env, &api_url)?,
            api_url,
            list_key: list_key(env, &key, &lookup_mode)?,
            attributes: fields(env, "LOOKUP_ATTRIBUTES", "goodevil,lawchaos,species")?,
            event_fields: event_fields(env)?,
            required_fields: match env.text("REQUIRED_FIELDS")? {
                Some(NONE) => Vec::new(),
                _ => fields(env, "REQUIRED_FIELDS", "userId")?,
            },
            record_fields: env.choices("RECORD_FIELDS", &RecordField::ALL)?,
            partition_keys: env.list_of_names("PARTITION_KEYS", "")?,
            cache: Duration::from_secs(env.number("LOOKUP_CACHE_SECONDS", 300, 0, 86_400)?),
            stale: Duration::from_secs(env.number("LOOKUP_STALE_SECONDS", 86_400, 0, 604_800)?),
            timeout: Duration::from_millis(env.number("LOOKUP_TIMEOUT_MS", 2_000, 1, 60_000)?),
            concurrency: usize::try_from(env.number("LOOKUP_CONCURRENCY", 32, 1, 256)?).unwrap_or(usize::MAX),
            on_unknown_key: env.choice(
                "ON_UNKNOWN_KEY",
                &[("fail", OnUnknownKey::Fail), ("drop", OnUnknownKey::Drop), ("pass", OnUnknownKey::Pass)],
            )?,
            on_lookup_unavailable: env.choice(
                "ON_LOOKUP_UNAVAILABLE",
                &[
                    ("retry", OnLookupUnavailable::Retry),
                    ("fail", OnLookupUnavailable::Fail),
                    ("pass", OnLookupUnavailable::Pass),
                ],
            )?,
            extra_roots: env.text("SSL_CERT_FILE")?.map(PathBuf::from),
            key,
            lookup_mode,
        };
        config.check_output_fields()?;
        Ok(config)
    }

    /// The names of a line's fields, in order, without those that only `*` keeps.
    pub fn output_fields(&self) -> impl Iterator<Item = &str> {
        let event = self.event_fields.iter().filter_map(EventField::field);
        let fields = event.chain(&self.attributes).map(|field| field.output.as_str());
        fields.chain(self.record_fields.iter().map(|field| field.name()))
    }

    fn check_output_fields(&self) -> Result<(), VariableError> {
        // Hive and Athena fold column names to lower case (Amazon Athena User Guide, "Name databases, tables, and columns"), so "Species"
        // and "species" would be one column twice.
        let mut seen = HashMap::new();
        for name in self.output_fields() {
            if let Some(same) = seen.insert(name.to_ascii_lowercase(), name) {
                return Err(VariableError::new(
                    "EVENT_FIELDS, LOOKUP_ATTRIBUTES and RECORD_FIELDS",
                    format!("\"{same}\" and \"{name}\""),
                    "output fields whose names differ in more than case",
                ));
            }
        }
        if let Some(missing) = self.partition_keys.iter().find(|key| !self.output_fields().any(|name| name == *key)) {
            return Err(VariableError::new(
                "PARTITION_KEYS",
                format!("\"{missing}\", which is not an output field"),
                format!("names out of {}", self.output_fields().collect::<Vec<_>>().join(", ")),
            ));
        }
        Ok(())
    }
}

/// Module 5 of the workshop sets `MYSFITS_API_URL`.
fn base_url(env: &Env) -> Result<Url, VariableError> {
    const ACCEPTED: &str = "an http or https URL with a host, and no user, query or fragment, such as \
                            https://ID.execute-api.REGION.amazonaws.com/prod";
    const NAMES: [&str; 2] = ["LOOKUP_API_URL", "MYSFITS_API_URL"];
    let (variable, text) = match (env.text(NAMES[0])?, env.text(NAMES[1])?) {
        (Some(one), Some(other)) if one != other => {
            return Err(VariableError::new(NAMES.join(" and "), "two different values", "one of them"));
        }
        (None, Some(text)) => (NAMES[1], text),
        (text, _) => (NAMES[0], text.ok_or_else(|| VariableError::new(NAMES[0], "no value", ACCEPTED))?),
    };
    if text.contains(['@', '?']) {
        let found = "a value with a user, a password or a query (not shown)";
        return Err(VariableError::new(variable, found, ACCEPTED));
    }
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none());
    url.ok_or_else(|| VariableError::of_value(variable, text, ACCEPTED))
}

fn lookup_mode(env: &Env) -> Result<LookupMode, VariableError> {
    let list = list_path(env)?;
    let item = item_path(env)?;
    let without = |mode: &str, path: &str| {
        let found = format!("{mode}, and {path} is {NONE}");
        VariableError::new("LOOKUP_MODE", found, format_args!("another mode, or a path in {path}"))
    };
    if env.choice("LOOKUP_MODE", &[("list", true), ("item", false)])? {
        let (list, array) = list.ok_or_else(|| without("list", "LOOKUP_LIST"))?;
        Ok(LookupMode::List { list, array, item })
    } else {
        Ok(LookupMode::Item { item: item.ok_or_else(|| without("item", "LOOKUP_ITEM"))? })
    }
}

/// The path of the list, and the JSON pointer in its fragment (RFC 6901, section 6, without percent-encoding).
fn list_path(env: &Env) -> Result<Option<(String, Option<Field>)>, VariableError> {
    const VARIABLE: &str = "LOOKUP_LIST";
    let text = env.text(VARIABLE)?.unwrap_or("/mysfits");
    if text == NONE {
        return Ok(None);
    }
    let (path, pointer) = text.split_once('#').map_or((text, None), |(path, pointer)| (path, Some(pointer)));
    let parse = |pointer| is_path(pointer).then(|| Field::parse(&format!("array={pointer}"))).flatten();
    let array = pointer.map(parse);
    if !is_path(path) || path.contains(KEY) || array == Some(None) {
        let accepted = format!(
            "a path from /, of visible ASCII characters, with or without # and the JSON pointer of the array, or {NONE}"
        );
        return Err(VariableError::of_value(VARIABLE, &without_query(text), accepted));
    }
    Ok(Some((path.to_owned(), array.flatten())))
}

/// The path of an item, with or without a query; `None` for `none`.
fn item_path(env: &Env) -> Result<Option<String>, VariableError> {
    const VARIABLE: &str = "LOOKUP_ITEM";
    let text = env.text(VARIABLE)?.unwrap_or("/mysfits/{key}");
    if text == NONE {
        return Ok(None);
    }
    if is_path(text) && text.contains(KEY) {
        return Ok(Some(text.to_owned()));
    }
    let accepted = format!("a path from / with {KEY}, of visible ASCII characters and without a fragment, or {NONE}");
    Err(VariableError::of_value(VARIABLE, &without_query(text), accepted))
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// For messages: a query may have a secret.
fn without_query(path: &str) -> Cow<'_, str> {
    path.split_once('?').map_or(path.into(), |(path, _)| format!("{path}?… (not shown)").into())
}

fn list_key(env: &Env, key: &Field, mode: &LookupMode) -> Result<Option<Field>, VariableError> {
    const VARIABLE: &str = "LOOKUP_LIST_KEY";
    match env.text(VARIABLE)? {
        Some(NONE) if matches!(mode, LookupMode::Item { .. }) => Ok(None),
        Some(NONE) => Err(VariableError::of_value(VARIABLE, NONE, "a field, as LOOKUP_MODE is list")),
        _ => field(env, VARIABLE, &key.output).map(Some),
    }
}

fn field(env: &Env, variable: &str, default: &str) -> Result<Field, VariableError> {
    let text = env.text(variable)?.unwrap_or(default);
    Field::parse(text.trim()).ok_or_else(|| VariableError::of_value(variable, text, FIELD))
}

fn fields(env: &Env, variable: &str, default: &str) -> Result<Vec<Field>, VariableError> {
    env.list(variable, default, &list_of(FIELD), Field::parse, |field| &field.output)
}

fn event_fields(env: &Env) -> Result<Vec<EventField>, VariableError> {
    let parse = |text: &str| match text {
        "*" => Some(EventField::Rest),
        text => Field::parse(text).map(EventField::Field),
    };
    env.list("EVENT_FIELDS", "userId,mysfitId", &list_of(&format!("*, {FIELD}")), parse, EventField::name)
}

fn list_of(field: &str) -> String {
    format!("a comma-separated list of up to {MAX_NAMES} different fields, each {field}")
}

#[cfg(test)]
mod tests;
