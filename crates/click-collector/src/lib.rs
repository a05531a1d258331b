#![doc = include_str!("../README.md")]

pub mod config;
mod event;
pub mod record;
mod response;
mod stream;

use std::iter::repeat_n;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use tokio::time::Instant;

use config::Config;
use event::{Event, Message, Request};
use record::{BodyError, MAX_OBJECTS, Record, records};
use response::{BatchItemFailure, HttpResponse};
use stream::{PutOutcome, Stream};

pub use event::EventError;
pub use response::Response;

/// How many rejected bodies are logged individually; the counts include all.
const MAX_BODY_ERRORS: usize = 20;

/// The collector.
#[derive(Debug)]
pub struct Collector {
    config: Config,
    stream: Stream,
    request_timeout: Duration,
}

impl Collector {
    /// A collector that responds to HTTP requests within `request_timeout`; sends no request.
    #[must_use]
    pub fn new(config: &Config, client: Client, request_timeout: Duration) -> Self {
        Self { config: config.clone(), stream: Stream { client, name: config.stream.clone() }, request_timeout }
    }

    /// Handles an event before `deadline`, and fills in `report`. Messages may take all of the time.
    pub async fn handle(&self, payload: &str, deadline: Instant, report: &mut Report) -> Result<Response, EventError> {
        match Event::parse(payload)? {
            Event::Request(request) => {
                let deadline = deadline.min(Instant::now() + self.request_timeout);
                let response = self.respond(&request, deadline, report).await;
                report.status = Some(response.status_code);
                Ok(Response::Http(response))
            }
            Event::Messages(messages) => {
                let batch_item_failures = self.put_messages(&messages, deadline, report).await;
                report.messages = Some(messages.len());
                report.messages_failed = batch_item_failures.len();
                Ok(Response::Batch { batch_item_failures })
            }
        }
    }

    /// Rejects pages of other origins itself: a preflight does not stop them from sending another content type than JSON, which needs
    /// none. Clients that are no pages send no origin.
    async fn respond(&self, request: &Request, deadline: Instant, report: &mut Report) -> HttpResponse {
        let Some(allowed) = &self.config.allowed_origins else {
            return self.respond_to_any(request, deadline, report).await;
        };
        match &request.origin {
            Some(origin) if !allowed.contains(origin) => HttpResponse::to_other_origin(origin).restricted_to(None),
            origin => self.respond_to_any(request, deadline, report).await.restricted_to(origin.as_deref()),
        }
    }

    async fn respond_to_any(&self, request: &Request, deadline: Instant, report: &mut Report) -> HttpResponse {
        match request.method.as_str() {
            "POST" => {}
            "OPTIONS" => return HttpResponse::to_options(),
            method => return HttpResponse::to_other_method(method),
        }
        match request.body().and_then(|body| records(&self.config, &body)) {
            Ok(records) => HttpResponse::to_put(&self.put(&records, deadline, report).await, records.len()),
            Err(error) => {
                let response = HttpResponse::to_invalid_body(&error);
                report.reject(None, error);
                response
            }
        }
    }

    async fn put_messages(
        &self,
        messages: &[Message],
        deadline: Instant,
        report: &mut Report,
    ) -> Vec<BatchItemFailure> {
        let mut failed = vec![false; messages.len()];
        let mut pending = Vec::new();
        let mut owners = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match records(&self.config, message.body.as_bytes()) {
                Ok(more) => {
                    owners.extend(repeat_n(index, more.len()));
                    pending.extend(more);
                }
                Err(error) => {
                    failed[index] = true;
                    report.reject(Some(&message.message_id), error);
                }
            }
            // Many messages share calls, but many arrays of `{}` must not fill the memory.
            if pending.len() >= MAX_OBJECTS || index + 1 == messages.len() {
                for index in self.put(&pending, deadline, report).await.not_stored {
                    failed[owners[index]] = true;
                }
                pending.clear();
                owners.clear();
            }
        }
        let failures = messages.iter().zip(failed).filter(|(_, failed)| *failed);
        failures.map(|(message, _)| BatchItemFailure { item_identifier: message.message_id.clone() }).collect()
    }

    async fn put(&self, records: &[Record], deadline: Instant, report: &mut Report) -> PutOutcome {
        let put = self.stream.put(records, deadline).await;
        report.put(records, &put);
        put
    }
}

/// Statistics of one invocation, for its log line. They include no content of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The HTTP status of the response; `None` for messages.
    pub status: Option<u16>,
    /// The messages of a queue; `None` for a request.
    pub messages: Option<usize>,
    /// Messages that stay in the queue.
    pub messages_failed: usize,
    /// Rejected bodies.
    pub rejected: usize,
    /// Records to store.
    pub records: usize,
    /// Records that are not stored.
    pub failed: usize,
    /// The bytes of stored records, with their partition keys.
    pub stored_bytes: usize,
    /// Requests to Kinesis.
    pub kinesis_requests: usize,
    /// The last error code of Kinesis.
    pub kinesis_error: Option<String>,
    /// The first rejected bodies: the message id, if any, and the error.
    pub body_errors: Vec<(Option<String>, BodyError)>,
}

impl Report {
    pub(crate) fn reject(&mut self, message_id: Option<&str>, error: BodyError) {
        self.rejected += 1;
        if self.body_errors.len() < MAX_BODY_ERRORS {
            self.body_errors.push((message_id.map(str::to_owned), error));
        }
    }

    pub(crate) fn put(&mut self, records: &[Record], put: &PutOutcome) {
        self.records += records.len();
        self.failed += put.not_stored.len();
        self.kinesis_requests += put.calls;
        let not_stored: usize = put.not_stored.iter().map(|index| records[*index].size()).sum();
        self.stored_bytes += records.iter().map(Record::size).sum::<usize>() - not_stored;
        if let Some(error) = &put.error {
            self.kinesis_error = Some(error.code.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::PutError;

    #[test]
    fn put_outcomes_add_up() {
        let mut report = Report::default();
        let error = Some(PutError { code: "InternalFailure".to_owned(), is_permanent: false });
        let record = |size| Record { data: vec![b'x'; size], partition_key: String::new() };
        report.put(&[1, 10, 100, 1_000].map(record), &PutOutcome { not_stored: vec![0, 2], error, calls: 3 });
        report.put(&[record(10_000)], &PutOutcome { not_stored: vec![], error: None, calls: 1 });
        assert_eq!((report.records, report.failed, report.stored_bytes, report.kinesis_requests), (5, 2, 11_010, 4));
        assert_eq!(report.kinesis_error.as_deref(), Some("InternalFailure"));
    }

    #[test]
    fn every_rejected_body_is_counted_and_the_first_are_kept() {
        let mut report = Report::default();
        for id in 0..30 {
            report.reject(Some(&id.to_string()), BodyError::NOT_JSON);
        }
        assert_eq!((report.rejected, report.body_errors.len()), (30, 20));
        assert_eq!(report.body_errors[19], (Some("19".to_owned()), BodyError::NOT_JSON));
    }
}
