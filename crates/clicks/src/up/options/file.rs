//! The TOML file: the options of the whole command, those of every stream, and a table for each stream.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{PipelineOptions, StreamName, StreamOptions, names};
use firehose_model::excerpt::excerpt;

/// The table whose tables are the streams.
const STREAMS: &str = "streams";

/// What the file says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct File {
    /// The options of the whole command.
    pub(crate) pipeline: PipelineOptions,
    /// What holds for every stream that says nothing else.
    pub(crate) stream: StreamOptions,
    /// The streams by name, in the file's order. None: the file leaves it to `stream`.
    pub(crate) streams: Vec<(String, StreamOptions)>,
}

/// What is wrong with the file, and where.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub(crate) struct FileError {
    line: usize,
    column: usize,
    message: String,
}

/// What is wrong with the part of the file between two of its bytes.
struct Fault {
    span: Range<usize>,
    message: String,
}

impl File {
    /// Reads the file's text.
    pub(crate) fn parse(text: &str) -> Result<Self, FileError> {
        Self::read(text).map_err(|fault| {
            let before = text.get(..fault.span.start).unwrap_or(text);
            let line = before.split('\n').count();
            let column = before.chars().rev().take_while(|char| *char != '\n').count() + 1;
            FileError { line, column, message: excerpt(&fault.message, usize::MAX) }
        })
    }

    fn read(text: &str) -> Result<Self, Fault> {
        let root = DeTable::parse(text).map_err(|error| fault(&error))?;
        let (of_pipeline, of_stream) = (names::<PipelineOptions>(), names::<StreamOptions>());
        let (mut pipeline, mut stream, mut streams) = (DeTable::new(), DeTable::new(), Vec::new());
        for (key, value) in root.into_inner() {
            if key.get_ref() == STREAMS {
                streams = read_streams(&key, value, &of_stream)?;
            } else if of_stream.iter().any(|name| name == key.get_ref()) {
                stream.insert(key, value);
            } else if of_pipeline.iter().any(|name| name == key.get_ref()) {
                pipeline.insert(key, value);
            } else {
                return Err(unknown(&key, "option", &[&of_pipeline[..], &of_stream, &[STREAMS.to_owned()]].concat()));
            }
        }
        Ok(Self { pipeline: options(pipeline)?, stream: options(stream)?, streams })
    }
}

fn read_streams(
    key: &Spanned<Cow<'_, str>>,
    value: Spanned<DeValue<'_>>,
    of_stream: &[String],
) -> Result<Vec<(String, StreamOptions)>, Fault> {
    let tables = table(value, "`streams`", "tables [streams.NAME]")?;
    if tables.is_empty() {
        return Err(Fault {
            span: key.span(),
            message: "`streams` is empty; accepted are tables [streams.NAME]".into(),
        });
    }
    let mut streams = Vec::new();
    for (key, value) in tables {
        let start = key.span().start;
        let name: StreamName = key.get_ref().parse().map_err(|accepted| Fault {
            span: key.span(),
            message: format!("found the stream {:?}; {accepted}", key.get_ref()),
        })?;
        let entries = table(value, &format!("`streams.{}`", name.0), "a table")?;
        if let Some(key) = entries.keys().find(|key| !of_stream.iter().any(|name| name == key.get_ref())) {
            return Err(unknown(key, "option of a stream", of_stream));
        }
        streams.push((start, name.0, options(entries)?));
    }
    streams.sort_by_key(|(start, ..)| *start);
    Ok(streams.into_iter().map(|(_, name, options)| (name, options)).collect())
}

fn table<'a>(value: Spanned<DeValue<'a>>, name: &str, accepted: &str) -> Result<DeTable<'a>, Fault> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Ok(table),
        other => Err(Fault { span, message: format!("{name}: found {}; accepted is {accepted}", other.type_str()) }),
    }
}

/// Options of a table that has no others. A message about a value names its key.
fn options<O: DeserializeOwned>(entries: DeTable<'_>) -> Result<O, Fault> {
    let spans: Vec<(String, Range<usize>)> =
        entries.iter().map(|(key, value)| (key.get_ref().to_string(), value.span())).collect();
    let whole = Spanned::new(0..0, DeValue::Table(entries));
    O::deserialize(ValueDeserializer::from(whole)).map_err(|error| {
        let Fault { span, message } = fault(&error);
        let key = spans.iter().find(|(_, value)| value.contains(&span.start));
        let message = key.map_or_else(|| message.clone(), |(key, _)| format!("`{key}`: {message}"));
        Fault { span, message }
    })
}

fn unknown(key: &Spanned<Cow<'_, str>>, what: &str, accepted: &[String]) -> Fault {
    let message = format!("`{}` is no {what}; accepted are {}", key.get_ref(), accepted.join(", "));
    Fault { span: key.span(), message }
}

