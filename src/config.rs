//! The configuration: every environment variable of the processor with its meaning, default and limits. The runtime, the logs and
//! the HTTP client read further ones: see `docs/configuration.md`.
//!
//! An empty variable counts as not set, because templates write optional values that way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use service_kit::env::{Env, VariableError};

/// The processor's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `MYSFITS_API_URL`: the service's base URL.
    pub mysfits_api_url: Url,
    /// `MYSFIT_ATTRIBUTES`: names of the attributes to add, in order.
    pub mysfit_attributes: Vec<String>,
    /// `CLICK_FIELDS`: names of the click's fields to keep, in order.
    pub click_fields: Vec<String>,
    /// `RECORD_FIELDS`: the record's metadata to append to each line, in order.
    pub record_fields: Vec<RecordField>,
    /// `PARTITION_KEYS`: names of output fields that become `metadata.partitionKeys`.
    pub partition_keys: Vec<String>,
    /// `MYSFITS_LOOKUP`
    pub lookup_mode: LookupMode,
    /// `MYSFITS_CACHE_SECONDS`: how long a response of the service is fresh.
    pub cache: Duration,
    /// `MYSFITS_STALE_SECONDS`: for how long after that a stale value is served while the service is unavailable.
    pub stale: Duration,
    /// `MYSFITS_TIMEOUT_MS`: the time-out of one attempt.
    pub timeout: Duration,
    /// `MYSFITS_CONCURRENCY`: how many item requests may be in flight.
    pub concurrency: usize,
    /// `MYSFITS_API_KEY`: sent as `x-api-key`; marked sensitive, so that `Debug` hides it.
    pub api_key: Option<HeaderValue>,
    /// `ON_UNKNOWN_MYSFIT`
    pub on_unknown_mysfit: OnUnknownMysfit,
    /// `ON_SERVICE_UNAVAILABLE`
    pub on_service_unavailable: OnServiceUnavailable,
    /// `SSL_CERT_FILE`: PEM file with additional certificate authorities.
    pub extra_roots: Option<PathBuf>,
}

/// A field of the Firehose record that a line can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordField {
    /// When the record reached Firehose or its source stream: ISO 8601, UTC, with milliseconds; `null` if unknown.
    ArrivedAt,
    /// The record's id, or `null`.
    RecordId,
}

/// How mysfits are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupMode {
    /// One `GET /mysfits` for all.
    List,
    /// One `GET /mysfits/{id}` for each distinct id.
    Item,
}

/// The outcome of a record whose mysfit is unknown to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknownMysfit {
    /// `ProcessingFailed`: Firehose keeps the original.
    Fail,
    /// `Dropped`: Firehose discards the record.
    Drop,
    /// `Ok`, with `null` for each attribute.
    Pass,
}

/// The outcome of records while the service is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnServiceUnavailable {
    /// The invocation fails, so that Firehose retries the batch.
    Retry,
    /// `ProcessingFailed`: Firehose keeps the originals.
    Fail,
    /// `Ok`, with `null` for each attribute.
    Pass,
}

