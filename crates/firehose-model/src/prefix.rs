//! Prefixes with expressions `!{…}`, and the names of objects.
//!
//! The rules are those of the Firehose developer guide, "Understand custom prefixes for Amazon S3 objects". Comments quote what
//! Firehose was seen to reject in addition.

mod timestamp;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Zoned;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use uuid::Uuid;

use self::timestamp::Pattern;

/// The most active partitions of a stream (the guide's "Buffer data for dynamic partitioning").
pub const MAX_ACTIVE_PARTITIONS: usize = 500;
/// The most bytes of an object's name in S3 (Amazon S3 user guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1024;
/// The most bytes after a prefix: a stream's name of 64 bytes, a version of 20 digits (`u64`) as in `-1-2026-11-20-08-22-01-`, a UUID and
/// the longest `FileExtension`.
const MAX_SUFFIX_BYTES: usize = 64 + 22 + 20 + 36 + 128;
/// The most characters of an evaluated prefix (the guide's "Semantic rules").
const MAX_CHARACTERS: usize = 512;
/// The guide's example of a `random-string`, `046b6c7f-0b`, is the beginning of a UUID.
const RANDOM_STRING_CHARACTERS: usize = 11;

/// The prefix of delivered objects or of error objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    text: String,
    parts: Vec<Part>,
}

impl Prefix {
    /// Parses a prefix with keys of a function only. The error is for the user, as are the others.
    pub fn parse(text: &str, dynamic_partitioning: bool) -> Result<Self, String> {
        Self::with_keys(text, dynamic_partitioning, &[])
    }

    /// Parses a prefix with keys of a function, if one returns keys, and with the keys of a query. Without either, dynamic partitioning
    /// is off.
    pub fn with_keys(text: &str, function: bool, query: &[String]) -> Result<Self, String> {
        let mut prefix = Self::read(text)?;
        let parts = &mut prefix.parts;
        if parts.contains(&Part::ErrorOutputType) {
            // "Prefix must not contain any occurrence of !{firehose:error-output-type}"
            return Err("`!{firehose:error-output-type}` can only be in an error prefix".to_owned());
        }
        // "If you specify a prefix that doesn't contain a timestamp namespace expression, Firehose appends the expression
        // `!{timestamp:yyyy/MM/dd/HH/}` to the value in the Prefix field." No slash is put before it (probed). The example of
        // "Use Amazon S3 bucket prefix to deliver data" has partition keys and no timestamp, and nothing is appended there.
        if !parts.iter().any(|part| matches!(part, Part::Timestamp(_) | Part::PartitionKey(_))) {
            parts.push(Part::Timestamp(Pattern::hour_folders()));
        }
        for key in prefix.keys() {
            let problem = if !function && query.is_empty() {
                // "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled."
                "needs dynamic partitioning, which is off here"
            } else if !key.from_query && !function {
                "needs a processor of type Lambda, which is not there"
            } else if key.from_query && query.is_empty() {
                "needs a processor of type MetadataExtraction, which is not there"
            } else if key.from_query && !query.contains(&key.name) {
                "is not a key of the MetadataExtractionQuery"
            } else {
                continue;
            };
            return Err(format!("`{key}` {problem}"));
        }
        // "MetaDataExtraction JQ Query can't contain keys that are not present in the S3 Prefix expression"
        let is_used = |key: &String| prefix.keys().any(|used| used.from_query && used.name == *key);
        if let Some(unused) = query.iter().find(|key| !is_used(key)) {
            return Err(format!(
                "`!{{partitionKeyFromQuery:{unused}}}` is missing: a prefix needs each key of the MetadataExtractionQuery"
            ));
        }
        // "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"
        if function && prefix.keys().next().is_none() {
            return Err(
                "dynamic partitioning needs a prefix with at least one `!{partitionKeyFromLambda:KEY}`".to_owned()
            );
        }
        prefix.fits("")
    }