fn fault(error: &toml::de::Error) -> Fault {
    Fault { span: error.span().unwrap_or_default(), message: error.message().replace('\n', ", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refusal(text: &str) -> String {
        File::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn options_go_where_they_are_of() {
        let file = File::parse("port = 1\nretries = 2\n[streams.b]\nretries = 3\n[streams.a]\n").unwrap();
        assert_eq!(file.pipeline, PipelineOptions { port: "1".parse().ok(), ..PipelineOptions::default() });
        let retries = |text: &str| StreamOptions { retries: text.parse().ok(), ..StreamOptions::default() };
        assert_eq!(file.stream, retries("2"));
        assert_eq!(file.streams, [("b".to_owned(), retries("3")), ("a".to_owned(), StreamOptions::default())]);
        assert_eq!(File::parse("# nothing\n").unwrap(), File::default());
    }

    #[test]
    fn what_is_not_accepted_is_told_with_its_place() {
        for (text, message) in [
            ("port = 'x'", "line 1, column 8: `port`: found string \"x\"; accepted is a whole number from 0 to 65535"),
            (
                "port = 80.0",
                "line 1, column 8: `port`: found floating point `80.0`; accepted is a whole number from 0 to 65535",
            ),
            ("\n é = 1", "line 2, column 2: invalid unquoted key, expected letters, numbers, `-`, `_`"),
            (
                "# é\r\n\tretries = true",
                "line 2, column 12: `retries`: found boolean `true`; accepted is a whole number from 0 to 300",
            ),
            ("retries = [1]", "line 1, column 11: `retries`: found array; accepted is a whole number from 0 to 300"),
            (
                "retries = 2026-11-20",
                "line 1, column 11: `retries`: found time; accepted is a whole number from 0 to 300",
            ),
            (
                "buffer-mb = '1'",
                "line 1, column 13: `buffer-mb`: found string \"1\"; accepted is a number from 0.2 to 3",
            ),
            (
                "host = 1",
                "line 1, column 8: `host`: found integer `1`; accepted is an IP address, or localhost for 127.0.0.1",
            ),
            ("service = {}", "line 1, column 11: `service`: found table; accepted is a URL with http:// or https://"),
            ("state = ''", "line 1, column 9: `state`: found string \"\"; accepted is a path"),
            ("web = 1", "line 1, column 7: `web`: found integer `1`; accepted is a path"),
            ("log-format = 'xml'", "line 1, column 14: `log-format`: found string \"xml\"; accepted are json, text"),
            ("compression = true", "line 1, column 15: `compression`: found boolean `true`; accepted are none, gzip"),
            ("verbose = 'yes'", "line 1, column 11: `verbose`: invalid type: string \"yes\", expected a boolean"),
            ("prefix = 1", "line 1, column 10: `prefix`: invalid type: integer `1`, expected a string"),
            ("env = 'A=b'", "line 1, column 7: `env`: invalid type: string \"A=b\", expected a map"),
            ("env = { A = 1 }", "line 1, column 13: `env`: invalid type: integer `1`, expected a string"),
            ("env = { A = 'éé', B = 1 }", "line 1, column 23: `env`: invalid type: integer `1`, expected a string"),
            ("env = { '' = '1' }", "line 1, column 7: `env`: the variable \"\": accepted is KEY=VALUE"),
            ("env = { 'A=' = '1' }", "line 1, column 7: `env`: the variable \"A=\": accepted is a name without `=`"),
            ("env = { A = \"\\u0000\" }", "line 1, column 7: `env`: the variable \"A\": accepted is text without NUL"),
            (
                "[env]\nMYSFITS_API_URL = 'http://x'",
                "line 1, column 1: `env`: the variable \"MYSFITS_API_URL\": the service is named with `--service URL`",
            ),
            (
                "[streams.a]\n[streams.b]\nretries = 301",
                "line 3, column 11: `retries`: found integer `301`; accepted is a whole number from 0 to 300",
            ),
            (
                "[streams.'a b']",
                "line 1, column 10: found the stream \"a b\"; accepted is a name of 1 to 64 of the characters a-z A-Z 0-9 _ . -",
            ),
            ("streams = 'a'", "line 1, column 11: `streams`: found string; accepted is tables [streams.NAME]"),
            ("[[streams]]\na = 1", "line 1, column 1: `streams`: found array; accepted is tables [streams.NAME]"),
            ("streams.a = 1", "line 1, column 13: `streams.a`: found integer; accepted is a table"),
            ("[streams]", "line 1, column 2: `streams` is empty; accepted are tables [streams.NAME]"),
            ("port = 1\nport = 2", "line 2, column 1: duplicate key"),
            ("[streams.a]\n[streams.a]", "line 2, column 10: duplicate key"),
            ("port =", "line 1, column 7: string values must be quoted, expected literal string"),
        ] {
            assert_eq!(refusal(text), message, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_told_with_what_is() {
        let told = refusal("port = 1\nretrys = 1");
        let start = "line 2, column 1: `retrys` is no option; accepted are host, port, firehose-port, kinesis-port, service-port, ";
        assert!(told.starts_with(start) && told.contains(", stream, ") && told.contains(", retries, "), "{told}");
        assert!(told.ends_with(", dynamic-partitioning, streams"), "{told}");
        assert!(refusal("config = 'x'").starts_with("line 1, column 1: `config` is no option; "));
        // An option of the whole command is none of a stream's.
        for text in ["[streams.a]\nport = 1", "[streams.a]\nstream = 'b'"] {
            let told = refusal(text);
            let start = " is no option of a stream; accepted are source, shards, partition-key-field, function, ";
            assert!(told.starts_with("line 2, column 1: `") && told.contains(start), "{told}");
        }
    }

    #[test]
    fn a_name_has_64_characters_at_most() {
        for (length, accepted) in [(1, true), (64, true), (65, false)] {
            assert_eq!(File::parse(&format!("[streams.{}]", "x".repeat(length))).is_ok(), accepted, "{length}");
        }
        assert!(File::parse("[streams.'']").is_err());
    }
}
