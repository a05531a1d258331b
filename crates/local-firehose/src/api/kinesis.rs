//! Amazon Kinesis Data Streams' own API for the data streams that run here: the side of those who put records, because nobody
//! reads them but the local Firehose.
//!
//! Its service model names JSON 1.1 alone, which is what boto3 and the SDKs for Rust, JavaScript and Go speak; the one for
//! Java speaks CBOR unless it is told not to.

mod list;
mod put;
mod shards;
mod summary;
mod which;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;

use self::which::Which;
use super::call::{Call, Door, Service, response};
use super::refusal::Refusal;
use crate::stream::DataStream;

pub(super) const SERVICE: Service = Service {
    name: "Amazon Kinesis Data Streams",
    short_name: "Kinesis",
    target_prefix: "Kinesis_20131202.",
    operations: "PutRecord, PutRecords, DescribeStreamSummary, ListShards and ListStreams",
    operation: "PutRecords",
    // 10 MiB of data with its base64, 500 records around it, and to spare, for the error that names the limit.
    max_body_bytes: 20 * 1024 * 1024,
    largest_body: "a request can be: 500 records, 10 MiB of data before base64",
    way_of_pages: "POST /v2/STREAM",
};

struct Api {
    /// By name, and so in the order in which they are listed.
    streams: BTreeMap<String, DataStream>,
    door: Door,
}

/// The API of these streams.
pub fn router(streams: &[DataStream]) -> Router {
    let streams = streams.iter().map(|stream| (stream.name().to_owned(), stream.clone())).collect();
    Router::new().fallback(answer).with_state(Arc::new(Api { streams, door: Door::new(&SERVICE) }))
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let answer = async {
        let call = api.door.call(request, api.streams.keys().map(String::as_str)).await?;
        api.operate(call).await
    };
    response(answer.await)
}

impl Api {
    async fn operate(&self, Call { operation, body }: Call) -> Result<Vec<u8>, Refusal> {
        match operation.as_str() {
            "PutRecord" => {
                let asked = put::record(&body)?;
                let stream = self.find(&asked.stream)?;
                put::record_answer(stream.name(), stream.put(asked.records()?).await)
            }
            "PutRecords" => {
                let asked = put::records(&body)?;
                let stream = self.find(&asked.stream)?;
                put::records_answer(stream.name(), stream.put(asked.records()?).await)
            }
            "DescribeStreamSummary" => summary::answer(self.find(&summary::asked(&body)?)?),
            "ListShards" => {
                let asked = shards::asked(&body)?;
                shards::answer(self.find(&asked.stream)?, &asked)
            }
            "ListStreams" => list::answer(&list::asked(&body)?, self.streams.values()),
            _ => self.door.unknown(operation),
        }
    }

    fn find(&self, which: &Which) -> Result<&DataStream, Refusal> {
        let stream = self.streams.get(&which.name).filter(|stream| which.is(stream));
        stream.ok_or_else(|| Refusal::NotFound { kind: "Stream", name: which.name.clone() })
    }
}

#[cfg(test)]
mod tests;
