//! The ways in by HTTP that API Gateway has in the cloud, on the page's port:
//!
//! ```text
//! PUT  /clicks             ─▶ a click ─▶ the delivery stream of the clicks
//! POST /v2/{stream-name}   ─▶ any JSON object ─▶ the data stream of that name
//! POST /collect            ─▶ whatever the collector takes ─▶ the collector ─▶ its data stream
//! ```
//!
//! The order is API Gateway's: the rate first, then the size, the content type, the body, and at last whoever is behind it.
//! Firehose, Kinesis and Lambda, which refuse in their own words, are not seen from here, and neither are their credentials.
//! Each way has a rate of its own, so that one that is flooded does not keep the others.

mod body;
mod click;
mod clicks;
mod collect;
mod entrance;
mod refusal;
mod streams;

use std::num::NonZeroU32;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderName;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use governor::Quota;
use uuid::Uuid;

pub(crate) use self::click::SchemaError;

use self::refusal::Refusal;
use crate::collector::Collector;
use local_firehose::stream::{DataStream, Stream};

/// What API Gateway calls a request in its logs, on every answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The longest click has 1.6 KiB: all of it escaped, 64 characters as two times `\uXXXX` each and 128 as one.
const LONGEST_CLICK: usize = 8 * 1024;

/// Where what comes in goes.
pub(crate) struct Ways {
    /// Where the page's clicks go, if anywhere.
    pub(crate) clicks: Option<Stream>,
    /// The data streams that anybody may name: not the collector's, which gets what the collector keeps alone.
    pub(crate) streams: Vec<DataStream>,
    /// The function behind `/collect`, if there is one.
    pub(crate) collector: Option<Collector>,
    /// What each of them takes.
    pub(crate) rate: Rate,
}

/// So many requests a second, and so many at once, as API Gateway's `rateLimit` and `burstLimit`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// In a second.
    pub(crate) per_second: NonZeroU32,
    /// After a quiet time.
    pub(crate) burst: NonZeroU32,
}

impl Rate {
    fn quota(self) -> Quota {
        Quota::per_second(self.per_second).allow_burst(self.burst)
    }
}

/// The id of a request, as its handler finds it in the request's extensions.
#[derive(Debug, Clone, Copy)]
struct RequestId(Uuid);

/// All ways in.
pub(crate) fn router(ways: Ways) -> Result<Router, SchemaError> {
    let Ways { clicks, streams, collector, rate } = ways;
    let mut router = Router::new();
    if let Some(stream) = clicks {
        router = router.merge(clicks::router(stream, rate)?);
    }
    if !streams.is_empty() {
        router = router.merge(streams::router(streams, rate));
    }
    if let Some(collector) = collector {
        router = router.merge(collect::router(collector, rate));
    }
    Ok(router.layer(from_fn(identify)))
}

/// Gives a request its id, and its answer the same.
async fn identify(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4();
    request.extensions_mut().insert(RequestId(id));
    ([(REQUEST_ID, id.to_string())], next.run(request).await).into_response()
}

async fn other_method() -> Refusal {
    Refusal::NoSuchMethod
}
