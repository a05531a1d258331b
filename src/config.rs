//! The configuration: every environment variable with its meaning, default and bounds.
//!
//! A variable that is set to the empty string counts as not set, because templates write optional values that way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use service_kit::env::{Env, VariableError};

/// What the function does, and how; see `docs/configuration.md`.
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
    /// [`VariableError`] for the first variable whose value can't be used, or that is required and missing.
    pub fn from_env() -> Result<Self, VariableError> {
        Self::read(&Env::of_process())
    }

    /// Reads the variables of `env`.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn read(env: &Env) -> Result<Self, VariableError> {
        let config = Self {
            mysfits_api_url: base_url(env, "MYSFITS_API_URL")?,
            mysfit_attributes: env.list_of_names("MYSFIT_ATTRIBUTES", ATTRIBUTES)?,
            click_fields: env.list_of_names("CLICK_FIELDS", CLICK_FIELDS)?,
            record_fields: env.choices("RECORD_FIELDS", &RecordField::ALL)?,
            partition_keys: env.list_of_names("PARTITION_KEYS", "")?,
            lookup: env.choice("MYSFITS_LOOKUP", &[("catalogue", Lookup::Catalogue), ("item", Lookup::Item)])?,
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

    fn check_output_fields(&self) -> Result<(), VariableError> {
        // Hive and Athena fold the names of columns to lower case (Amazon Athena User Guide, "Name databases, tables, and
        // columns"), so an object with "Species" and "species" has a column twice.
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
                format!("\"{missing}\", which is no output field"),
                format!("names out of {}", self.output_fields().collect::<Vec<_>>().join(", ")),
            ));
        }
        Ok(())
    }
}

fn base_url(env: &Env, variable: &'static str) -> Result<Url, VariableError> {
    const ACCEPTED: &str = "an http or https URL with a host, and no user, query or fragment, such as \
                            https://ID.execute-api.REGION.amazonaws.com/prod";
    let unusable = |found: &str| VariableError::new(variable, found, ACCEPTED);
    let text = env.text(variable)?.ok_or_else(|| unusable("no value"))?;
    if text.contains(['@', '?']) {
        return Err(unusable("a value with a user, a password or a query (not shown)"));
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
            "a value with characters that no HTTP header can carry (not shown)",
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
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;
        let bytes = OsString::from_vec(vec![0xff]);
        let message = Config::read(&Env::from_iter([("MYSFITS_API_URL", bytes)])).unwrap_err().to_string();
        assert!(message.starts_with("MYSFITS_API_URL: found a value that is not UTF-8"), "{message}");
    }
}
