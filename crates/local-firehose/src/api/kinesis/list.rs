//! ListStreams.

use serde::{Deserialize, Serialize};

use super::summary::{ACTIVE, Mode};
use super::which::MAX_NAME_CHARACTERS;
use crate::api::constraint::Constraints;
use crate::api::input::parse;
use crate::api::refusal::{Refusal, json};
use crate::api::seconds::Seconds;
use crate::stream::DataStream;

/// How many names are in an answer if the call doesn't say (Kinesis API reference, "ListStreams").
const DEFAULT_LIMIT: i64 = 100;

/// Which streams are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    limit: usize,
    after: Option<String>,
}

/// Reads the call. A token is the name that the last page ended with.
pub(super) fn asked(body: &[u8]) -> Result<Asked, Refusal> {
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
    constraints.judge()?;
    let after = input.next_token.max(input.exclusive_start_stream_name);
    // In range, as has been judged.
    Ok(Asked { limit: usize::try_from(limit).unwrap_or_default(), after })
}

/// What is answered, of all streams in alphabetical order.
pub(super) fn answer<'a>(asked: &Asked, streams: impl Iterator<Item = &'a DataStream>) -> Result<Vec<u8>, Refusal> {
    let mut wanted = streams.filter(|stream| asked.after.as_deref().is_none_or(|after| stream.name() > after));
    let listed: Vec<&DataStream> = wanted.by_ref().take(asked.limit).collect();
    let has_more_streams = wanted.next().is_some();
    json(&Answer {
        stream_names: listed.iter().map(|stream| stream.name()).collect(),
        has_more_streams,
        next_token: listed.last().filter(|_| has_more_streams).map(|last| last.name()),
        stream_summaries: listed.iter().map(|stream| Summary::of(stream)).collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
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
    stream_creation_timestamp: Seconds,
}

impl<'a> Summary<'a> {
    fn of(stream: &'a DataStream) -> Self {
        Self {
            stream_name: stream.name(),
            stream_arn: stream.arn(),
            stream_status: ACTIVE,
            stream_mode_details: Mode::of(stream.settings()),
            stream_creation_timestamp: Seconds { ms: stream.since().as_millisecond() },
        }
    }
}
