#![doc = include_str!("../README.md")]

pub mod config;
mod event;
mod personal;
pub mod record;
mod report;
mod response;
mod stream;

use std::iter::repeat_n;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use tokio::time::Instant;

use config::Config;
use event::{Event, Message, Request};
use record::{MAX_OBJECTS, Record, records};
use response::{BatchItemFailure, HttpResponse};
use stream::{PutOutcome, Stream};

pub use event::EventError;
pub use report::Report;
pub use response::Response;

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

    async fn respond(&self, request: &Request, deadline: Instant, report: &mut Report) -> HttpResponse {
        match request.method.as_str() {
            "POST" => {}
            "OPTIONS" => return HttpResponse::to_options(),
            _ => return HttpResponse::to_other_method(),
        }
        match request.body().and_then(|body| records(&self.config, &body)) {
            Ok(records) => HttpResponse::to_put(&self.put(&records, deadline, report).await, records.len()),
            Err(error) => {
                report.reject(None, error);
                HttpResponse::to_invalid_body(error)
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
        // The index of each record's message.
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
        report.put(&put, records.iter().map(Record::size));
        put
    }
}