    /// Parses a prefix of error objects. Nothing is appended to it.
    pub fn for_errors(text: &str) -> Result<Self, String> {
        let prefix = Self::read(text)?;
        if text.is_empty() {
            // "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"; here it never can.
            return Err("an error prefix is needed, such as `errors/!{firehose:error-output-type}/`".to_owned());
        }
        if let Some(key) = prefix.keys().next() {
            // "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
            return Err(format!("`{key}` can't be in an error prefix: a record that failed may have no keys"));
        }
        let has_expressions = prefix.parts.iter().any(|part| !matches!(part, Part::Text(_)));
        if has_expressions && !prefix.parts.contains(&Part::ErrorOutputType) {
            // "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"
            return Err("an error prefix with expressions needs `!{firehose:error-output-type}` among them".to_owned());
        }
        prefix.fits(ErrorOutputType::ActivePartitionExceeded.as_str())
    }

    /// The prefix as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The partition of a record, from the keys that the function returned and those of the query; none if one that the prefix uses is
    /// missing or empty ("partitionKeys values must not be null or empty", seen in public), or if the prefix is too long with them (an
    /// assumption).
    #[must_use]
    pub fn partition(
        &self,
        from_function: &BTreeMap<String, String>,
        from_query: &BTreeMap<String, String>,
    ) -> Option<Partition> {
        let value = |key: &PartitionKey| {
            let keys = if key.from_query { from_query } else { from_function };
            keys.get(&key.name).filter(|value| !value.is_empty()).cloned()
        };
        let partition = Partition(self.keys().map(value).collect::<Option<_>>()?);
        (!self.is_too_long(&partition, "")).then_some(partition)
    }

    /// The prefix of an object. `partition` is one of this prefix, `error_output_type` that of an error object, and `random` returns a new
    /// UUID each time. Every `timestamp` of a prefix is the same instant; every `random-string` is another one.
    pub fn evaluate(
        &self,
        oldest_arrival: &Zoned,
        Partition(values): &Partition,
        error_output_type: &str,
        mut random: impl FnMut() -> Uuid,
    ) -> String {
        let mut values = values.iter();
        let value = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Timestamp(pattern) => pattern.format(oldest_arrival),
            Part::RandomString => random().to_string().chars().take(RANDOM_STRING_CHARACTERS).collect(),
            Part::ErrorOutputType => error_output_type.to_owned(),
            Part::PartitionKey(_) => values.next().cloned().unwrap_or_default(),
        };
        self.parts.iter().map(value).collect()
    }

    fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, expression)) = rest.split_once("!{") {
            let (expression, after) =
                expression.split_once('}').ok_or_else(|| malformed(&format!("!{{{expression}")))?;
            parts.extend([Part::Text(before.to_owned()), part(expression)?]);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { text: text.to_owned(), parts })
    }

    fn keys(&self) -> impl Iterator<Item = &PartitionKey> {
        self.parts.iter().filter_map(|part| if let Part::PartitionKey(key) = part { Some(key) } else { None })
    }

    /// "Length of evaluated prefix cannot be greater than 512"
    fn fits(self, error_output_type: &str) -> Result<Self, String> {
        if self.is_too_long(&Partition::default(), error_output_type) {
            return Err(format!(
                "evaluated it has more than {MAX_CHARACTERS} characters, or too many bytes for a name in S3"
            ));
        }
        Ok(self)
    }

    fn is_too_long(&self, partition: &Partition, error_output_type: &str) -> bool {
        let evaluated =
            self.evaluate(&Pattern::WIDEST.to_zoned(TimeZone::UTC), partition, error_output_type, Uuid::nil);
        evaluated.chars().count() > MAX_CHARACTERS || evaluated.len() > MAX_KEY_BYTES - MAX_SUFFIX_BYTES
    }
}

/// The values of a prefix's keys, in the order of its expressions. Records of the same partition share objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(Vec<String>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Timestamp(Pattern),
    RandomString,
    ErrorOutputType,
    PartitionKey(PartitionKey),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PartitionKey {
    name: String,
    from_query: bool,
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = if self.from_query { "Query" } else { "Lambda" };
        write!(formatter, "!{{partitionKeyFrom{source}:{}}}", self.name)
    }
}

