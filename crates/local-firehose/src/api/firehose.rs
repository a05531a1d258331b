//! The API of Amazon Data Firehose: JSON 1.1, the only protocol of its service model.

mod describe;
mod put;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;

use super::request::{Api, ApiError, Call, Service, response};
use crate::stream::DeliveryStream;

/// More than 4 MiB in base64, to name the limit in the error, as Firehose was seen to do up to 5.3 MB. Where its 413 begins is assumed.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
pub(super) const SERVICE: Service = Service {
    name: "Amazon Data Firehose",
    short_name: "Firehose",
    target_prefix: "Firehose_20150804.",
    operations: "PutRecord, PutRecordBatch, DescribeDeliveryStream and ListDeliveryStreams",
    operation: "PutRecordBatch",
    max_body_bytes: MAX_BODY_BYTES,
    largest_body: "a batch can be: 500 records, 4 MiB of data before base64",
    page_endpoint: "PUT /clicks",
};

/// Serves the API for these streams.
pub fn router(streams: Vec<DeliveryStream>) -> Router {
    let streams = streams.into_iter().map(|stream| (stream.name().to_owned(), stream));
    Router::new().fallback(handle).with_state(Arc::new(Api::new(&SERVICE, streams)))
}

async fn handle(State(api): State<Arc<Api<DeliveryStream>>>, request: Request) -> Response {
    response(async { api.dispatch(api.read(request).await?).await }.await)
}

impl Api<DeliveryStream> {
    async fn dispatch(&self, Call { operation, body }: Call) -> Result<Value, ApiError> {
        match operation.as_str() {
            "PutRecord" => {
                let request = put::record(&body)?;
                put::record_response(self.find_to_put(&request.stream)?.put(request.data).await)
            }
            "PutRecordBatch" => {
                let request = put::batch(&body)?;
                put::batch_response(self.find_to_put(&request.stream)?.put(request.data).await)
            }
            "DescribeDeliveryStream" => {
                let (name, after) = describe::request(&body)?;
                let stream = self.find(&name)?;
                Ok(describe::response(after.as_deref(), stream.settings(), stream.started, stream.function_arn()))
            }
            "ListDeliveryStreams" => {
                let streams = self.streams.values().map(|stream| (stream.name(), describe::type_of(stream.settings())));
                describe::list(&body, streams)
            }
            _ => Err(SERVICE.unknown_operation(&operation)),
        }
    }

    fn find(&self, name: &str) -> Result<&DeliveryStream, ApiError> {
        self.streams.get(name).ok_or_else(|| ApiError::not_found("Firehose", name))
    }

    /// A stream that reads a data stream accepts no others. Seen of Firehose, code and text (aws-cli issue 7010).
    fn find_to_put(&self, name: &str) -> Result<&DeliveryStream, ApiError> {
        let stream = self.find(name)?;
        match describe::type_of(stream.settings()) {
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
