//! The stream that records are put into, and what its responses mean: a delivery stream, or a data stream.

mod firehose;
mod kinesis;

use std::error::Error;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_firehose::config::Credentials;
use aws_sdk_firehose::config::http::HttpResponse;
use aws_sdk_firehose::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use firehose_model::excerpt::excerpt;
use firehose_model::source::{MAX_KINESIS_RECORD_BYTES, MAX_RECORD_BYTES};
use serde::de::DeserializeOwned;
use url::Url;

use self::firehose::Firehose;
use self::kinesis::Kinesis;
use crate::record::Corrupt;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// 4 MiB over 1 Mbit/s. The service may store a call that timed out.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

const MESSAGE_CHARS: usize = 300;

/// The default region and credentials of a service on this machine, as in LocalStack's documentation.
const LOCAL: (&str, &str) = ("us-east-1", "test");

/// Codes with a status of 4xx that are worth a retry ("PutRecordBatch", Amazon Data Firehose API Reference, and "PutRecords", Amazon
/// Kinesis Data Streams API Reference: "Errors", and "Common Errors" of both). With each of them, nothing was stored.
const RETRYABLE: [&str; 7] = [
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
];

/// Why a stream can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("no region is set; accepted is the stream's, such as us-east-1 (AWS_REGION)")]
    NoRegion,
    #[error("{target}: no such stream; accepted is the name of an existing one (`{option}`)")]
    Missing { target: String, option: &'static str },
    /// `PutRecordBatch` needs a stream with Direct PUT (Amazon Data Firehose API Reference).
    #[error(
        "{target}: the stream's source is {found}; accepted is Direct PUT. If it reads a data stream, put the records into that: \
         `--data-stream NAME` instead of `--stream`"
    )]
    NotDirectPut { target: String, found: String },
    #[error("{target}: the stream is {found}; accepted is ACTIVE")]
    NotActive { target: String, found: String },
    #[error("{target}: could not describe the stream: {cause}")]
    Describe { target: String, cause: String },
}

impl TargetError {
    /// Whether the options or the environment are wrong.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Describe { .. })
    }
}

/// The stream that records are put into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamRef {
    /// A delivery stream with Direct PUT.
    Delivery(String),
    /// A data stream.
    Data {
        /// Its name.
        name: String,
        /// The field of a record's JSON object that is its partition key.
        partition_key_field: Option<String>,
    },
}

#[derive(Debug)]
pub(super) struct Target {
    service: Service,
    place: String,
}

#[derive(Debug)]
enum Service {
    Firehose(Firehose),
    Kinesis(Kinesis),
}

#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) data: Vec<u8>,
    /// Empty for a delivery stream.
    pub(super) partition_key: String,
}

impl Outgoing {
    /// Its share of a call's limit of bytes.
    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

#[derive(Debug)]
struct StreamDescription {
    arn: String,
    status: String,
    max_record_bytes: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum PutOutcome {
    /// All records are stored, except for those at these indices. The code is that of the last refused record.
    Stored { refused: Vec<usize>, code: Option<String> },
    /// Nothing is stored; a retry may succeed.
    Refused(String),
    /// Nothing is stored; a retry is useless.
    Failed(String),
    /// The records may be stored.
    Unknown(String),
}

impl Target {
    /// A client with the region, credentials and endpoint of the environment, as AWS SDKs read it. It does not retry, because that may
    /// put records twice.
    pub(super) async fn new(stream: &StreamRef, endpoint: Option<&str>) -> Result<Self, TargetError> {
        let variable = match stream {
            StreamRef::Delivery(_) => "AWS_ENDPOINT_URL_FIREHOSE",
            StreamRef::Data { .. } => "AWS_ENDPOINT_URL_KINESIS",
        };
        let (config, place) = load(endpoint, variable).await?;
        let service = match stream {
            StreamRef::Delivery(name) => Service::Firehose(Firehose::new(&config, name)),
            StreamRef::Data { name, partition_key_field } => {
                Service::Kinesis(Kinesis::new(&config, name, partition_key_field.as_deref()))
            }
        };
        Ok(Self { service, place })
    }

