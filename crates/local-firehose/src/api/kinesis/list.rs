//! ListStreams.

use serde::{Deserialize, Serialize};

use super::stream_ref::MAX_NAME_CHARACTERS;
use super::summary::{ACTIVE, Mode};
use crate::api::constraints::Constraints;
use crate::api::error::ApiError;
use crate::api::json::{json, parse, seconds};
use crate::stream::DataStream;

/// The default `Limit` (Kinesis API reference, "ListStreams").
const DEFAULT_LIMIT: i64 = 100;

/// The request of ListStreams.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListStreamsRequest {
    limit: usize,
    after: Option<String>,
}

/// A token is the last name of the page before.
pub(super) fn request(body: &[u8]) -> Result<ListStreamsRequest, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        limit: Option<i64>,
        exclusive_start_stream_name: Option<String>,
        next_token: Option<String>,
    }

    let input: Input = parse(body)?;
    let mut constraints = Constraints::default();
    let limit = input.limit.unwrap_or(DEFAULT_LIMIT);
    constraints.number(limit, "limit", &(1..=10_000));
    if let Some(name) = &input.exclusive_start_stream_name {
        constraints.name(name, "exclusiveStartStreamName", MAX_NAME_CHARACTERS);
    }
    constraints.validate()?;
    let after = input.next_token.max(input.exclusive_start_stream_name);
    // The range was validated.
    Ok(ListStreamsRequest { limit: usize::try_from(limit).unwrap_or_default(), after })
}

/// `streams` are in alphabetical order.
pub(super) fn response<'a>(
    request: &ListStreamsRequest,
    streams: impl Iterator<Item = &'a DataStream>,
) -> Result<Vec<u8>, ApiError> {
    let mut wanted = streams.filter(|stream| request.after.as_deref().is_none_or(|after| stream.name() > after));
    let listed: Vec<&DataStream> = wanted.by_ref().take(request.limit).collect();
    let has_more_streams = wanted.next().is_some();
    json(&Response {
        stream_names: listed.iter().map(|stream| stream.name()).collect(),
        has_more_streams,
        next_token: listed.last().filter(|_| has_more_streams).map(|last| last.name()),
        stream_summaries: listed.iter().map(|stream| Summary::of(stream)).collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response<'a> {
    stream_names: Vec<&'a str>,
    has_more_streams: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
    stream_summaries: Vec<Summary<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    stream_name: &'a str,
    #[serde(rename = "StreamARN")]
    stream_arn: String,
    stream_status: &'static str,
    stream_mode_details: Mode,
    stream_creation_timestamp: f64,
}

impl<'a> Summary<'a> {
    fn of(stream: &'a DataStream) -> Self {
        Self {
            stream_name: stream.name(),
            stream_arn: stream.arn(),
            stream_status: ACTIVE,
            stream_mode_details: Mode::of(stream.settings()),
            stream_creation_timestamp: seconds(stream.started()),
        }
    }
}
