//! `GET /pipeline/ranking`: the most frequent values in what a stream delivers.

use axum::routing::get;
use axum::{Json, Router};

use super::chosen_stream::ChosenStream;
use local_firehose::registry::Registry;

pub(super) fn router(streams: Registry) -> Router {
    Router::new()
        .route("/pipeline/ranking", get(async |ChosenStream(stream): ChosenStream| Json(stream.ranking())))
        .with_state(streams)
}
