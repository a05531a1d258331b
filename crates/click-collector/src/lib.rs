//! The collector: a Lambda that puts selected fields of JSON requests into a Kinesis data stream.
//!
//! Its event source is API Gateway (`POST /collect`, REST or HTTP) or an SQS queue. [`Collector::handle`] handles an event:
//!
//! ```text
//! event ─▶ event::Event ─▶ body ─▶ record::RecordBuilder ─▶ records ─▶ stream::Stream ─▶ response::Response
//!          HTTP request or         or a BodyError                      PutRecord(s),      HTTP response or
//!          messages                                                    with retries       batchItemFailures
//! ```
//!
//! # What is stored
//!
//! A JSON object becomes one record, and an array of objects one record each: a line with the configured fields in the configured order, and
//! `null` for missing ones.
//!
//! ```text
//! {"price": 1.50, "id": "7", "coupon": "X"}  ─▶  {"id":"7","title":null,"price":1.50,"category":null, …}⏎
//! ```
//!
//! Values stay byte for byte, including digits and escapes; only white space between tokens is removed. Names are matched exactly. The last of
//! several members with one name counts.
//!
//! # Configuration
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `COLLECTOR_STREAM` | required | the data stream's name |
//! | `COLLECTOR_FIELDS` | `id,title,price,category,name,phone,address,quantity,item_id,item_name` | the fields of a record, in order: up to 32 names |
//! | `COLLECTOR_PARTITION_KEY_FIELD` | `id` | the field whose text or number is the partition key; without one of 1 to 256 characters, the key is random |
//! | `COLLECTOR_MASK_FIELDS` | none | fields whose value becomes `"***"` |
//! | `COLLECTOR_HASH_FIELDS` | none | fields whose value becomes its HMAC-SHA-256 in hexadecimal digits |
//! | `COLLECTOR_HASH_KEY` | none | the secret to hash with, of 32 bytes or more; required with `COLLECTOR_HASH_FIELDS` |
//!
//! With an invalid value, or an unknown variable `COLLECTOR_…`, the process exits with 2 before its first event, and logs what is accepted. The
//! AWS SDK reads the rest: `AWS_REGION`, credentials, and `AWS_ENDPOINT_URL_KINESIS` for another endpoint.
//!
//! # Personal fields
//!
//! `name`, `phone` and `address` are personal data, and are stored unchanged: masking and hashing are off by default. **Switch them on**, unless
//! consumers need the values:
//!
//! ```text
//! COLLECTOR_MASK_FIELDS=name,address
//! COLLECTOR_HASH_FIELDS=phone
//! COLLECTOR_HASH_KEY=…                  # 32 random bytes in hexadecimal digits, from a secrets store
//! ```
//!
//! A masked value is lost. A hashed value identifies records of the same person, in this and any other stream with the same key, but not the
//! person. The hash needs a key: telephone numbers are so few that plain hashes can be reversed by trying all of them. Keep the key from the
//! readers of the data, and do not change it, or the same person gets another hash. A hashed partition key is the hash, a masked one is random,
//! and `null` stays `null`.
//!
//! # Responses
//!
//! | status | when | stored |
//! |---|---|---|
//! | 200 | stored, or an empty array; also to `OPTIONS`, with an empty body | all |
//! | 400 | the body is neither a JSON object nor an array of them, or a value is not valid Unicode or nests deeper than 128 levels | nothing |
//! | 405 | the method is neither `POST` nor `OPTIONS` | nothing |
//! | 413 | the body has more than 1 MiB, the array more than 10,000 objects, or a record more than 1 MiB with its key | nothing |
//! | 500 | a permanent error of Kinesis: no such stream, no permission | `stored` of `records` |
//! | 503 | a transient error of Kinesis: nothing stored in 6 attempts in a row, or not all within 25 s | `stored` of `records` |
//!
//! All have the three CORS headers. After a 503 the client sends the whole body again, so **records are stored at least once**. A call whose
//! response is lost may also have been stored. To make duplicates rare, the collector continues while attempts store something: one shard takes
//! 1,000 records a second, so 10,000 objects take about 10 s.
//!
//! **The order of an array is not kept** if Kinesis refuses some records: they are retried, and come after the others, even with the same
//! partition key. A client that needs the order sends one object at a time.
//!
//! # Messages of a queue
//!
//! A message's body is a body as above. Messages that are not stored, or have an invalid body, are `batchItemFailures`: SQS delivers them again up
//! to the limit of the redrive policy, and then moves them to the dead-letter queue. So the queue needs a redrive policy, and the event source
//! mapping needs `ReportBatchItemFailures`, without which Lambda deletes every message. The order of a FIFO queue is not kept.

