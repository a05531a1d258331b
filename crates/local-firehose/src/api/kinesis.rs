//! The API of Amazon Kinesis Data Streams for producers and consumers, without resharding and enhanced fan-out.
//!
//! It is JSON 1.1, which boto3 and the SDKs for Rust, JavaScript and Go use, or CBOR, which the SDK for Java uses by default.

mod consume;
mod describe;
mod manage;
mod model;
mod put;
mod stream_ref;

use axum::extract::Request;
use serde_json::Value;

use super::request::{ApiError, Call, RequestReader, Service};
use crate::control::{Control, Status};
use crate::stream::{DataStream, PutEntry, RefusalReason};
use firehose_model::scope::Scope;

pub(super) const SERVICE: Service = Service {
    name: "Amazon Kinesis Data Streams",
    short_name: "Kinesis",
    target_prefix: "Kinesis_20131202.",
    operations: "PutRecord, PutRecords, GetShardIterator, GetRecords, CreateStream, DeleteStream, DescribeStream, \
                 DescribeStreamSummary, ListShards, ListStreams, IncreaseStreamRetentionPeriod, DecreaseStreamRetentionPeriod, \
                 AddTagsToStream, RemoveTagsFromStream and ListTagsForStream",
    operation: "PutRecords",
    // Enough for 10 MiB of data in base64, and for a request that is somewhat too large to get the error that names the limit.
    max_body_bytes: 20 * 1024 * 1024,
    largest_body: "a request can be: 500 records, 10 MiB of data before base64",
    page_endpoint: "POST /v2/STREAM",
    has_cbor: true,
};

/// Why an operation of Kinesis is refused, for those that other emulators accept without an effect.
fn unsupported(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "SplitShard" | "MergeShards" | "UpdateShardCount" | "UpdateStreamMode" => {
            "the shards of a stream stay those of its creation"
        }
        "RegisterStreamConsumer"
        | "DeregisterStreamConsumer"
        | "DescribeStreamConsumer"
        | "ListStreamConsumers"
        | "SubscribeToShard" => "there is no enhanced fan-out; GetRecords reads records",
        "StartStreamEncryption" | "StopStreamEncryption" => "records are not encrypted",
        "EnableEnhancedMonitoring" | "DisableEnhancedMonitoring" => "there are no metrics of shards",
        "UpdateMaxRecordSize" => "a record has at most 1 MiB",
        "UpdateStreamWarmThroughput" => "a stream on demand has four shards",
        "UpdateStreamRecordDistributionStrategy" => "the partition key selects the shard",
        "TagResource" | "UntagResource" | "ListTagsForResource" => {
            "AddTagsToStream, RemoveTagsFromStream and ListTagsForStream do it for streams"
        }
        "GetResourcePolicy" | "PutResourcePolicy" | "DeleteResourcePolicy" => "permissions are not evaluated",
        "DescribeLimits" | "DescribeAccountSettings" | "UpdateAccountSettings" => "there are no accounts",
        _ => return None,
    })
}

pub(super) struct Kinesis {
    control: Control,
    requests: RequestReader,
}

impl Kinesis {
    pub(super) fn new(control: Control) -> Self {
        let requests = RequestReader::new(&SERVICE, control.body_memory());
        Self { control, requests }
    }

    pub(super) async fn call(&self, request: Request) -> Result<Value, ApiError> {
        let names = || {
            let streams = self.control.streams().data_streams();
            streams.iter().map(|stream| stream.name().to_owned()).collect::<Vec<_>>()
        };
        self.dispatch(self.requests.read(request, names).await?).await
    }

    async fn dispatch(&self, Call { operation, body, caller }: Call) -> Result<Value, ApiError> {
        if let Some(reason) = unsupported(&operation) {
            return Err(SERVICE.unsupported(&operation, reason));
        }
        match operation.as_str() {
            "PutRecord" => self.put(&body, false, &caller).await,
            "PutRecords" => self.put(&body, true, &caller).await,
            _ => manage::call(&self.control, &operation, &body, &caller).await,
        }
    }

    async fn put(&self, body: &[u8], is_batch: bool, caller: &Scope) -> Result<Value, ApiError> {
        let valid = self.valid_put(body, is_batch, caller).inspect_err(|_| self.count_invalid(body, caller));
        let (stream, records) = valid?;
        let results = stream.put(records).await;
        let response = if is_batch { put::records_response } else { put::record_response };
        response(stream.name(), caller, results)
    }

    fn valid_put(&self, body: &[u8], is_batch: bool, caller: &Scope) -> Result<(DataStream, Vec<PutEntry>), ApiError> {
        let request = put::read(body, is_batch, caller)?;
        let found = self.find_to_put(&request.stream);
        let stream = found.ok_or_else(|| ApiError::not_found("Stream", &request.stream, caller))?;
        request.validate_order(&stream, caller)?;
        Ok((stream, request.records()?))
    }

    /// At the stream that an invalid request names, if there is one.
    fn count_invalid(&self, body: &[u8], caller: &Scope) {
        let named = put::refused(body, caller);
        if let Some((stream, records)) = named.and_then(|(name, records)| Some((self.find_to_put(&name)?, records))) {
            stream.refuse(records, RefusalReason::Invalid);
        }
    }

    /// A stream that is deleted accepts no more records.
    fn find_to_put(&self, name: &str) -> Option<DataStream> {
        let found = self.control.data_stream(name).filter(|(_, status)| *status == Status::Active);
        found.map(|(stream, _)| stream)
    }
}

#[cfg(test)]
mod tests;
