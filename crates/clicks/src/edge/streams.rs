//! `POST /v2/{stream-name}`: a JSON object into the data stream of that name, as API Gateway puts it into Kinesis without code
//! in between. It is for services, not for pages: there is no CORS.

mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::Serialize;

use super::entrance::Entrance;
use super::refusal::Refusal;
use super::{Rate, RequestId, other_method};
use firehose_model::kinesis::MAX_RECORD_BYTES;
use firehose_model::kinesis::shard::ShardId;
use local_firehose::stream::{DataStream, PutError, PutResult};

struct Edge {
    /// The streams by name.
    ways: BTreeMap<String, Way>,
    /// Where those come in that name none.
    nowhere: Entrance,
}

struct Way {
    stream: DataStream,
    entrance: Entrance,
}

/// Where a record is: what Kinesis answers, in API Gateway's own words.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    sequence_number: String,
    shard_id: ShardId,
}

/// The ways into these streams.
pub(super) fn router(streams: Vec<DataStream>, rate: Rate) -> Router {
    let entrance = || Entrance::new(rate, MAX_RECORD_BYTES);
    let way = |stream: DataStream| (stream.name().to_owned(), Way { stream, entrance: entrance() });
    let edge = Edge { ways: streams.into_iter().map(way).collect(), nowhere: entrance() };
    Router::new().route("/v2/{stream}", post(put).fallback(other_method)).with_state(Arc::new(edge))
}

async fn put(
    State(edge): State<Arc<Edge>>,
    Extension(RequestId(id)): Extension<RequestId>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    let Some(Way { stream, entrance }) = name.ok().and_then(|Path(name)| edge.ways.get(&name)) else {
        // A mock in API Gateway, whatever the body is.
        let _refused = edge.nowhere.read(request.into_body()).await;
        return Err(Refusal::NoSuchStream);
    };
    let (head, body) = entrance.take(request).await?;
    let field = stream.settings().partition_key_field.as_deref();
    let record = record::of(&head.headers, &body, field, id)?;
    match stream.put(vec![record]).await.pop() {
        Some(Ok(PutResult { shard, sequence_number })) => Ok(Json(Answer { sequence_number, shard_id: shard })),
        Some(Err(PutError::Throttled(_))) => Err(Refusal::TooManyRequests),
        Some(Err(PutError::Unavailable)) | None => Err(Refusal::Unavailable),
    }
}
