//! The stream that records are put into, and what its responses mean: a delivery stream, or a data stream.

mod connection;
mod firehose;
mod kinesis;

use std::error::Error;

use aws_sdk_firehose::config::http::HttpResponse;
use aws_sdk_firehose::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use firehose_model::excerpt::excerpt;
use serde::Deserialize;
use service_kit::count::{counted, records};

use crate::error::RedriveError;
use crate::record::Corrupt;

const MESSAGE_CHARS: usize = 300;

/// Codes of a 4xx after which nothing is stored and a retry may succeed ("Errors" and "Common Errors" of both API references).
const RETRYABLE: [&str; 7] = [
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
];

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
pub(super) struct Service {
    pub(super) name: &'static str,
    option: &'static str,
    endpoint_variable: &'static str,
    active: &'static [&'static str],
    /// With the partition key, for a stream whose description has no other.
    default_record_bytes: usize,
    pub(super) max_record_bytes: usize,
    pub(super) max_call_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Target {
    pub(super) service: &'static Service,
    client: Client,
    stream: String,
    partition_key_field: Option<String>,
    /// With the partition key. Until [`Target::check`], the most that any stream accepts.
    max_record_bytes: usize,
    /// The service's region, or its address if it is not AWS.
    place: String,
}

#[derive(Debug)]
enum Client {
    Firehose(aws_sdk_firehose::Client),
    Kinesis(aws_sdk_kinesis::Client),
}

#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) data: Vec<u8>,
    /// Empty for a delivery stream.
    pub(super) partition_key: String,
}

impl Outgoing {
    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

#[derive(Debug, Deserialize)]
struct Output {
    #[serde(alias = "DeliveryStreamDescription", alias = "StreamDescriptionSummary")]
    description: StreamDescription,
}

#[derive(Debug, Deserialize)]
struct StreamDescription {
    #[serde(alias = "DeliveryStreamARN", alias = "StreamARN")]
    arn: String,
    #[serde(alias = "DeliveryStreamStatus", alias = "StreamStatus")]
    status: String,
    #[serde(alias = "DeliveryStreamType")]
    source: Option<String>,
    #[serde(alias = "MaxRecordSizeInKiB")]
    max_record_kib: Option<i32>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum PutOutcome {
    /// `refused` has indices. The code is that of the last refused record.
    Stored { refused: Vec<usize>, code: Option<String> },
    /// Nothing is stored; a retry may succeed.
    Refused(String),
    /// Nothing is stored; a retry is useless.
    Failed(String),
    /// The records may be stored.
    Unknown(String),
}

impl Target {
    /// The client does not retry, because that may put records twice.
    pub(super) async fn new(stream: &StreamRef, endpoint: Option<&str>) -> Result<Self, RedriveError> {
        let (service, name, partition_key_field): (&'static Service, _, _) = match stream {
            StreamRef::Delivery(name) => (&firehose::SERVICE, name, None),
            StreamRef::Data { name, partition_key_field } => (&kinesis::SERVICE, name, partition_key_field.clone()),
        };
        let (config, place) = connection::load(endpoint, service.endpoint_variable).await?;
        let client = match stream {
            StreamRef::Delivery(_) => Client::Firehose(aws_sdk_firehose::Client::new(&config)),
            StreamRef::Data { .. } => Client::Kinesis(aws_sdk_kinesis::Client::new(&config)),
        };
        let max_record_bytes = service.max_record_bytes;
        Ok(Self { service, client, stream: name.clone(), partition_key_field, max_record_bytes, place })
    }

    /// `@kinesis` distinguishes a data stream from a delivery stream of the same name.
    pub(super) fn name(&self) -> String {
        let kind = if let Client::Kinesis(_) = self.client { "@kinesis" } else { "" };
        format!("{}{kind}@{}", self.stream, self.place)
    }

    /// Reads the stream's limit, and returns its unique identity.
    pub(super) async fn check(&mut self) -> Result<String, RedriveError> {
        let target = self.name();
        let found = match &self.client {
            Client::Firehose(client) => firehose::describe(client, self).await?,
            Client::Kinesis(client) => kinesis::describe(client, self).await?,
        };
        if let Some(source) = found.source.filter(|source| source != firehose::DIRECT_PUT) {
            // `PutRecordBatch` needs a stream with Direct PUT (Amazon Data Firehose API Reference).
            return Err(RedriveError::Usage(format!(
                "{target}: the stream's source is {}; accepted is Direct PUT. If it reads a data stream, put the records into \
                 that: `--data-stream NAME` instead of `--stream`",
                shown(&source)
            )));
        }
        if !self.service.active.contains(&found.status.as_str()) {
            let status = shown(&found.status);
            return Err(RedriveError::Usage(format!("{target}: the stream is {status}; accepted is ACTIVE")));
        }
        // The journal identifies the stream by it.
        if found.arn.is_empty() {
            return Err(not_described(&target, "the response has no ARN"));
        }
        let max_record_kib = found.max_record_kib.and_then(|kib| usize::try_from(kib).ok());
        self.max_record_bytes = max_record_kib.map_or(self.service.default_record_bytes, |kib| kib * 1024);
        Ok(format!("{} ({})", shown(&found.arn), self.place))
    }

