//! ListShards.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::which::Which;
use crate::api::constraint::Constraints;
use crate::api::input::{Structure, parse};
use crate::api::refusal::{Refusal, json};
use crate::stream::DataStream;
use firehose_model::kinesis::sequence;
use firehose_model::kinesis::shard::Shard;

/// How many shards are in an answer if the call doesn't say, and at most (Kinesis API reference, "ListShards").
const MOST: usize = 1000;

/// Which shards are wanted: none has been opened or closed since the stream was made, so all of them but for one.
const FILTERS: [&str; 6] = [AFTER, "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", AT_TIMESTAMP, FROM_TIMESTAMP];

/// Those after a shard.
const AFTER: &str = "AFTER_SHARD_ID";

/// Those that were open at a time.
const AT_TIMESTAMP: &str = "AT_TIMESTAMP";

/// Those that were open at a time, or since.
const FROM_TIMESTAMP: &str = "FROM_TIMESTAMP";

/// The most characters of a shard's id (Kinesis API reference, "ListShards").
const MAX_ID_CHARACTERS: usize = 128;

/// Which shards are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) stream: Which,
    most: usize,
    /// Those after these.
    after: Vec<String>,
}

/// Where the next page begins. Kinesis lets it expire after 300 seconds; here it never does.
#[derive(Serialize, Deserialize)]
struct Token {
    stream: String,
    after: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    next_token: Option<String>,
    exclusive_start_shard_id: Option<String>,
    max_results: Option<i64>,
    shard_filter: Option<Structure<Filter>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    r#type: Option<String>,
    shard_id: Option<String>,
    timestamp: Option<IgnoredAny>,
}

/// Reads the call.
pub(super) fn asked(body: &[u8]) -> Result<Asked, Refusal> {
    let Input { stream_name, stream_arn, next_token, exclusive_start_shard_id, max_results, shard_filter } =
        parse(body)?;
    let mut constraints = Constraints::default();
    let most = max_results.unwrap_or(MOST.try_into().unwrap_or(i64::MAX));
    constraints.number(most, "maxResults", &(1..=10_000));
    let (mut after, mut lacks) = (Vec::new(), None);
    let more = exclusive_start_shard_id.as_ref().map(|_| "ExclusiveStartShardId");
    let more = more.or(shard_filter.as_ref().map(|_| "ShardFilter"));
    if let Some(id) = exclusive_start_shard_id {
        constraints.name(&id, "exclusiveStartShardId", MAX_ID_CHARACTERS);
        after.push(id);
    }
    if let Some(Structure(filter)) = shard_filter {
        let of_type = constraints.required(filter.r#type, "shardFilter.type").unwrap_or_default();
        constraints.one_of(&of_type, "shardFilter.type", &FILTERS);
        if let Some(id) = &filter.shard_id {
            constraints.name(id, "shardFilter.shardId", MAX_ID_CHARACTERS);
        }
        lacks = match of_type.as_str() {
            AFTER if filter.shard_id.is_none() => Some(("ShardId", AFTER)),
            AT_TIMESTAMP if filter.timestamp.is_none() => Some(("Timestamp", AT_TIMESTAMP)),
            FROM_TIMESTAMP if filter.timestamp.is_none() => Some(("Timestamp", FROM_TIMESTAMP)),
            _ => None,
        };
        after.extend(filter.shard_id.filter(|_| of_type == AFTER));
    }
    let stream = Which::checked(stream_name, stream_arn, &mut constraints);
    constraints.judge()?;
    // The reference says what a type needs; the words are an assumption.
    if let Some((member, of_type)) = lacks {
        let message = format!("{member} must be specified in ShardFilter when its Type is {of_type}.");
        return Err(Refusal::InvalidArgument(message));
    }
    let most = usize::try_from(most).unwrap_or(MOST).min(MOST);
    let Some(token) = next_token else {
        return Ok(Asked { stream: stream.which()?, most, after });
    };
    // A token stands for itself. Seen of Kinesis, which boto3's own paginator runs into (botocore issue 2009).
    if let Some(member) = stream.member().or(more) {
        return Err(Refusal::InvalidArgument(format!("NextToken and {member} cannot be provided together.")));
    }
    let read = STANDARD.decode(token).ok().and_then(|token| serde_json::from_slice::<Token>(&token).ok());
    // An assumption.
    let invalid = || Refusal::InvalidArgument("NextToken is invalid.".to_owned());
    let Token { stream, after } = read.ok_or_else(invalid)?;
    Ok(Asked { stream: Which::by_name(stream), most, after: vec![after] })
}

/// What is answered.
pub(super) fn answer(stream: &DataStream, asked: &Asked) -> Result<Vec<u8>, Refusal> {
    let shards = stream.shards();
    let mut wanted = shards.iter().filter(|shard| asked.after.iter().all(|after| shard.to_string() > *after));
    let listed: Vec<Shard> = wanted.by_ref().take(asked.most).collect();
    let more = wanted.next().and(listed.last());
    let next_token = more.map(|last| {
        let token = json(&Token { stream: stream.name().to_owned(), after: last.to_string() });
        token.map(|token| STANDARD.encode(token))
    });
    let described = listed.into_iter().map(|shard| {
        let hash_keys = shards.range(shard);
        Description {
            shard_id: shard,
            hash_key_range: HashKeys {
                starting_hash_key: hash_keys.start().to_string(),
                ending_hash_key: hash_keys.end().to_string(),
            },
            sequence_number_range: SequenceNumbers { starting_sequence_number: sequence::first(shard) },
        }
    });
    json(&Answer { shards: described.collect(), next_token: next_token.transpose()? })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    shards: Vec<Description>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    shard_id: Shard,
    hash_key_range: HashKeys,
    sequence_number_range: SequenceNumbers,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HashKeys {
    starting_hash_key: String,
    ending_hash_key: String,
}

/// An open shard has no last number.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SequenceNumbers {
    starting_sequence_number: String,
}