    /// The stream's name and its region, or its address if the service is not AWS. `@kinesis` distinguishes a data stream from a
    /// delivery stream of the same name.
    pub(super) fn name(&self) -> String {
        match &self.service {
            Service::Firehose(firehose) => format!("{}@{}", firehose.stream, self.place),
            Service::Kinesis(kinesis) => format!("{}@kinesis@{}", kinesis.stream, self.place),
        }
    }

    /// Checks that the stream accepts records. Returns its unique identity, and its largest record with the partition key.
    pub(super) async fn check(&self) -> Result<(String, usize), TargetError> {
        let target = self.name();
        let (found, active) = match &self.service {
            Service::Firehose(firehose) => (firehose.describe(&target).await?, firehose::ACTIVE),
            Service::Kinesis(kinesis) => (kinesis.describe(&target).await?, kinesis::ACTIVE),
        };
        if !active.contains(&found.status.as_str()) {
            return Err(TargetError::NotActive { target, found: shown(&found.status) });
        }
        // The journal identifies the stream by it.
        if found.arn.is_empty() {
            return Err(TargetError::Describe { target, cause: "the response has no ARN".to_owned() });
        }
        Ok((format!("{} ({})", shown(&found.arn), self.place), found.max_record_bytes))
    }

    pub(super) fn outgoing(&self, data: Vec<u8>) -> Outgoing {
        let partition_key = match &self.service {
            Service::Firehose(_) => String::new(),
            Service::Kinesis(kinesis) => kinesis.partition_key(&data),
        };
        Outgoing { data, partition_key }
    }

    /// The largest record that any stream of the service accepts, with its partition key.
    pub(super) fn max_record_bytes(&self) -> usize {
        match &self.service {
            Service::Firehose(_) => MAX_RECORD_BYTES,
            Service::Kinesis(_) => MAX_KINESIS_RECORD_BYTES,
        }
    }

    /// Checks a record's size, with its partition key.
    pub(super) fn check_size(&self, data: &[u8], most: usize) -> Result<(), Corrupt> {
        let key = match &self.service {
            Service::Firehose(_) => 0,
            Service::Kinesis(kinesis) => kinesis.partition_key(data).len(),
        };
        check_size(self.service(), data.len() + key, most)
    }

    pub(super) fn max_call_bytes(&self) -> usize {
        match &self.service {
            Service::Firehose(_) => firehose::MAX_CALL_BYTES,
            Service::Kinesis(_) => kinesis::MAX_CALL_BYTES,
        }
    }

    pub(super) async fn put(&self, records: impl Iterator<Item = Outgoing>) -> PutOutcome {
        match &self.service {
            Service::Firehose(firehose) => firehose.put(records).await,
            Service::Kinesis(kinesis) => kinesis.put(records).await,
        }
    }

