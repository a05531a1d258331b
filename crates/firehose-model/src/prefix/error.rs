//! The errors of prefixes.

use super::timestamp::PatternError;

/// The most characters of an evaluated prefix (the guide's "Semantic rules").
pub(super) const MAX_CHARACTERS: usize = 512;

/// Why a prefix is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// `!{` can only begin an expression ("Invalid expression usage" of real Firehose).
    #[error("`{0}` is not an expression: it is written `!{{NAMESPACE:VALUE}}`, and `!{{` stands for nothing else")]
    Malformed(String),
    /// A namespace that Firehose does not know.
    #[error("`{0}` is not a namespace: it is one of `timestamp`, `firehose` and `partitionKeyFromLambda`")]
    Namespace(String),
    /// The `firehose` namespace has two values.
    #[error(
        "`!{{firehose:{0}}}` is not known: the value is `random-string` or, in an error prefix, `error-output-type`"
    )]
    FirehoseValue(String),
    /// The pattern of a timestamp is invalid.
    #[error("`!{{timestamp:{0}}}`: {1}")]
    Timestamp(String, #[source] PatternError),
    /// Keys that Firehose extracts from records with jq.
    #[error(
        "`!{{partitionKeyFromQuery:{0}}}` needs inline parsing, which this Firehose does not have: \
         let the function return the key and write `!{{partitionKeyFromLambda:{0}}}`"
    )]
    InlineParsing(String),
    /// "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled."
    #[error("`!{{partitionKeyFromLambda:{0}}}` needs dynamic partitioning, which is off here")]
    NotPartitioned(String),
    /// "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"
    #[error("dynamic partitioning needs a prefix with at least one `!{{partitionKeyFromLambda:KEY}}`")]
    NoPartitionKey,
    /// "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
    #[error("`!{{partitionKeyFromLambda:{0}}}` can't be in an error prefix: a record that failed may have no keys")]
    KeyInErrorPrefix(String),
    /// "Prefix must not contain any occurrence of !{firehose:error-output-type}"
    #[error("`!{{firehose:error-output-type}}` can only be in an error prefix")]
    ErrorOutputTypeInPrefix,
    /// "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"
    #[error("an error prefix with expressions needs `!{{firehose:error-output-type}}` among them")]
    NoErrorOutputType,
    /// "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"; here it never can.
    #[error("an error prefix is needed, such as `errors/!{{firehose:error-output-type}}/`")]
    NoErrorPrefix,
    /// "Length of evaluated prefix cannot be greater than 512"
    #[error("evaluated it has more than {MAX_CHARACTERS} characters, or too many bytes for a name in S3")]
    TooLong,
}

/// Why a record goes to the error output (the guide's "Troubleshoot dynamic partitioning errors").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// Firehose says "partitionKeys values must not be null or empty" (seen in public).
    #[error("the partition key `{0}` is missing or empty")]
    MissingKey(String),
    /// An assumption: the length of a prefix with keys is only known with a record's keys.
    #[error("the prefix evaluated with the record's partition keys is too long")]
    TooLong,
}