    pub(super) fn outgoing(&self, data: Vec<u8>) -> Outgoing {
        Outgoing { partition_key: self.partition_key(&data), data }
    }

    fn partition_key(&self, data: &[u8]) -> String {
        if let Client::Firehose(_) = self.client {
            return String::new();
        }
        kinesis::partition_key(data, self.partition_key_field.as_deref())
    }

    pub(super) fn check_size(&self, data: &[u8]) -> Result<(), Corrupt> {
        check_size(self.service.name, data.len() + self.partition_key(data).len(), self.max_record_bytes)
    }

    pub(super) async fn put(&self, records: impl Iterator<Item = Outgoing>) -> PutOutcome {
        match &self.client {
            Client::Firehose(client) => firehose::put(client, &self.stream, records).await,
            Client::Kinesis(client) => kinesis::put(client, &self.stream, records).await,
        }
    }
}

pub(super) fn check_size(service: &'static str, bytes: usize, most: usize) -> Result<(), Corrupt> {
    if bytes > most { Err(Corrupt::TooLarge { bytes, service, most }) } else { Ok(()) }
}

fn not_described(target: &str, cause: &str) -> RedriveError {
    RedriveError::Failed(format!("{target}: could not describe the stream: {cause}"))
}

/// The SDK requires each field of a service's model, and emulators omit some.
fn described<O, E: Error + ProvideErrorMetadata + 'static>(
    sent: Result<O, SdkError<E, HttpResponse>>,
    description: impl FnOnce(O) -> Option<StreamDescription>,
    target: &Target,
) -> Result<StreamDescription, RedriveError> {
    let cause = match sent {
        Ok(output) => match description(output) {
            Some(description) => return Ok(description),
            None => "the response has no description".to_owned(),
        },
        Err(error) if error.code() == Some("ResourceNotFoundException") => {
            return Err(RedriveError::Usage(format!(
                "{}: no such stream; accepted is the name of an existing one (`{}`)",
                target.name(),
                target.service.option
            )));
        }
        Err(error) => match minimal(&error) {
            Some(Output { description }) => return Ok(description),
            None => cause(&error),
        },
    };
    Err(not_described(&target.name(), &cause))
}

fn minimal<E>(error: &SdkError<E, HttpResponse>) -> Option<Output> {
    let SdkError::ResponseError(response) = error else { return None };
    let response = Some(response.raw()).filter(|response| response.status().is_success())?;
    serde_json::from_slice(response.body().bytes()?).ok()
}

/// By each entry's id or error code. Some emulators send both, one of them empty.
fn stored<'a>(entries: impl ExactSizeIterator<Item = (Option<&'a str>, Option<&'a str>)>, count: usize) -> PutOutcome {
    if entries.len() != count {
        return PutOutcome::Unknown(format!(
            "the response has {} for {}",
            counted(entries.len() as u64, "result", "results"),
            records(count as u64)
        ));
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
        SdkError::ResponseError(response) if response.raw().status().as_u16() == 429 => PutOutcome::Refused(why),
        SdkError::DispatchFailure(failure) if failure.as_connector_error().is_some_and(is_before_a_connection) => {
            PutOutcome::Refused(why)
        }
        _ => PutOutcome::Unknown(why),
    }
}

/// Then nothing was sent.
fn is_before_a_connection(error: &ConnectorError) -> bool {
    chain(error).any(|cause| cause.downcast_ref().is_some_and(hyper_util::client::legacy::Error::is_connect))
}

/// Safe for a terminal.
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
    let mut causes: Vec<String> = chain(error).map(ToString::to_string).collect();
    causes.dedup();
    causes.join(": ")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
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
            (&[(Some("1"), None)], unknown("the response has 1 result for 2 records")),
        ] {
            assert_eq!(stored(entries.iter().copied(), 2), expected, "{entries:?}");
        }
    }
}
