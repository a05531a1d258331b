//! The API of Amazon Kinesis Data Streams for producers: delivery streams are the only consumers.
//!
//! It is JSON 1.1, which boto3 and the SDKs for Rust, JavaScript and Go use. The SDK for Java uses CBOR unless it is disabled.

mod describe;
mod put;
mod stream_ref;

use axum::extract::Request;
use serde_json::Value;

use super::request::{ApiError, Call, RequestReader, Service};
use crate::http::BodyMemory;
use crate::registry::Registry;
use crate::stream::DataStream;
use firehose_model::scope::Scope;

pub(super) const SERVICE: Service = Service {
    name: "Amazon Kinesis Data Streams",
    short_name: "Kinesis",
    target_prefix: "Kinesis_20131202.",
    operations: "PutRecord, PutRecords, DescribeStreamSummary, ListShards and ListStreams, \
                 and its streams are configured at its start",
    operation: "PutRecords",
    // Enough for 10 MiB of data in base64, and for a request that is somewhat too large to get the error that names the limit.
    max_body_bytes: 20 * 1024 * 1024,
    largest_body: "a request can be: 500 records, 10 MiB of data before base64",
    page_endpoint: "POST /v2/STREAM",
};

pub(super) struct Kinesis {
    streams: Registry,
    requests: RequestReader,
}

impl Kinesis {
    pub(super) fn new(streams: Registry, memory: &BodyMemory) -> Self {
        Self { streams, requests: RequestReader::new(&SERVICE, memory) }
    }

    pub(super) async fn call(&self, request: Request) -> Result<Value, ApiError> {
        let names = || self.streams.data_streams().iter().map(|stream| stream.name().to_owned()).collect::<Vec<_>>();
        self.dispatch(self.requests.read(request, names).await?).await
    }

    async fn dispatch(&self, Call { operation, body, caller }: Call) -> Result<Value, ApiError> {
        match operation.as_str() {
            "PutRecord" => {
                let request = put::record(&body, &caller)?;
                let stream = self.find(&request.stream, &caller)?;
                put::record_response(stream.name(), &caller, stream.put(request.records()?).await)
            }
            "PutRecords" => {
                let request = put::records(&body, &caller)?;
                let stream = self.find(&request.stream, &caller)?;
                put::records_response(stream.name(), &caller, stream.put(request.records()?).await)
            }
            "DescribeStreamSummary" => {
                let stream = describe::summary_request(&body, &caller)?;
                Ok(describe::summary_response(&self.find(&stream, &caller)?, &caller))
            }
            "ListShards" => {
                let request = describe::shards_request(&body, &caller)?;
                Ok(describe::shards_response(&self.find(&request.stream, &caller)?, &request))
            }
            "ListStreams" => describe::list(&body, &self.streams.data_streams(), &caller),
            _ => Err(SERVICE.unknown_operation(&operation)),
        }
    }

    fn find(&self, name: &str, caller: &Scope) -> Result<DataStream, ApiError> {
        self.streams.data_stream(name).ok_or_else(|| ApiError::not_found("Stream", name, caller))
    }
}

#[cfg(test)]
mod tests;
