//! The stream that records are put into, and what its answers mean: a delivery stream, or a data stream that one reads.

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
use serde::de::DeserializeOwned;
use url::Url;

use self::firehose::Firehose;
use self::kinesis::Kinesis;
use super::failed::Corrupt;
use firehose_model::batch::{MAX_KINESIS_RECORD_BYTES, MAX_RECORD_BYTES};
use firehose_model::excerpt::excerpt;

/// An address that answers at all does it within that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// 4 MiB over 1 Mbit/s. A call that is given up may be stored all the same.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest message of a service that is shown.
const MESSAGE_CHARS: usize = 300;

/// What a service on this machine is asked with where nobody says otherwise: what LocalStack's documentation has.
const LOCAL: (&str, &str) = ("us-east-1", "test");

/// Refusals with a status of 4xx that pass ("PutRecordBatch", Amazon Data Firehose API Reference, and "PutRecords", Amazon Kinesis
/// Data Streams API Reference: "Errors", and "Common Errors" of both). All say that nothing was stored.
const PASSING: [&str; 7] = [
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
];

/// The stream can't be put into.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// There is no address without it.
    #[error("found no region: set AWS_REGION to that of the stream, such as us-east-1")]
    NoRegion,
    /// There is no such stream here.
    #[error("{target}: found no such stream; accepted is the name of one (`{option}`)")]
    Missing {
        /// The stream and where it should be.
        target: String,
        /// By which it was named.
        option: &'static str,
    },
    /// A stream that reads from elsewhere takes no records ("PutRecordBatch", Amazon Data Firehose API Reference).
    #[error(
        "{target}: found a stream whose source is {found}; accepted is one with Direct PUT, as only that takes records. \
         Of one that reads a data stream, put into that: `--data-stream NAME` instead of `--stream`"
    )]
    NotDirectPut {
        /// The stream and where it is.
        target: String,
        /// What it reads.
        found: String,
    },
    /// It is being made or removed.
    #[error("{target}: found a stream that is {found}; accepted is one that is ACTIVE")]
    NotActive {
        /// The stream and where it is.
        target: String,
        /// In Firehose's words.
        found: String,
    },
    /// Nobody can tell.
    #[error("{target}: could not ask for the stream: {cause}")]
    Ask {
        /// The stream and where it should be.
        target: String,
        /// In one line.
        cause: String,
    },
}

impl TargetError {
    /// Whether the caller asked for something that can't be done.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Ask { .. })
    }
}

/// Into which stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamRef {
    /// A delivery stream with Direct PUT.
    Delivery(String),
    /// A data stream.
    Data {
        /// Its name.
        name: String,
        /// The field of a record's JSON that is its partition key.
        partition_key_field: Option<String>,
    },
}

/// The stream, with a client of its service.
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

/// A record as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    /// Its original bytes.
    pub(super) data: Vec<u8>,
    /// Empty for a delivery stream, which has none.
    pub(super) partition_key: String,
}

impl Outgoing {
    /// What it takes of a call.
    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

/// What a service says of a stream, as far as it is needed.
#[derive(Debug)]
struct Described {
    arn: String,
    status: String,
    max_record_bytes: usize,
}

/// What is known of a stream that takes records.
#[derive(Debug)]
pub(super) struct Checked {
    /// What tells it from any other.
    pub(super) identity: String,
    /// The largest record that it takes, with its partition key.
    pub(super) max_record_bytes: usize,
}

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The service has stored all records but these, by their index; the code of the last of them.
    Stored {
        /// In order.
        refused: Vec<usize>,
        /// Such as `ServiceUnavailableException`.
        code: Option<String>,
    },
    /// The service has stored nothing, and may do so later.
    Refused(String),
    /// The service has stored nothing, and will not.
    Failed(String),
    /// The service may have stored them, or not.
    Lost(String),
}

impl Target {
    /// The stream as the environment says, like every AWS tool reads it (region, credentials, `AWS_ENDPOINT_URL`), and
    /// `endpoint` for a service that is not AWS.
    ///
    /// The client tries each call once: a second time may put records twice, and so is not its to decide.
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

    /// The stream's name and where it is: its region, or the address of a service that is not AWS. No name has an `@`, so that a
    /// data stream is not taken for a delivery stream of its name.
    pub(super) fn name(&self) -> String {
        match &self.service {
            Service::Firehose(firehose) => format!("{}@{}", firehose.stream(), self.place),
            Service::Kinesis(kinesis) => format!("{}@kinesis@{}", kinesis.stream(), self.place),
        }
    }

