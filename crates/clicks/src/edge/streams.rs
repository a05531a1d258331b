//! `POST /v2/{stream-name}`: puts a JSON object into the data stream of that name, as API Gateway's integration with Kinesis. It
//! is for services, not for pages: there is no CORS.

mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::routing::post;
use axum::{Extension, Json, Router};
use governor::Quota;
use serde_json::{Value, json};

use super::error::EdgeError;
use super::reader::RequestReader;
use super::{RequestId, unknown_method};
use firehose_model::kinesis::MAX_RECORD_BYTES;
use local_firehose::stream::{DataStream, PutError, PutResult};

struct Streams {
    by_name: BTreeMap<String, (DataStream, RequestReader)>,
    unknown: RequestReader,
}

pub(super) fn router(streams: Vec<DataStream>, rate: Quota) -> Router {
    let reader = || RequestReader::new(rate, MAX_RECORD_BYTES);
    let route = |stream: DataStream| (stream.name().to_owned(), (stream, reader()));
    let streams = Streams { by_name: streams.into_iter().map(route).collect(), unknown: reader() };
    Router::new().route("/v2/{stream}", post(put).fallback(unknown_method)).with_state(Arc::new(streams))
}

async fn put(
    State(streams): State<Arc<Streams>>,
    Extension(RequestId(id)): Extension<RequestId>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<Value>, EdgeError> {
    let Some((stream, reader)) = name.ok().and_then(|Path(name)| streams.by_name.get(&name)) else {
        // A mock integration in API Gateway, which ignores the body.
        let _ignored = streams.unknown.read_body(request.into_body()).await;
        return Err(EdgeError::UnknownStream);
    };
    let (head, body) = reader.read(request).await?;
    let field = stream.settings.partition_key_field.as_deref();
    let record = record::from_request(&head.headers, &body, field, id)?;
    match stream.put(vec![record]).await.pop() {
        // Kinesis' response, with the names of API Gateway's mapping template.
        Some(Ok(PutResult { shard, sequence_number })) => {
            Ok(Json(json!({ "sequenceNumber": sequence_number, "shardId": shard })))
        }
        Some(Err(PutError::Throttled(_))) => Err(EdgeError::TooManyRequests),
        Some(Err(PutError::Unavailable)) | None => Err(EdgeError::Unavailable),
    }
}
