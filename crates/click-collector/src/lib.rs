#![doc = include_str!("../README.md")]

pub mod client;
pub mod config;
pub mod deadline;
pub mod event;
pub mod logs;
pub mod metrics;
pub mod personal;
pub mod record;
mod refusal;
pub mod reply;
mod report;
pub mod stream;

use std::iter::repeat_n;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use tokio::time::Instant;

use config::Config;
use event::{Event, EventError, Message, Request};
use record::{Chooser, MAX_OBJECTS, Record};
use reply::{Answer, BatchReply, ItemFailure};
use stream::{Put, Stream};

pub use refusal::Refusal;
pub use reply::Reply;
pub use report::Report;
pub use service_kit::json::Unusable;

/// The function, from one invocation to the next.
#[derive(Debug)]
pub struct Collector {
    chooser: Chooser,
    stream: Stream,
    longest_wait: Duration,
}

impl Collector {
    /// Sets the function up, which keeps a request waiting for `longest_wait` at the most; sends no request.
    #[must_use]
    pub fn new(config: &Config, client: Client, longest_wait: Duration) -> Self {
        Self { chooser: Chooser::new(config), stream: Stream::new(client, config.stream.clone()), longest_wait }
    }

    /// Answers an event before `ends`, and fills in `report`. Nobody waits on messages, which may take all of the time.
    ///
    /// # Errors
    /// [`EventError`] where `payload` is no event that the collector takes.
    pub async fn handle(&self, payload: &str, ends: Instant, report: &mut Report) -> Result<Reply, EventError> {
        match Event::parse(payload)? {
            Event::Request(request) => {
                let ends = ends.min(Instant::now() + self.longest_wait);
                let answer = self.answer(&request, ends, report).await;
                report.status = Some(answer.status_code);
                Ok(Reply::Answer(answer))
            }
            Event::Messages(messages) => {
                let reply = self.take(&messages, ends, report).await;
                report.messages = Some(messages.len());
                report.messages_failed = reply.batch_item_failures.len();
                Ok(Reply::Messages(reply))
            }
        }
    }

    async fn answer(&self, request: &Request, ends: Instant, report: &mut Report) -> Answer {
        match request.method.as_str() {
            "POST" => {}
            "OPTIONS" => return Answer::to_options(),
            _ => return Answer::to_other_method(),
        }
        match request.body().and_then(|body| self.chooser.records(&body)) {
            Ok(records) => Answer::to_put(&self.put(&records, ends, report).await, records.len()),
            Err(refusal) => {
                report.refuse(None, refusal);
                Answer::to_refusal(refusal)
            }
        }
    }

    async fn take(&self, messages: &[Message], ends: Instant, report: &mut Report) -> BatchReply {
        let mut failed = vec![false; messages.len()];
        let mut records = Vec::new();
        // The index of each record's message.
        let mut owners = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match self.chooser.records(message.body.as_bytes()) {
                Ok(more) => {
                    owners.extend(repeat_n(index, more.len()));
                    records.extend(more);
                }
                Err(refusal) => {
                    failed[index] = true;
                    report.refuse(Some(&message.message_id), refusal);
                }
            }
            // All at once, for fewer calls; but many arrays of `{}` must not fill the memory.
            if records.len() >= MAX_OBJECTS || index + 1 == messages.len() {
                for left in self.put(&records, ends, report).await.left {
                    failed[owners[left]] = true;
                }
                records.clear();
                owners.clear();
            }
        }
        let failures = messages.iter().zip(failed).filter(|(_, failed)| *failed);
        let item = |message: &Message| ItemFailure { item_identifier: message.message_id.clone() };
        BatchReply { batch_item_failures: failures.map(|(message, _)| item(message)).collect() }
    }

    async fn put(&self, records: &[Record], ends: Instant, report: &mut Report) -> Put {
        let put = self.stream.put(records, ends).await;
        report.put(&put, records.iter().map(Record::size));
        put
    }
}