    pub(super) fn service(&self) -> &'static str {
        match &self.service {
            Service::Firehose(_) => "Firehose",
            Service::Kinesis(_) => "Kinesis",
        }
    }
}

pub(super) fn check_size(service: &'static str, bytes: usize, most: usize) -> Result<(), Corrupt> {
    if bytes > most { Err(Corrupt::TooLarge { bytes, service, most }) } else { Ok(()) }
}

/// The client's configuration, and the place of the service: its region, or the address of another service than AWS.
async fn load(endpoint: Option<&str>, variable: &str) -> Result<(SdkConfig, String), TargetError> {
    // It may be installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(CALL_TIMEOUT).build();
    let mut config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    let named = endpoint.map(str::to_owned).or_else(|| endpoint_of_environment(variable));
    if let Some(endpoint) = &named {
        config = config.endpoint_url(endpoint);
    }
    let is_local = named.as_deref().and_then(CustomEndpoint::of).is_some_and(|endpoint| endpoint.is_local);
    if is_local && env_is_unset("AWS_ACCESS_KEY_ID") {
        config =
            config.credentials_provider(Credentials::new(LOCAL.1, LOCAL.1, None, None, "default of a local service"));
    }
    let config = config.load().await;
    let custom = named.as_deref().or(config.endpoint_url()).and_then(CustomEndpoint::of);
    let region = config.region().map(|region| region.as_ref().to_owned()).filter(|region| !region.is_empty());
    let region = region.or_else(|| custom.as_ref().map(|_| LOCAL.0.to_owned())).ok_or(TargetError::NoRegion)?;
    let place = custom.map_or_else(|| region.clone(), |endpoint| endpoint.place);
    Ok((config.into_builder().region(Region::new(region)).build(), place))
}

/// The description in a response. The SDK requires each field of a service's model, and emulators omit some.
fn described<T: DeserializeOwned, O, E: Error + ProvideErrorMetadata + 'static>(
    sent: Result<O, SdkError<E, HttpResponse>>,
    description: impl FnOnce(O) -> Option<T>,
    target: String,
    option: &'static str,
) -> Result<T, TargetError> {
    let cause = match sent {
        Ok(output) => match description(output) {
            Some(description) => return Ok(description),
            None => "the response has no description".to_owned(),
        },
        Err(error) if error.code() == Some("ResourceNotFoundException") => {
            return Err(TargetError::Missing { target, option });
        }
        Err(error) => match minimal(&error) {
            Some(description) => return Ok(description),
            None => cause(&error),
        },
    };
    Err(TargetError::Describe { target, cause })
}

fn minimal<T: DeserializeOwned, E>(error: &SdkError<E, HttpResponse>) -> Option<T> {
    let SdkError::ResponseError(response) = error else { return None };
    let response = Some(response.raw()).filter(|response| response.status().is_success())?;
    serde_json::from_slice(response.body().bytes()?).ok()
}

/// The outcome of a call by each entry's id or error code. Some emulators send both, one of them empty.
fn stored<'a>(entries: impl ExactSizeIterator<Item = (Option<&'a str>, Option<&'a str>)>, count: usize) -> PutOutcome {
    if entries.len() != count {
        return PutOutcome::Unknown(format!("the response has {} results for {count} records", entries.len()));
    }
    let (mut refused, mut last_code) = (Vec::new(), None);
    for (index, (id, code)) in entries.enumerate() {
        match (id.filter(|id| !id.is_empty()), code.filter(|code| !code.is_empty())) {
            (Some(_), None) => {}
            (None, Some(code)) => {
                refused.push(index);
                last_code = Some(shown(code));
            }
            (None, None) => return PutOutcome::Unknown("the response has no result for a record".to_owned()),
            (Some(_), Some(code)) => {
                return PutOutcome::Unknown(format!(
                    "the response has an id and the error code {} for one record",
                    shown(code)
                ));
            }
        }
    }
    PutOutcome::Stored { refused, code: last_code }
}

/// The endpoint by the service's variable or the general one (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
fn endpoint_of_environment(of_service: &str) -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    [of_service, "AWS_ENDPOINT_URL"].into_iter().find_map(variable)
}

/// Records may be stored unless the error says otherwise.
fn outcome_of<E: Error + ProvideErrorMetadata + 'static>(error: &SdkError<E, HttpResponse>) -> PutOutcome {
    let why = cause(error);
    match error {
        SdkError::ConstructionFailure(_) => PutOutcome::Failed(why),
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            match service.raw().status().as_u16() {
                _ if RETRYABLE.contains(&code) => PutOutcome::Refused(why),
                408 | 500.. => PutOutcome::Unknown(why),
                _ => PutOutcome::Failed(why),
            }
        }
        // Of something between, which does not speak as Firehose does.
        SdkError::ResponseError(answer) if answer.raw().status().as_u16() == 429 => PutOutcome::Refused(why),
        SdkError::DispatchFailure(failure) if failure.as_connector_error().is_some_and(is_before_a_connection) => {
            PutOutcome::Refused(why)
        }
        _ => PutOutcome::Unknown(why),
    }
}

