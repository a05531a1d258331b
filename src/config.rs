//! The configuration: every environment variable with its meaning, default and bounds.
//!
//! A variable that is set to the empty string counts as not set, because templates write optional values that way.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

/// What the function does, and how; see the table in the README.
#[derive(Clone, Debug)]
pub struct Config {
    /// `MYSFITS_API_URL`: the service's base URL.
    pub mysfits_api_url: Url,
    /// `MYSFIT_ATTRIBUTES`: names of the attributes to add, as they are written.
    pub mysfit_attributes: Vec<String>,
    /// `CLICK_FIELDS`: names of the click's fields to keep, in order.
    pub click_fields: Vec<String>,
    /// `RECORD_FIELDS`: what of the record is appended to each line, in order.
    pub record_fields: Vec<RecordField>,
    /// `PARTITION_KEYS`: names of output fields that become `metadata.partitionKeys`.
    pub partition_keys: Vec<String>,
    /// `MYSFITS_LOOKUP`: how mysfits are looked up.
    pub lookup: Lookup,
    /// `MYSFITS_CACHE_SECONDS`: how long an answer of the service is fresh.
    pub cache: Duration,
    /// `MYSFITS_STALE_SECONDS`: how long after that it is still served while the service can't be reached.
    pub stale: Duration,
    /// `MYSFITS_TIMEOUT_MS`: how long one attempt may take.
    pub timeout: Duration,
    /// `MYSFITS_CONCURRENCY`: how many item look-ups may be under way at once.
    pub concurrency: usize,
    /// `MYSFITS_API_KEY`: sent as `x-api-key`; marked sensitive, so that `Debug` hides it.
    pub api_key: Option<HeaderValue>,
    /// `ON_UNKNOWN_MYSFIT`: what becomes of a record whose mysfit the service does not know.
    pub on_unknown_mysfit: OnUnknownMysfit,
    /// `ON_SERVICE_UNAVAILABLE`: what becomes of records while the service can't be reached.
    pub on_service_unavailable: OnServiceUnavailable,
    /// `SSL_CERT_FILE`: PEM file with certificate authorities to trust besides the built-in ones.
    pub extra_roots: Option<PathBuf>,
}

/// A field of the Firehose record that a line can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordField {
    /// When the record reached Firehose or its source stream: ISO 8601, UTC, with milliseconds; `null` where it is not told.
    ArrivedAt,
    /// The record's id; `null` where there is none.
    RecordId,
}

/// How mysfits are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// One `GET /mysfits` answers for all.
    Catalogue,
    /// One `GET /mysfits/{id}` for each distinct id.
    Item,
}

/// What becomes of a record whose mysfit the service does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknownMysfit {
    /// `ProcessingFailed`: Firehose keeps the original.
    Fail,
    /// `Dropped`: Firehose forgets the record.
    Drop,
    /// `Ok`, with `null` for each attribute.
    Pass,
}

/// What becomes of records while the service can't be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnServiceUnavailable {
    /// The invocation fails, so that Firehose sends the batch again.
    Retry,
    /// `ProcessingFailed`: Firehose keeps the originals.
    Fail,
    /// `Ok`, with `null` for each attribute.
    Pass,
}

/// A variable whose value can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: found {found}; accepted: {accepted}")]
pub struct ConfigError {
    /// The variable's name.
    variable: &'static str,
    /// The value as found, or what may be said of it.
    found: String,
    /// What the variable takes.
    accepted: String,
}