const ATTRIBUTES: &str = "goodevil,lawchaos,species";
const CLICK_FIELDS: &str = "userId,mysfitId";

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
    /// The first variable with an invalid value, or that is required and missing.
    pub fn from_env() -> Result<Self, VariableError> {
        Self::read(&Env::of_process())
    }

    /// Reads the variables of `env`.
    pub fn read(env: &Env) -> Result<Self, VariableError> {
        let config = Self {
            mysfits_api_url: base_url(env, "MYSFITS_API_URL")?,
            mysfit_attributes: env.list_of_names("MYSFIT_ATTRIBUTES", ATTRIBUTES)?,
            click_fields: env.list_of_names("CLICK_FIELDS", CLICK_FIELDS)?,
            record_fields: env.choices("RECORD_FIELDS", &RecordField::ALL)?,
            partition_keys: env.list_of_names("PARTITION_KEYS", "")?,
            lookup_mode: env
                .choice("MYSFITS_LOOKUP", &[("catalogue", LookupMode::List), ("item", LookupMode::Item)])?,
            cache: Duration::from_secs(env.number("MYSFITS_CACHE_SECONDS", 300, 0, 86_400)?),
            stale: Duration::from_secs(env.number("MYSFITS_STALE_SECONDS", 86_400, 0, 604_800)?),
            timeout: Duration::from_millis(env.number("MYSFITS_TIMEOUT_MS", 2_000, 1, 60_000)?),
            concurrency: usize::try_from(env.number("MYSFITS_CONCURRENCY", 32, 1, 256)?).unwrap_or(usize::MAX),
            api_key: api_key(env, "MYSFITS_API_KEY")?,
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

    /// Whether the API key is sent over a network without TLS.
    #[must_use]
    pub fn sends_key_without_tls(&self) -> bool {
        let host = self.mysfits_api_url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_loopback = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        self.api_key.is_some() && self.mysfits_api_url.scheme() == "http" && !is_loopback
    }

    /// The names of a line's fields, in order.
    pub fn output_fields(&self) -> impl Iterator<Item = &str> {
        let click = self.click_fields.iter().map(String::as_str);
        let mysfit = self.mysfit_attributes.iter().map(String::as_str);
        click.chain(mysfit).chain(self.record_fields.iter().map(|field| field.name()))
    }

    fn check_output_fields(&self) -> Result<(), VariableError> {
        // Hive and Athena fold column names to lower case (Amazon Athena User Guide, "Name databases, tables, and columns"), so "Species"
        // and "species" would be one column twice.
        let mut seen = HashMap::new();
        for name in self.output_fields() {
            if let Some(same) = seen.insert(name.to_ascii_lowercase(), name) {
                return Err(VariableError::new(
                    "CLICK_FIELDS, MYSFIT_ATTRIBUTES and RECORD_FIELDS",
                    format!("\"{same}\" and \"{name}\""),
                    "output fields whose names differ in more than case".to_owned(),
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

fn base_url(env: &Env, variable: &'static str) -> Result<Url, VariableError> {
    const ACCEPTED: &str = "an http or https URL with a host, and no user, query or fragment, such as \
                            https://ID.execute-api.REGION.amazonaws.com/prod";
    let invalid = |found: &str| VariableError::new(variable, found, ACCEPTED);
    let text = env.text(variable)?.ok_or_else(|| invalid("no value"))?;
    if text.contains(['@', '?']) {
        return Err(invalid("a value with a user, a password or a query (not shown)"));
    }
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none());
    url.ok_or_else(|| VariableError::of_value(variable, text, ACCEPTED))
}

fn api_key(env: &Env, variable: &'static str) -> Result<Option<HeaderValue>, VariableError> {
    let Some(text) = env.text(variable)? else {
        return Ok(None);
    };
    let mut key = HeaderValue::from_str(text).map_err(|_| {
        VariableError::new(
            variable,
            "a value with characters that are invalid in an HTTP header (not shown)",
            "visible ASCII characters",
        )
    })?;
    key.set_sensitive(true);
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use service_kit::env::NAMES;

    use super::*;

    const URL: (&str, &str) = ("MYSFITS_API_URL", "https://example.com/prod/");

    fn config(variables: &[(&str, &str)]) -> Result<Config, VariableError> {
        Config::read(&variables.iter().copied().collect())
    }

    #[test]
    fn defaults() {
        let config = config(&[URL]).unwrap();
        assert_eq!(
            config.output_fields().collect::<Vec<_>>(),
            ["userId", "mysfitId", "goodevil", "lawchaos", "species"]
        );
        assert_eq!((config.partition_keys.len(), config.lookup_mode), (0, LookupMode::List));
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
        assert_eq!(config.lookup_mode, LookupMode::Item);
        assert_eq!(config.on_unknown_mysfit, OnUnknownMysfit::Drop);
        assert_eq!(config.on_service_unavailable, OnServiceUnavailable::Pass);
    }

    #[test]
    fn an_invalid_value_is_reported_with_its_variable_and_what_is_accepted() {
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
    fn a_key_without_tls_is_detected() {
        for (url, without_tls) in [
            ("http://mysfits.example", true),
            ("https://mysfits.example", false),
            ("http://localhost:8080", false),
            ("http://127.0.0.1", false),
            ("http://[::1]/prod", false),
        ] {
            let config = config(&[("MYSFITS_API_URL", url), ("MYSFITS_API_KEY", "k")]).unwrap();
            assert_eq!(config.sends_key_without_tls(), without_tls, "{url}");
        }
        assert!(!config(&[("MYSFITS_API_URL", "http://mysfits.example")]).unwrap().sends_key_without_tls());
    }

    #[test]
    fn names_are_limited_in_number_and_a_long_value_is_truncated() {
        let names = |count: usize| (0..count).map(|index| format!("n{index}")).collect::<Vec<_>>().join(",");
        assert!(config(&[URL, ("CLICK_FIELDS", &names(32))]).is_ok());
        assert!(config(&[URL, ("CLICK_FIELDS", &names(33))]).is_err());
        assert!(config(&[URL, ("CLICK_FIELDS", &format!("a-b_c,{}", "x".repeat(64)))]).is_ok());
        let message = config(&[URL, ("MYSFITS_LOOKUP", &"x".repeat(10_000))]).unwrap_err().to_string();
        assert!(message.len() < 300, "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_reported() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;
        let bytes = OsString::from_vec(vec![0xff]);
        let message = Config::read(&Env::from_iter([("MYSFITS_API_URL", bytes)])).unwrap_err().to_string();
        assert!(message.starts_with("MYSFITS_API_URL: found a value that is not UTF-8"), "{message}");
    }
}