fn part(expression: &str) -> Result<Part, String> {
    let malformed = || malformed(&format!("!{{{expression}}}"));
    let (namespace, value) = expression.split_once(':').ok_or_else(malformed)?;
    if value.is_empty() || value.contains('{') {
        return Err(malformed());
    }
    match (namespace, value) {
        ("timestamp", pattern) => {
            let parsed = Pattern::parse(pattern).map(Part::Timestamp);
            parsed.map_err(|problem| format!("`!{{timestamp:{pattern}}}`: {problem}"))
        }
        ("firehose", "random-string") => Ok(Part::RandomString),
        ("firehose", "error-output-type") => Ok(Part::ErrorOutputType),
        ("firehose", value) => Err(format!(
            "`!{{firehose:{value}}}` is not known: the value is `random-string` or, in an error prefix, `error-output-type`"
        )),
        ("partitionKeyFromLambda" | "partitionKeyFromQuery", name) => {
            let from_query = namespace == "partitionKeyFromQuery";
            Ok(Part::PartitionKey(PartitionKey { name: name.to_owned(), from_query }))
        }
        (namespace, _) => Err(format!(
            "`{namespace}` is not a namespace: it is one of `timestamp`, `firehose`, `partitionKeyFromLambda` and \
             `partitionKeyFromQuery`"
        )),
    }
}

/// "Invalid expression usage": `!{` can only begin an expression.
fn malformed(found: &str) -> String {
    format!("`{found}` is not an expression: it is written `!{{NAMESPACE:VALUE}}`, and `!{{` stands for nothing else")
}

/// The values of `!{firehose:error-output-type}`. Other destinations and format conversion have more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorOutputType {
    /// The function failed, or returned `ProcessingFailed` (the guide's table of the `firehose` namespace).
    ProcessingFailed,
    /// The record could not be decompressed (the guide's "Troubleshoot decompression in Firehose").
    DecompressionFailed,
    /// The record has no partition (AWS CDK's integration test of dynamic partitioning, which runs on AWS).
    PartitioningFailed,
    /// The record exceeds the limit of active partitions (the guide's "Buffer data for dynamic partitioning").
    ActivePartitionExceeded,
}

impl ErrorOutputType {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ProcessingFailed, Self::DecompressionFailed, Self::PartitioningFailed, Self::ActivePartitionExceeded];

    /// The text in an object's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessingFailed => "processing-failed",
            Self::DecompressionFailed => "decompression-failed",
            Self::PartitioningFailed => "partitioning-failed",
            Self::ActivePartitionExceeded => "activePartitionExceeded",
        }
    }
}

/// How delivered objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: `UNCOMPRESSED` in Firehose's API.
    None,
    /// `GZIP` in Firehose's API.
    Gzip,
}

impl Compression {
    /// The end of an object's name (the guide's "Configure Amazon S3 object name format").
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
        }
    }
}

/// The time zone of a `CustomTimeZone`. The error is for the user. The guide's "Configure Amazon S3 object name format" lists IANA names,
/// and Terraform's AWS provider documents "UTC or a non-3-letter IANA time zone". That case matters is an assumption: it does in Java.
pub fn time_zone(name: &str) -> Result<TimeZone, String> {
    let zone = TimeZoneDatabase::bundled().get(name).ok();
    let is_exact = |zone: &TimeZone| zone.iana_name() == Some(name) && !zone.is_unknown();
    let is_abbreviation = name.len() == 3 && name != "UTC";
    zone.filter(|zone| is_exact(zone) && !is_abbreviation).ok_or_else(|| {
        format!(
            "{name} is no time zone; accepted are UTC and the names of the IANA time zone database, such as Asia/Tokyo"
        )
    })
}

/// The name of an object (the guide's "Configure Amazon S3 object name format": "By default, the time zone used for time prefix and
/// suffix is in UTC, but you can change it to a time zone that you prefer"). The version is that of the stream. The extension is that of
/// the compression, or the `FileExtension` that replaces it.
#[must_use]
pub fn object_name(prefix: &str, (stream, version): (&str, u64), oldest: &Zoned, id: Uuid, extension: &str) -> String {
    let time = oldest.strftime("%Y-%m-%d-%H-%M-%S");
    format!("{prefix}{stream}-{version}-{time}-{id}{extension}")
}

#[cfg(test)]
mod tests;
