//! `GET /pipeline/ranking`: the most frequent values in what a stream delivers; and `GET /pipeline/sql`: queries for all of it.

use axum::routing::get;
use axum::{Json, Router};

use super::chosen_stream::ChosenStream;
use super::sql::{self, SqlQueries};
use local_firehose::registry::Registry;
use local_firehose::stream::{DeliveryStream, Source};

pub(super) fn router(streams: Registry) -> Router {
    Router::new()
        .route("/pipeline/ranking", get(async |ChosenStream(stream): ChosenStream| Json(stream.ranking())))
        .route("/pipeline/sql", get(async |ChosenStream(stream): ChosenStream| Json(queries(&stream))))
        .with_state(streams)
}

fn queries(stream: &DeliveryStream) -> SqlQueries {
    let (settings, snapshot) = (stream.settings(), stream.snapshot());
    // Before anything is delivered, a stream with the fields of clicks is likely to have them. Records of data streams may be anything.
    let may_have_clicks = settings.function.is_some() && settings.source == Source::DirectPut;
    let counts_clicks = settings.count_fields.iter().any(|field| field == sql::KEY);
    let has_clicks =
        if snapshot.delivered == 0 { may_have_clicks && counts_clicks } else { snapshot.has_values_of(sql::KEY) };
    sql::queries(&settings, has_clicks, stream.has_backup_bucket())
}
