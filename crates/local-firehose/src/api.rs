//! The APIs of Firehose and Kinesis for local streams: JSON 1.1 over HTTP, for Kinesis also CBOR. Signatures are neither required nor verified.
//!
//! One address serves both: a request's `X-Amz-Target` names the API.

mod caller;
mod cbor;
mod constraints;
mod firehose;
mod kinesis;
mod model;
mod refusal;
mod request;
mod tags;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;

use self::firehose::Firehose;
use self::kinesis::Kinesis;
use crate::control::Control;
use crate::http::BodyMemory;

/// An API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Amazon Data Firehose.
    Firehose,
    /// Amazon Kinesis Data Streams.
    Kinesis,
}

struct Apis {
    firehose: Firehose,
    kinesis: Kinesis,
    responses: BodyMemory,
    default: Api,
}

/// Serves both APIs. A request that names neither, such as a browser's, gets an error of the API `default`.
pub fn router(control: &Control, default: Api) -> Router {
    let (firehose, kinesis) = (Firehose::new(control.clone()), Kinesis::new(control.clone()));
    let apis = Apis { firehose, kinesis, responses: control.response_memory().clone(), default };
    Router::new().fallback(handle).with_state(Arc::new(apis))
}

async fn handle(State(apis): State<Arc<Apis>>, request: Request) -> Response {
    let api = target(request.headers()).unwrap_or(apis.default);
    let is_cbor = api == Api::Kinesis && request::is_cbor(request.headers());
    let result = match api {
        Api::Firehose => apis.firehose.call(request).await,
        Api::Kinesis => apis.kinesis.call(request).await,
    };
    request::response(result, is_cbor, &apis.responses)
}

fn target(headers: &HeaderMap) -> Option<Api> {
    let target = request::text(headers, request::TARGET);
    let is_of = |prefix| target.starts_with(prefix);
    if is_of(firehose::SERVICE.target_prefix) {
        Some(Api::Firehose)
    } else if is_of(kinesis::SERVICE.target_prefix) {
        Some(Api::Kinesis)
    } else {
        None
    }
}
