//! The API of Amazon Kinesis Data Streams for producers: delivery streams are the only consumers.
//!
//! It is JSON 1.1, which boto3 and the SDKs for Rust, JavaScript and Go use. The SDK for Java uses CBOR unless it is disabled.

mod describe;
mod put;
mod stream_ref;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;

use super::request::{Api, ApiError, Call, Service, response};
use crate::stream::DataStream;

pub(super) const SERVICE: Service = Service {
    name: "Amazon Kinesis Data Streams",
    short_name: "Kinesis",
    target_prefix: "Kinesis_20131202.",
    operations: "PutRecord, PutRecords, DescribeStreamSummary, ListShards and ListStreams",
    operation: "PutRecords",
    // Enough for 10 MiB of data in base64, and for a request that is somewhat too large to get the error that names the limit.
    max_body_bytes: 20 * 1024 * 1024,
    largest_body: "a request can be: 500 records, 10 MiB of data before base64",
    page_endpoint: "POST /v2/STREAM",
};

/// Serves the API for these streams.
pub fn router(streams: &[DataStream]) -> Router {
    let streams = streams.iter().map(|stream| (stream.name().to_owned(), stream.clone()));
    Router::new().fallback(handle).with_state(Arc::new(Api::new(&SERVICE, streams)))
}

async fn handle(State(api): State<Arc<Api<DataStream>>>, request: Request) -> Response {
    response(async { api.dispatch(api.read(request).await?).await }.await)
}

impl Api<DataStream> {
    async fn dispatch(&self, Call { operation, body }: Call) -> Result<Value, ApiError> {
        match operation.as_str() {
            "PutRecord" => {
                let request = put::record(&body)?;
                let stream = self.find(&request.stream)?;
                put::record_response(stream.name(), stream.put(request.records()?).await)
            }
            "PutRecords" => {
                let request = put::records(&body)?;
                let stream = self.find(&request.stream)?;
                put::records_response(stream.name(), stream.put(request.records()?).await)
            }
            "DescribeStreamSummary" => {
                let stream = describe::summary_request(&body)?;
                Ok(describe::summary_response(self.find(&stream)?))
            }
            "ListShards" => {
                let request = describe::shards_request(&body)?;
                Ok(describe::shards_response(self.find(&request.stream)?, &request))
            }
            "ListStreams" => describe::list(&body, self.streams.values()),
            _ => Err(SERVICE.unknown_operation(&operation)),
        }
    }

    fn find(&self, name: &str) -> Result<&DataStream, ApiError> {
        self.streams.get(name).ok_or_else(|| ApiError::not_found("Stream", name))
    }
}

#[cfg(test)]
mod tests;
