//! Amazon Data Firehose's own API for the streams that run here. JSON 1.1 is the only protocol that AWS's service model names
//! for it.

mod describe;
mod list;
mod put;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;

use self::describe::Described;
use super::call::{Call, Door, Service, response};
use super::refusal::Refusal;
use crate::stream::Stream;

/// The largest body has 4 MiB of data with its base64 and to spare, so that a batch somewhat too large gets the error that
/// names the limit. A batch of 5.3 MB was seen to get that one from Firehose; where it begins to answer 413 instead is an
/// assumption.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

pub(super) const SERVICE: Service = Service {
    name: "Amazon Data Firehose",
    short_name: "Firehose",
    target_prefix: "Firehose_20150804.",
    operations: "PutRecord, PutRecordBatch, DescribeDeliveryStream and ListDeliveryStreams",
    operation: "PutRecordBatch",
    max_body_bytes: MAX_BODY_BYTES,
    largest_body: "a batch can be: 500 records, 4 MiB of data before base64",
    way_of_pages: "PUT /clicks",
};

/// By name, and so in the order in which they are listed.
type Streams = BTreeMap<String, Stream>;

struct Api {
    streams: Streams,
    door: Door,
}

/// The API of these streams.
pub fn router(streams: Vec<Stream>) -> Router {
    let streams = streams.into_iter().map(|stream| (stream.name().to_owned(), stream)).collect();
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
                put::record_answer(self.find_to_put(&asked.stream)?.put(asked.data).await)
            }
            "PutRecordBatch" => {
                let asked = put::batch(&body)?;
                put::batch_answer(self.find_to_put(&asked.stream)?.put(asked.data).await)
            }
            "DescribeDeliveryStream" => {
                let asked = describe::asked(&body)?;
                describe::answer(&Described::from(self.find(&asked.stream)?), &asked)
            }
            "ListDeliveryStreams" => {
                let streams = self.streams.values().map(|stream| (stream.name(), list::type_of(stream)));
                list::answer(&list::asked(&body)?, streams)
            }
            _ => self.door.unknown(operation),
        }
    }

    fn find(&self, name: &str) -> Result<&Stream, Refusal> {
        self.streams.get(name).ok_or_else(|| Refusal::NotFound { kind: "Firehose", name: name.to_owned() })
    }

    /// A stream that reads a data stream takes no records but that one's. Seen of Firehose, code and text (aws-cli issue 7010).
    fn find_to_put(&self, name: &str) -> Result<&Stream, Refusal> {
        let stream = self.find(name)?;
        match list::type_of(stream) {
            list::DIRECT_PUT => Ok(stream),
            other => Err(Refusal::InvalidArgument(format!(
                "This operation is not permitted on {other} delivery stream type."
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
