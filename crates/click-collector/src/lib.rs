//! The collector: a Lambda that chooses fields of the JSON that it is sent, and puts them into a Kinesis data stream.
//!
//! It stands behind an API Gateway (`POST /collect`, REST or HTTP) or an SQS queue. [`Collector::handle`] is the whole way:
//!
//! ```text
//! event ─▶ event::Event ─▶ body ─▶ record::Chooser ─▶ records ─▶ stream::Stream ─▶ reply::Reply
//!          request or              or a Refusal                  PutRecord(s),      HTTP answer, or
//!          messages                                              with retries       batchItemFailures
//! ```
//!
//! # What is stored
//!
//! A JSON object becomes one record, and an array of objects one for each: a line with the configured fields in the configured
//! order, `null` for those that are missing.
//!
//! ```text
//! {"price": 1.50, "id": "7", "coupon": "X"}  ─▶  {"id":"7","title":null,"price":1.50,"category":null, …}⏎
//! ```
//!
//! Values stay byte for byte, numbers digit by digit and escapes as they came; only white space between them goes. Names are
//! matched exactly; of several members with one name, the last one counts.
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
//! A value that can't be used, or a variable `COLLECTOR_…` that is not known, ends the process with 2 before its first event,
//! and its log says what is accepted. The AWS SDK reads the rest: `AWS_REGION`, credentials, and `AWS_ENDPOINT_URL_KINESIS` for
//! a Kinesis elsewhere.
//!
//! # Personal fields
//!
//! `name`, `phone` and `address` tell who somebody is, and are stored as they come: masking and hashing are off by default.
//! **Switch them on**, unless somebody has to ring these people up:
//!
//! ```text
//! COLLECTOR_MASK_FIELDS=name,address
//! COLLECTOR_HASH_FIELDS=phone
//! COLLECTOR_HASH_KEY=…                  # 32 random bytes in hexadecimal digits, from a secrets' store
//! ```
//!
//! A masked field is gone. A hashed one still tells that two records are of the same person, here and in any other stream
//! with the same key, but not of whom. The hash needs its key: there are so few telephone numbers that anybody could hash
//! them all and look the plain hashes up. So keep the key from those who read the data, and don't change it, or the same
//! person becomes two. A hashed partition key is the hash, a masked one is random, and `null` stays `null`.
//!
//! # Answers
//!
//! | status | when | stored |
//! |---|---|---|
//! | 200 | stored, or an empty array; also to `OPTIONS`, with an empty body | all |
//! | 400 | the body is neither a JSON object nor an array of them, or a value is no Unicode text or nests deeper than 128 levels | nothing |
//! | 405 | the method is neither `POST` nor `OPTIONS` | nothing |
//! | 413 | the body has more than 1 MiB, the array more than 10,000 objects, or a record more than 1 MiB with its key | nothing |
//! | 500 | Kinesis refuses for good: no such stream, no permission | `stored` of `records` |
//! | 503 | Kinesis refuses, or can't be reached: nothing stored in 6 attempts on end, or not all within 25 s | `stored` of `records` |
//!
//! Each has the three CORS headers. Whoever gets a 503 sends the whole body again, so that **records are stored at least
//! once**; also a call that was cut off may have been stored. To make that rare, the collector goes on while each attempt stores
//! something: one shard takes 1,000 records a second, so 10,000 objects in some 10 s, while whoever sent them waits.
//!
//! **Within an array, no order is promised** where Kinesis refuses some of it: what was refused is tried again, and then comes
//! after the others, those with the same partition key too. Whoever needs their order sends one object, waits for its answer,
//! and then sends the next.
//!
//! # Messages of a queue
//!
//! A message's body is a body as above. Messages that are not stored are answered as `batchItemFailures`, whether Kinesis
//! refused them or their body can never be stored: the queue sends them again up to the number of its redrive policy, and
//! then moves them to its dead-letter queue, where they can be looked at. So the queue needs a redrive policy, and the event
//! source mapping `ReportBatchItemFailures`, without which Lambda takes every message for done. A FIFO queue's order is not
//! kept.

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