    /// Finds out whether the stream takes records, before anything is written down.
    pub(super) async fn check(&self) -> Result<Checked, TargetError> {
        let target = self.name();
        let (found, active) = match &self.service {
            Service::Firehose(firehose) => (firehose.describe(&target).await?, firehose::ACTIVE),
            Service::Kinesis(kinesis) => (kinesis.describe(&target).await?, kinesis::ACTIVE),
        };
        if !active.contains(&found.status.as_str()) {
            return Err(TargetError::NotActive { target, found: told(&found.status) });
        }
        // By this the ledgers of two streams are told apart.
        if found.arn.is_empty() {
            return Err(TargetError::Ask { target, cause: "the answer has no ARN".to_owned() });
        }
        let identity = format!("{} ({})", told(&found.arn), self.place);
        Ok(Checked { identity, max_record_bytes: found.max_record_bytes })
    }

    /// A record with all that the service wants of it.
    pub(super) fn outgoing(&self, data: Vec<u8>) -> Outgoing {
        let partition_key = match &self.service {
            Service::Firehose(_) => String::new(),
            Service::Kinesis(kinesis) => kinesis.partition_key(&data),
        };
        Outgoing { data, partition_key }
    }

    /// The largest record that any stream of the service takes, with its partition key.
    pub(super) fn max_record_bytes(&self) -> usize {
        match &self.service {
            Service::Firehose(_) => MAX_RECORD_BYTES,
            Service::Kinesis(_) => MAX_KINESIS_RECORD_BYTES,
        }
    }

    /// Whether the stream takes a record of its size.
    pub(super) fn check_size(&self, data: &[u8], most: usize) -> Result<(), Corrupt> {
        let key = match &self.service {
            Service::Firehose(_) => 0,
            Service::Kinesis(kinesis) => kinesis.partition_key(data).len(),
        };
        check_size(self.service(), data.len() + key, most)
    }

    /// The most bytes of a call; the most records are 500 with both services.
    pub(super) fn max_call_bytes(&self) -> usize {
        match &self.service {
            Service::Firehose(_) => firehose::MAX_CALL_BYTES,
            Service::Kinesis(_) => kinesis::MAX_CALL_BYTES,
        }
    }

    /// One call.
    pub(super) async fn put(&self, records: impl Iterator<Item = Outgoing>) -> Answer {
        match &self.service {
            Service::Firehose(firehose) => firehose.put(records).await,
            Service::Kinesis(kinesis) => kinesis.put(records).await,
        }
    }

    /// In AWS' words.
    pub(super) fn service(&self) -> &'static str {
        match &self.service {
            Service::Firehose(_) => "Firehose",
            Service::Kinesis(_) => "Kinesis",
        }
    }
}

/// Whether a record of so many bytes is not too large.
pub(super) fn check_size(service: &'static str, bytes: usize, most: usize) -> Result<(), Corrupt> {
    if bytes > most { Err(Corrupt::TooLarge { bytes, service, most }) } else { Ok(()) }
}

/// How a service is reached, and the place of its streams.
async fn load(endpoint: Option<&str>, variable: &str) -> Result<(SdkConfig, String), TargetError> {
    // The one provider of this workspace; it may be installed already.
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
    let is_this_machine = named.as_deref().and_then(Elsewhere::of).is_some_and(|elsewhere| elsewhere.is_this_machine);
    if is_this_machine && env_is_unset("AWS_ACCESS_KEY_ID") {
        config = config.credentials_provider(Credentials::new(LOCAL.1, LOCAL.1, None, None, "none are set"));
    }
    let config = config.load().await;
    // None where AWS is meant, in whatever way it is reached: its streams are told apart by their ARN.
    let elsewhere = named.as_deref().or(config.endpoint_url()).and_then(Elsewhere::of);
    let region = config.region().map(|region| region.as_ref().to_owned()).filter(|region| !region.is_empty());
    let region = region.or_else(|| elsewhere.as_ref().map(|_| LOCAL.0.to_owned())).ok_or(TargetError::NoRegion)?;
    let place = elsewhere.map_or_else(|| region.clone(), |elsewhere| elsewhere.place);
    Ok((config.into_builder().region(Region::new(region)).build(), place))
}

/// What is needed of an answer that the SDK cannot read: it wants every field of a service's model, and the answers of emulators
/// have few of them.
fn minimal<T: DeserializeOwned, E>(error: &SdkError<E, HttpResponse>) -> Option<T> {
    let SdkError::ResponseError(answer) = error else { return None };
    let answer = Some(answer.raw()).filter(|answer| answer.status().is_success())?;
    serde_json::from_slice(answer.body().bytes()?).ok()
}

/// The outcome of each record of a call, in the records' order, by its entry's id and error code. An entry has exactly one of them;
/// one that is empty, as some emulators send it, is none.
fn stored<'a>(entries: impl ExactSizeIterator<Item = (Option<&'a str>, Option<&'a str>)>, count: usize) -> Answer {
    if entries.len() != count {
        return Answer::Lost(format!("the response has {} results for {count} records", entries.len()));
    }
    let (mut refused, mut last_code) = (Vec::new(), None);
    for (index, (id, code)) in entries.enumerate() {
        match (id.filter(|id| !id.is_empty()), code.filter(|code| !code.is_empty())) {
            (Some(_), None) => {}
            (None, Some(code)) => {
                refused.push(index);
                last_code = Some(told(code));
            }
            (None, None) => return Answer::Lost("the response has no result for a record".to_owned()),
            (Some(_), Some(code)) => {
                return Answer::Lost(format!(
                    "the response has an id and the error code {} for one record",
                    told(code)
                ));
            }
        }
    }
    Answer::Stored { refused, code: last_code }
}

