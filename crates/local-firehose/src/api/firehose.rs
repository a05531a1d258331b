//! The API of Amazon Data Firehose: JSON 1.1, the only protocol of its service model.

mod describe;
mod manage;
mod model;
mod put;

use axum::extract::Request;
use serde_json::Value;

use super::request::{ApiError, Call, RequestReader, Service};
use crate::control::Control;
use crate::stream::{DeliveryStream, PutError, RefusalReason};
use firehose_model::scope::Scope;

/// More than 4 MiB in base64, to name the limit in the error, as Firehose was seen to do up to 5.3 MB. Where its 413 begins is assumed.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
pub(super) const SERVICE: Service = Service {
    name: "Amazon Data Firehose",
    short_name: "Firehose",
    target_prefix: "Firehose_20150804.",
    operations: "PutRecord, PutRecordBatch, CreateDeliveryStream, DeleteDeliveryStream, DescribeDeliveryStream, \
                 ListDeliveryStreams, ListTagsForDeliveryStream, TagDeliveryStream, UntagDeliveryStream and UpdateDestination",
    operation: "PutRecordBatch",
    max_body_bytes: MAX_BODY_BYTES,
    largest_body: "a batch can be: 500 records, 4 MiB of data before base64",
    page_endpoint: "PUT /clicks",
    has_cbor: false,
};

pub(super) struct Firehose {
    control: Control,
    requests: RequestReader,
}

impl Firehose {
    pub(super) fn new(control: Control) -> Self {
        let requests = RequestReader::new(&SERVICE, control.body_memory());
        Self { control, requests }
    }

    pub(super) async fn call(&self, request: Request) -> Result<Value, ApiError> {
        let names = || self.control.list().into_keys().collect::<Vec<_>>();
        self.dispatch(self.requests.read(request, names).await?).await
    }

    async fn dispatch(&self, Call { operation, body, caller }: Call) -> Result<Value, ApiError> {
        match operation.as_str() {
            "PutRecord" => put::record_response(self.put(&body, false, &caller).await?),
            "PutRecordBatch" => put::batch_response(self.put(&body, true, &caller).await?),
            "StartDeliveryStreamEncryption" | "StopDeliveryStreamEncryption" => {
                Err(SERVICE.unsupported(&operation, "records are not encrypted"))
            }
            _ => manage::call(&self.control, &operation, &body, &caller).await,
        }
    }

    async fn put(
        &self,
        body: &[u8],
        is_batch: bool,
        caller: &Scope,
    ) -> Result<Vec<Result<String, PutError>>, ApiError> {
        let valid = put::read(body, is_batch)
            .and_then(|request| Ok((self.find_to_put(&request.stream, caller)?, request.data)))
            .inspect_err(|_| self.count_invalid(body));
        let (stream, data) = valid?;
        Ok(stream.put(data).await)
    }

    /// At the stream that an invalid request names, if there is one.
    fn count_invalid(&self, body: &[u8]) {
        let named = put::refused(body).and_then(|(name, records)| Some((self.control.accepting(&name)?, records)));
        if let Some((stream, records)) = named {
            stream.refuse(records, RefusalReason::Invalid);
        }
    }

    /// A stream that reads a data stream accepts no others. Seen of Firehose, code and text (aws-cli issue 7010).
    fn find_to_put(&self, name: &str, caller: &Scope) -> Result<DeliveryStream, ApiError> {
        let found = self.control.accepting(name);
        let stream = found.ok_or_else(|| ApiError::not_found("Firehose", name, caller))?;
        match describe::type_of(&stream.settings()) {
            describe::DIRECT_PUT => Ok(stream),
            other => {
                let message = format!("This operation is not permitted on {other} delivery stream type.");
                Err(ApiError::invalid_argument(message))
            }
        }
    }
}

#[cfg(test)]
mod tests;