const ATTRIBUTES: &str = "goodevil,lawchaos,species";
const CLICK_FIELDS: &str = "userId,mysfitId";
const NAMES: &str = "a comma-separated list of up to 32 different names, each 1 to 64 characters of [A-Za-z0-9_-]";
const MAX_NAMES: usize = 32;
const MAX_NAME_LEN: usize = 64;
const MAX_SHOWN_CHARS: usize = 200;

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

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable whose value can't be used, or that is required and missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// Reads the variables that `lookup` knows.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let env = Env(lookup);
        let config = Self {
            mysfits_api_url: env.base_url("MYSFITS_API_URL")?,
            mysfit_attributes: env.names("MYSFIT_ATTRIBUTES", ATTRIBUTES)?,
            click_fields: env.names("CLICK_FIELDS", CLICK_FIELDS)?,
            record_fields: env.record_fields("RECORD_FIELDS")?,
            partition_keys: env.names("PARTITION_KEYS", "")?,
            lookup: env.choice("MYSFITS_LOOKUP", &[("catalogue", Lookup::Catalogue), ("item", Lookup::Item)])?,
            cache: Duration::from_secs(env.number("MYSFITS_CACHE_SECONDS", 300, 0, 86_400)?),
            stale: Duration::from_secs(env.number("MYSFITS_STALE_SECONDS", 86_400, 0, 604_800)?),
            timeout: Duration::from_millis(env.number("MYSFITS_TIMEOUT_MS", 2_000, 1, 60_000)?),
            concurrency: usize::try_from(env.number("MYSFITS_CONCURRENCY", 32, 1, 256)?).unwrap_or(usize::MAX),
            api_key: env.api_key("MYSFITS_API_KEY")?,
            on_unknown_mysfit: env.choice(
                "ON_UNKNOWN_MYSFIT",
                &[("fail", OnUnknownMysfit::Fail), ("drop", OnUnknownMysfit::Drop), ("pass", OnUnknownMysfit::Pass)],
            )?,
            on_service_unavailable: env.choice(
                "ON_SERVICE_UNAVAILABLE",
                &[
                    ("retry", OnServiceUnavailable::Retry),
                    ("fail", OnServiceUnavailable::Fail),
                    ("pass", OnServiceUnavailable::Pass),
                ],
            )?,
            extra_roots: env.text("SSL_CERT_FILE")?.map(PathBuf::from),
        };
        config.check_output_fields()?;
        Ok(config)
    }

    /// Whether the key goes over a network without TLS.
    #[must_use]
    pub fn sends_key_in_the_clear(&self) -> bool {
        let host = self.mysfits_api_url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        self.api_key.is_some() && self.mysfits_api_url.scheme() == "http" && !is_here
    }

    /// The names of a line's fields, in order.
    pub fn output_fields(&self) -> impl Iterator<Item = &str> {
        let click = self.click_fields.iter().map(String::as_str);
        let mysfit = self.mysfit_attributes.iter().map(String::as_str);
        click.chain(mysfit).chain(self.record_fields.iter().map(|field| field.name()))
    }

    fn check_output_fields(&self) -> Result<(), ConfigError> {
        // Hive and Athena fold the names of columns to lower case (Amazon Athena User Guide, "Name databases, tables, and
        // columns"), so an object with "Species" and "species" has a column twice.
        let mut seen = HashMap::new();
        for name in self.output_fields() {
            if let Some(same) = seen.insert(name.to_ascii_lowercase(), name) {
                return Err(ConfigError {
                    variable: "CLICK_FIELDS, MYSFIT_ATTRIBUTES and RECORD_FIELDS",
                    found: format!("\"{same}\" and \"{name}\""),
                    accepted: "output fields whose names differ in more than case".to_owned(),
                });
            }
        }
        if let Some(missing) = self.partition_keys.iter().find(|key| !self.output_fields().any(|name| name == *key)) {
            return Err(ConfigError {
                variable: "PARTITION_KEYS",
                found: format!("\"{missing}\", which is no output field"),
                accepted: format!("names out of {}", self.output_fields().collect::<Vec<_>>().join(", ")),
            });
        }
        Ok(())
    }
}

/// The variables, by name.
struct Env<L>(L);