/// Whether no connection was made, so that nothing was sent.
fn is_before_a_connection(error: &ConnectorError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref().is_some_and(hyper_util::client::legacy::Error::is_connect) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The address of another service than AWS.
#[derive(Debug, PartialEq, Eq)]
struct CustomEndpoint {
    /// `HOST-PORT`, which a file's name can contain.
    place: String,
    is_local: bool,
}

impl CustomEndpoint {
    fn of(endpoint: &str) -> Option<Self> {
        let url = Url::parse(endpoint).ok()?;
        let host = url.host_str()?;
        if ["amazonaws.com", "amazonaws.com.cn", "api.aws"].into_iter().any(|domain| is_within(host, domain)) {
            return None;
        }
        let is_local = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        let host = if is_local { "localhost" } else { host };
        Some(Self { place: format!("{host}-{}", url.port_or_known_default()?), is_local })
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn env_is_unset(name: &str) -> bool {
    std::env::var_os(name).is_none_or(|value| value.is_empty())
}

/// A service's text, safe for a terminal.
fn shown(text: &str) -> String {
    excerpt(text, MESSAGE_CHARS)
}

fn cause<E: Error + ProvideErrorMetadata + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let text = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => match error.raw_response() {
            Some(raw) => format!("unreadable response with status {}", raw.status().as_u16()),
            None => causes(error),
        },
    };
    shown(&text)
}

fn causes(error: &(dyn Error + 'static)) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = error.source();
    }
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_stored_with_an_id_and_no_error_code() {
        let stored_but = |refused: &[usize]| PutOutcome::Stored {
            refused: refused.to_vec(),
            code: (!refused.is_empty()).then(|| "InternalFailure".to_owned()),
        };
        let unknown = |why: &str| PutOutcome::Unknown(why.to_owned());
        let failure = Some("InternalFailure");
        for (entries, expected) in [
            (&[(Some("1"), None), (Some("2"), None)][..], stored_but(&[])),
            (&[(Some("1"), None), (None, failure)], stored_but(&[1])),
            (&[(Some(""), failure), (Some("2"), Some(""))], stored_but(&[0])),
            (&[(Some("1"), None), (Some(""), None)], unknown("the response has no result for a record")),
            (&[(None, Some("")), (Some("2"), None)], unknown("the response has no result for a record")),
            (
                &[(None, failure), (Some("2"), failure)],
                unknown("the response has an id and the error code InternalFailure for one record"),
            ),
            (&[(Some("1"), None)], unknown("the response has 1 results for 2 records")),
        ] {
            assert_eq!(stored(entries.iter().copied(), 2), expected, "{entries:?}");
        }
    }

    #[test]
    fn a_custom_endpoint_is_identified_by_its_address() {
        let custom = |place: &str, is_local| Some(CustomEndpoint { place: place.to_owned(), is_local });
        for (endpoint, expected) in [
            ("http://127.0.0.1:8001", custom("localhost-8001", true)),
            ("http://localhost:8001/", custom("localhost-8001", true)),
            ("http://[::1]:8001", custom("localhost-8001", true)),
            ("https://firehose.test", custom("firehose.test-443", false)),
            ("https://firehose.eu-west-1.amazonaws.com", None),
            ("https://vpce-1.firehose.eu-west-1.vpce.amazonaws.com", None),
            ("https://notamazonaws.com", custom("notamazonaws.com-443", false)),
        ] {
            assert_eq!(CustomEndpoint::of(endpoint), expected, "{endpoint}");
        }
    }
}