mod body_error;
pub mod client;
pub mod config;
pub mod deadline;
pub mod event;
pub mod logs;
pub mod metrics;
pub mod personal;
pub mod record;
mod report;
pub mod response;
pub mod stream;

use std::iter::repeat_n;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use tokio::time::Instant;

use config::Config;
use event::{Event, EventError, Message, Request};
use record::{MAX_OBJECTS, Record, RecordBuilder};
use response::{BatchItemFailure, BatchResponse, HttpResponse};
use stream::{PutOutcome, Stream};

pub use body_error::BodyError;
pub use report::Report;
pub use response::Response;
pub use service_kit::json::UnsupportedValue;

/// The collector.
#[derive(Debug)]
pub struct Collector {
    record_builder: RecordBuilder,
    stream: Stream,
    request_timeout: Duration,
}

impl Collector {
    /// A collector that responds to HTTP requests within `request_timeout`; sends no request.
    #[must_use]
    pub fn new(config: &Config, client: Client, request_timeout: Duration) -> Self {
        Self {
            record_builder: RecordBuilder::new(config),
            stream: Stream::new(client, config.stream.clone()),
            request_timeout,
        }
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
                let response = self.put_messages(&messages, deadline, report).await;
                report.messages = Some(messages.len());
                report.messages_failed = response.batch_item_failures.len();
                Ok(Response::Batch(response))
            }
        }
    }

    async fn respond(&self, request: &Request, deadline: Instant, report: &mut Report) -> HttpResponse {
        match request.method.as_str() {
            "POST" => {}
            "OPTIONS" => return HttpResponse::to_options(),
            _ => return HttpResponse::to_other_method(),
        }
        match request.body().and_then(|body| self.record_builder.records(&body)) {
            Ok(records) => HttpResponse::to_put(&self.put(&records, deadline, report).await, records.len()),
            Err(error) => {
                report.reject(None, error);
                HttpResponse::to_invalid_body(error)
            }
        }
    }

    async fn put_messages(&self, messages: &[Message], deadline: Instant, report: &mut Report) -> BatchResponse {
        let mut failed = vec![false; messages.len()];
        let mut records = Vec::new();
        // The index of each record's message.
        let mut owners = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match self.record_builder.records(message.body.as_bytes()) {
                Ok(more) => {
                    owners.extend(repeat_n(index, more.len()));
                    records.extend(more);
                }
                Err(error) => {
                    failed[index] = true;
                    report.reject(Some(&message.message_id), error);
                }
            }
            // Many messages share calls, but many arrays of `{}` must not fill the memory.
            if records.len() >= MAX_OBJECTS || index + 1 == messages.len() {
                for index in self.put(&records, deadline, report).await.not_stored {
                    failed[owners[index]] = true;
                }
                records.clear();
                owners.clear();
            }
        }
        let failures = messages.iter().zip(failed).filter(|(_, failed)| *failed);
        let item = |message: &Message| BatchItemFailure { item_identifier: message.message_id.clone() };
        BatchResponse { batch_item_failures: failures.map(|(message, _)| item(message)).collect() }
    }

    async fn put(&self, records: &[Record], deadline: Instant, report: &mut Report) -> PutOutcome {
        let put = self.stream.put(records, deadline).await;
        report.put(&put, records.iter().map(Record::size));
        put
    }
}