impl<L: Fn(&str) -> Option<OsString>> Env<L> {
    fn text(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        match self.0(variable).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Err(_)) => Err(ConfigError {
                variable,
                found: "a value that is not UTF-8".to_owned(),
                accepted: "UTF-8 text".to_owned(),
            }),
        }
    }

    fn number(&self, variable: &'static str, default: u64, min: u64, max: u64) -> Result<u64, ConfigError> {
        let Some(text) = self.text(variable)? else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| bad(variable, &text, format!("a whole number from {min} to {max}")))
    }

    /// One of `choices`, the first of which is the default.
    fn choice<T: Copy>(&self, variable: &'static str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = self.text(variable)?;
        let wanted = text.as_deref().unwrap_or(choices[0].0);
        let chosen = choices.iter().find(|(name, _)| *name == wanted).map(|(_, choice)| *choice);
        chosen.ok_or_else(|| bad(variable, wanted, one_of(choices)))
    }

    fn names(&self, variable: &'static str, default: &str) -> Result<Vec<String>, ConfigError> {
        let text = self.text(variable)?;
        let text = text.as_deref().unwrap_or(default);
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        // Attributes are matched without regard to case, so that two names that differ in case alone would be one.
        let different: HashSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let usable =
            names.len() <= MAX_NAMES && different.len() == names.len() && names.iter().all(|name| is_name(name));
        usable.then_some(names).ok_or_else(|| bad(variable, text, NAMES))
    }

    fn record_fields(&self, variable: &'static str) -> Result<Vec<RecordField>, ConfigError> {
        let Some(text) = self.text(variable)? else { return Ok(Vec::new()) };
        let field =
            |name: &str| RecordField::ALL.iter().find(|(known, _)| *known == name.trim()).map(|(_, field)| *field);
        let fields: Option<Vec<RecordField>> = text.split(',').map(field).collect();
        fields.ok_or_else(|| bad(variable, &text, format!("a comma-separated list of {}", one_of(&RecordField::ALL))))
    }

    fn base_url(&self, variable: &'static str) -> Result<Url, ConfigError> {
        const ACCEPTED: &str = "an http or https URL with a host, and no user, query or fragment, such as \
                                https://ID.execute-api.REGION.amazonaws.com/prod";
        let unusable = |found: &str| ConfigError { variable, found: found.to_owned(), accepted: ACCEPTED.to_owned() };
        let text = self.text(variable)?.ok_or_else(|| unusable("no value"))?;
        if text.contains(['@', '?']) {
            return Err(unusable("a value with a user, a password or a query (not shown)"));
        }
        let url = Url::parse(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none());
        url.ok_or_else(|| bad(variable, &text, ACCEPTED))
    }

    fn api_key(&self, variable: &'static str) -> Result<Option<HeaderValue>, ConfigError> {
        let Some(text) = self.text(variable)? else {
            return Ok(None);
        };
        let mut key = HeaderValue::from_str(&text).map_err(|_| ConfigError {
            variable,
            found: "a value with characters that no HTTP header can carry (not shown)".to_owned(),
            accepted: "visible ASCII characters".to_owned(),
        })?;
        key.set_sensitive(true);
        Ok(Some(key))
    }
}

fn bad(variable: &'static str, found: &str, accepted: impl fmt::Display) -> ConfigError {
    let shown: String = found.chars().take(MAX_SHOWN_CHARS).collect();
    ConfigError { variable, found: format!("{shown:?}"), accepted: accepted.to_string() }
}