/// The variables by which every SDK of AWS takes it, the first one first (AWS SDKs and Tools Reference Guide, "Service-specific
/// endpoints").
fn endpoint_of_environment(of_service: &str) -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    [of_service, "AWS_ENDPOINT_URL"].into_iter().find_map(variable)
}

/// What is not known to have been refused may have been stored.
fn judge<E: Error + ProvideErrorMetadata + 'static>(error: &SdkError<E, HttpResponse>) -> Answer {
    let told = cause(error);
    match error {
        SdkError::ConstructionFailure(_) => Answer::Failed(told),
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            match service.raw().status().as_u16() {
                _ if PASSING.contains(&code) => Answer::Refused(told),
                408 | 500.. => Answer::Lost(told),
                _ => Answer::Failed(told),
            }
        }
        // Of something between, which does not speak as Firehose does.
        SdkError::ResponseError(answer) if answer.raw().status().as_u16() == 429 => Answer::Refused(told),
        SdkError::DispatchFailure(failure) if failure.as_connector_error().is_some_and(is_before_a_connection) => {
            Answer::Refused(told)
        }
        _ => Answer::Lost(told),
    }
}

/// Whether there was nobody to send anything to: no address, no connection, no TLS.
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

/// A service that is not AWS.
#[derive(Debug, PartialEq, Eq)]
struct Elsewhere {
    /// Its address, in a form that a file's name may have.
    place: String,
    is_this_machine: bool,
}

impl Elsewhere {
    fn of(endpoint: &str) -> Option<Self> {
        let url = Url::parse(endpoint).ok()?;
        let host = url.host_str()?;
        if ["amazonaws.com", "amazonaws.com.cn", "api.aws"].into_iter().any(|domain| is_within(host, domain)) {
            return None;
        }
        let is_this_machine = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        let host = if is_this_machine { "localhost" } else { host };
        Some(Self { place: format!("{host}-{}", url.port_or_known_default()?), is_this_machine })
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn env_is_unset(name: &str) -> bool {
    std::env::var_os(name).is_none_or(|value| value.is_empty())
}

/// What a service says, for a terminal.
fn told(text: &str) -> String {
    excerpt(text, MESSAGE_CHARS)
}

/// An error in one line.
fn cause<E: Error + ProvideErrorMetadata + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let text = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => match error.raw_response() {
            Some(raw) => format!("found an answer with status {} that can't be read", raw.status().as_u16()),
            None => root(error),
        },
    };
    told(&text)
}

fn root(error: &(dyn Error + 'static)) -> String {
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
        let stored_but = |refused: &[usize]| Answer::Stored {
            refused: refused.to_vec(),
            code: (!refused.is_empty()).then(|| "InternalFailure".to_owned()),
        };
        let lost = |why: &str| Answer::Lost(why.to_owned());
        let failure = Some("InternalFailure");
        for (entries, expected) in [
            (&[(Some("1"), None), (Some("2"), None)][..], stored_but(&[])),
            (&[(Some("1"), None), (None, failure)], stored_but(&[1])),
            (&[(Some(""), failure), (Some("2"), Some(""))], stored_but(&[0])),
            (&[(Some("1"), None), (Some(""), None)], lost("the response has no result for a record")),
            (&[(None, Some("")), (Some("2"), None)], lost("the response has no result for a record")),
            (
                &[(None, failure), (Some("2"), failure)],
                lost("the response has an id and the error code InternalFailure for one record"),
            ),
            (&[(Some("1"), None)], lost("the response has 1 results for 2 records")),
        ] {
            assert_eq!(stored(entries.iter().copied(), 2), expected, "{entries:?}");
        }
    }

    #[test]
    fn a_service_that_is_not_aws_is_known_by_its_address() {
        let elsewhere = |place: &str, is_this_machine| Some(Elsewhere { place: place.to_owned(), is_this_machine });
        for (endpoint, expected) in [
            ("http://127.0.0.1:8001", elsewhere("localhost-8001", true)),
            ("http://localhost:8001/", elsewhere("localhost-8001", true)),
            ("http://[::1]:8001", elsewhere("localhost-8001", true)),
            ("https://firehose.test", elsewhere("firehose.test-443", false)),
            ("https://firehose.eu-west-1.amazonaws.com", None),
            ("https://vpce-1.firehose.eu-west-1.vpce.amazonaws.com", None),
            ("https://notamazonaws.com", elsewhere("notamazonaws.com-443", false)),
        ] {
            assert_eq!(Elsewhere::of(endpoint), expected, "{endpoint}");
        }
    }
}