fn one_of<T>(choices: &[(&str, T)]) -> String {
    choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: (&str, &str) = ("MYSFITS_API_URL", "https://example.com/prod/");

    fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        Config::from_lookup(|name| variables.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn defaults() {
        let config = config(&[URL]).unwrap();
        assert_eq!(
            config.output_fields().collect::<Vec<_>>(),
            ["userId", "mysfitId", "goodevil", "lawchaos", "species"]
        );
        assert_eq!((config.partition_keys.len(), config.lookup), (0, Lookup::Catalogue));
        assert_eq!((config.cache, config.stale), (Duration::from_secs(300), Duration::from_secs(86_400)));
        assert_eq!((config.timeout, config.concurrency), (Duration::from_secs(2), 32));
        assert_eq!(config.api_key, None);
        assert_eq!(config.on_unknown_mysfit, OnUnknownMysfit::Fail);
        assert_eq!(config.on_service_unavailable, OnServiceUnavailable::Retry);
    }

    #[test]
    fn an_empty_value_is_no_value() {
        let empty = [URL, ("MYSFIT_ATTRIBUTES", ""), ("MYSFITS_CACHE_SECONDS", ""), ("MYSFITS_API_KEY", "")];
        let config = config(&empty).unwrap();
        assert_eq!((config.mysfit_attributes.len(), config.cache.as_secs(), config.api_key), (3, 300, None));
    }

    #[test]
    fn values_are_read() {
        let config = config(&[
            ("MYSFITS_API_URL", "http://127.0.0.1:8080"),
            ("MYSFIT_ATTRIBUTES", "GoodEvil, age"),
            ("CLICK_FIELDS", "mysfitId,userId,page"),
            ("RECORD_FIELDS", "recordId,arrivedAt"),
            ("PARTITION_KEYS", "GoodEvil,arrivedAt"),
            ("MYSFITS_LOOKUP", "item"),
            ("ON_UNKNOWN_MYSFIT", "drop"),
            ("ON_SERVICE_UNAVAILABLE", "pass"),
        ])
        .unwrap();
        let fields: Vec<_> = config.output_fields().collect();
        assert_eq!(fields, ["mysfitId", "userId", "page", "GoodEvil", "age", "recordId", "arrivedAt"]);
        assert_eq!(config.lookup, Lookup::Item);
        assert_eq!(config.on_unknown_mysfit, OnUnknownMysfit::Drop);
        assert_eq!(config.on_service_unavailable, OnServiceUnavailable::Pass);
    }

    #[test]
    fn a_bad_value_is_told_with_its_variable_and_what_is_accepted() {
        let long = "x".repeat(65);
        for (variable, value, accepted) in [
            ("MYSFITS_API_URL", "", "an http or https URL"),
            ("MYSFITS_API_URL", "example.com", "an http or https URL"),
            ("MYSFITS_API_URL", "ftp://example.com", "an http or https URL"),
            ("MYSFITS_API_URL", "file:///etc/passwd", "an http or https URL"),
            ("MYSFITS_API_URL", "https://example.com/?stage=prod", "an http or https URL"),
            ("MYSFITS_API_URL", "https://example.com/#prod", "an http or https URL"),
            ("MYSFIT_ATTRIBUTES", "species,,age", NAMES),
            ("MYSFIT_ATTRIBUTES", "species,Species", NAMES),
            ("MYSFIT_ATTRIBUTES", "good evil", NAMES),
            ("CLICK_FIELDS", "user\"Id", NAMES),
            ("CLICK_FIELDS", &long, NAMES),
            ("CLICK_FIELDS", "userId,mysfitId,species", "names differ in more than case"),
            ("CLICK_FIELDS", "userId,mysfitId,Species", "names differ in more than case"),
            ("MYSFIT_ATTRIBUTES", "species,USERID", "names differ in more than case"),
            ("RECORD_FIELDS", "arrivedat", "arrivedAt, recordId"),
            ("RECORD_FIELDS", "arrived at,", "arrivedAt, recordId"),
            ("RECORD_FIELDS", "recordId,recordId", "names differ in more than case"),
            ("PARTITION_KEYS", "genus", "userId, mysfitId, goodevil, lawchaos, species"),
            ("PARTITION_KEYS", "Species", "userId, mysfitId, goodevil, lawchaos, species"),
            ("MYSFITS_LOOKUP", "Item", "catalogue, item"),
            ("MYSFITS_CACHE_SECONDS", "-1", "a whole number from 0 to 86400"),
            ("MYSFITS_STALE_SECONDS", "604801", "a whole number from 0 to 604800"),
            ("MYSFITS_TIMEOUT_MS", "2s", "a whole number from 1 to 60000"),
            ("MYSFITS_CONCURRENCY", "0", "a whole number from 1 to 256"),
            ("MYSFITS_API_KEY", "a\nb", "visible ASCII characters"),
            ("ON_UNKNOWN_MYSFIT", "ignore", "fail, drop, pass"),
            ("ON_SERVICE_UNAVAILABLE", "drop", "retry, fail, pass"),
        ] {
            let message = config(&[URL, (variable, value)]).unwrap_err().to_string();
            assert!(message.contains(variable), "{variable}={value}: {message}");
            assert!(message.contains(accepted), "{variable}={value}: {message}");
        }
    }

    #[test]
    fn output_fields_differ_in_more_than_case() {
        for (variables, found) in [
            (vec![("CLICK_FIELDS", "userId,mysfitId,Species")], r#""Species" and "species""#),
            (vec![("MYSFIT_ATTRIBUTES", "species,mysfitid")], r#""mysfitId" and "mysfitid""#),
            (vec![("CLICK_FIELDS", "ArrivedAt"), ("RECORD_FIELDS", "arrivedAt")], r#""ArrivedAt" and "arrivedAt""#),
            (vec![("MYSFIT_ATTRIBUTES", "RECORDID"), ("RECORD_FIELDS", "recordId")], r#""RECORDID" and "recordId""#),
            (vec![("RECORD_FIELDS", "recordId,recordId")], r#""recordId" and "recordId""#),
        ] {
            let message = config(&[vec![URL], variables].concat()).unwrap_err().to_string();
            assert_eq!(
                message,
                format!(
                    "CLICK_FIELDS, MYSFIT_ATTRIBUTES and RECORD_FIELDS: found {found}; \
                     accepted: output fields whose names differ in more than case"
                )
            );
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        for (variable, value) in [
            ("MYSFITS_API_URL", "https://user:hunter2@example.com/"),
            ("MYSFITS_API_URL", "https://user:hunter2@/"),
            ("MYSFITS_API_URL", "user:hunter2@example.com"),
            ("MYSFITS_API_URL", "https://user:hunter2@exa mple.com"),
            ("MYSFITS_API_URL", "https://example.com/?key=hunter2"),
            ("MYSFITS_API_KEY", "hunter2\n"),
        ] {
            let message = config(&[URL, (variable, value)]).unwrap_err().to_string();
            assert!(!message.contains("hunter2") && message.contains("not shown"), "{message}");
        }
        let shown = format!("{:?}", config(&[URL, ("MYSFITS_API_KEY", "hunter2")]).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_key_in_the_clear_is_noticed() {
        for (url, in_the_clear) in [
            ("http://mysfits.example", true),
            ("https://mysfits.example", false),
            ("http://localhost:8080", false),
            ("http://127.0.0.1", false),
            ("http://[::1]/prod", false),
        ] {
            let config = config(&[("MYSFITS_API_URL", url), ("MYSFITS_API_KEY", "k")]).unwrap();
            assert_eq!(config.sends_key_in_the_clear(), in_the_clear, "{url}");
        }
        assert!(!config(&[("MYSFITS_API_URL", "http://mysfits.example")]).unwrap().sends_key_in_the_clear());
    }

    #[test]
    fn names_are_bounded_in_number_and_a_long_value_is_cut() {
        let names = |count: usize| (0..count).map(|index| format!("n{index}")).collect::<Vec<_>>().join(",");
        assert!(config(&[URL, ("CLICK_FIELDS", &names(32))]).is_ok());
        assert!(config(&[URL, ("CLICK_FIELDS", &names(33))]).is_err());
        assert!(config(&[URL, ("CLICK_FIELDS", &format!("a-b_c,{}", "x".repeat(64)))]).is_ok());
        let message = config(&[URL, ("MYSFITS_LOOKUP", &"x".repeat(10_000))]).unwrap_err().to_string();
        assert!(message.len() < 300, "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_text_is_told() {
        use std::os::unix::ffi::OsStringExt;
        let bytes = OsString::from_vec(vec![0xff]);
        let message = Config::from_lookup(|_| Some(bytes.clone())).unwrap_err().to_string();
        assert!(message.starts_with("MYSFITS_API_URL: found a value that is not UTF-8"), "{message}");
    }
}
