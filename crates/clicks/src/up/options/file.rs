//! The TOML file: `[pipeline]`, `[defaults]` of all streams, a table `[streams.NAME]` for each stream, and `[functions.NAME]` for each
//! function.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::{FunctionOptions, PipelineOptions, StreamName, StreamOptions, names};
use firehose_model::excerpt::excerpt;

const TABLES: &str = "accepted are the tables [pipeline], of options that exist once, [defaults], of options of every stream, \
                      [streams.NAME], of options of one stream, and [functions.NAME], of a Lambda function";

const SIMILAR: f64 = 0.6;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    pub(crate) pipeline: PipelineOptions,
    pub(crate) defaults: StreamOptions,
    /// In the file's order. Without any, there is one stream, with the options of `defaults`.
    #[serde(deserialize_with = "streams")]
    pub(crate) streams: Vec<(String, StreamOptions)>,
    /// By their names or ARNs.
    pub(crate) functions: BTreeMap<String, FunctionOptions>,
}

impl File {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().unwrap_or_default().start;
            let before = text.get(..start).unwrap_or(text);
            let line = before.split('\n').count();
            let column = before.chars().rev().take_while(|char| *char != '\n').count() + 1;
            format!("line {line}, column {column}: {}", excerpt(&describe(error), usize::MAX))
        })
    }

    /// A table other than those of functions.
    pub(crate) fn of_pipeline(&self) -> Option<&'static str> {
        let Self { pipeline, defaults, streams, .. } = self;
        let tables = [
            ("[pipeline]", *pipeline != PipelineOptions::default()),
            ("[defaults]", *defaults != StreamOptions::default()),
            ("[streams.NAME]", !streams.is_empty()),
        ];
        tables.into_iter().find_map(|(table, has_options)| has_options.then_some(table))
    }
}

fn streams<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, StreamOptions)>, D::Error> {
    let tables: BTreeMap<Spanned<StreamName>, StreamOptions> = BTreeMap::deserialize(deserializer)?;
    if tables.is_empty() {
        return Err(D::Error::custom("found no stream; accepted are tables [streams.NAME]"));
    }
    let mut streams: Vec<_> = tables.into_iter().collect();
    streams.sort_by_key(|(name, _)| name.span().start);
    Ok(streams.into_iter().map(|(name, options)| (name.into_inner().0, options)).collect())
}

/// Names the key, and suggests one for an unknown key, instead of serde's list of all.
fn describe(mut error: toml::de::Error) -> String {
    let message = error.message().replace('\n', ", ");
    // Without the input, the error's text is its message and "in `path.of.the.key`".
    error.set_input(None);
    let text = error.to_string();
    let path = text.rsplit_once("\nin `").map_or("", |(_, path)| path.trim_end().trim_end_matches('`'));
    match message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        Some((key, expected)) => unknown(key, path, expected),
        None if path.is_empty() => message,
        None => format!("`{path}`: {message}"),
    }
}

/// `expected` has serde's list of the table's keys, each in backticks.
fn unknown(key: &str, table: &str, expected: &str) -> String {
    let (of_pipeline, of_stream) = (names::<PipelineOptions>(), names::<StreamOptions>());
    let (is_of_pipeline, is_of_stream) =
        (of_pipeline.iter().any(|name| name == key), of_stream.iter().any(|name| name == key));
    let accepted: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let instead = match table {
        "" => TABLES.to_owned(),
        _ if table.starts_with("functions.") => format!("accepted are {}", accepted.join(", ")),
        _ if is_of_pipeline => "it belongs into [pipeline]".to_owned(),
        _ if is_of_stream => "it belongs into [defaults] or [streams.NAME]".to_owned(),
        _ => "`clicks up --help` lists the options".to_owned(),
    };
    let similarity = |name: &str| strsim::normalized_damerau_levenshtein(key, name);
    let nearest = accepted.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match nearest.filter(|name| similarity(name) > SIMILAR && !is_of_pipeline && !is_of_stream) {
        Some(name) => format!("unknown key `{key}`: did you mean `{name}`?"),
        None if table.is_empty() => format!("unknown key `{key}`: {instead}"),
        None => format!("unknown key `{key}` in [{table}]: {instead}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn error(text: &str) -> String {
        File::parse(text).expect_err(text)
    }

    #[test]
    fn a_file_has_four_tables() {
        let file = File::parse(
            "[pipeline]\nport = 1\n[defaults]\nretries = 2\n[streams.b]\nretries = 3\n[streams.a]\n[streams]\nc.retries = 4\n\
             [functions.g]\ncommand = 'a b'\n[functions.f]\ncommand = 'c'\nmemory-mb = 128",
        )
        .unwrap();
        assert_eq!(file.pipeline, PipelineOptions { port: "1".parse().ok(), ..PipelineOptions::default() });
        let retries = |text: &str| StreamOptions { retries: text.parse().ok(), ..StreamOptions::default() };
        assert_eq!(file.defaults, retries("2"));
        let streams = [("b", retries("3")), ("a", StreamOptions::default()), ("c", retries("4"))];
        assert_eq!(file.streams, streams.map(|(name, options)| (name.to_owned(), options)));
        let function = |command: &str, memory: Option<&str>| FunctionOptions {
            command: command.to_owned(),
            directory: None,
            env: Vec::new(),
            memory_mb: memory.and_then(|memory| memory.parse().ok()),
            timeout_seconds: None,
        };
        let functions = [("f", function("c", Some("128"))), ("g", function("a b", None))];
        assert_eq!(file.functions, BTreeMap::from(functions.map(|(name, options)| (name.to_owned(), options))));
        assert_eq!(File::parse("# nothing\n").unwrap(), File::default());
    }

    #[test]
    fn an_invalid_value_is_reported_with_its_place_and_key() {
        for (text, message) in [
            (
                "port = 'x'",
                "line 2, column 8: `pipeline.port`: found string \"x\"; accepted is a whole number from 0 to 65535",
            ),
            (
                "port = 80.0",
                "line 2, column 8: `pipeline.port`: found floating point `80.0`; accepted is a whole number from 0 to 65535",
            ),
            (
                "host = 1",
                "line 2, column 8: `pipeline.host`: found integer `1`; accepted is an IP address, or localhost for 127.0.0.1",
            ),
            (
                "service = {}",
                "line 2, column 11: `pipeline.service`: found table; accepted is a URL with http:// or https://",
            ),
            ("state = ''", "line 2, column 9: `pipeline.state`: found string \"\"; accepted is a path"),
            ("web = 1", "line 2, column 7: `pipeline.web`: found integer `1`; accepted is a path"),
            (
                "verbose = 'yes'",
                "line 2, column 11: `pipeline.verbose`: invalid type: string \"yes\", expected a boolean",
            ),
            ("\n é = 1", "line 3, column 2: invalid unquoted key, expected letters, numbers, `-`, `_`"),
            ("port = 1\nport = 2", "line 3, column 1: duplicate key"),
            ("port =", "line 2, column 7: string values must be quoted, expected literal string"),
        ] {
            assert_eq!(error(&format!("[pipeline]\n{text}")), message, "{text}");
        }
        for (text, message) in [
            (
                "# é\r\n\tretries = true",
                "line 3, column 12: `defaults.retries`: found boolean `true`; accepted is a whole number from 0 to 300",
            ),
            (
                "retries = [1]",
                "line 2, column 11: `defaults.retries`: found array; accepted is a whole number from 0 to 300",
            ),
            (
                "retries = 2026-11-20",
                "line 2, column 11: `defaults.retries`: found time; accepted is a whole number from 0 to 300",
            ),
            (
                "buffer-mb = '1'",
                "line 2, column 13: `defaults.buffer-mb`: found string \"1\"; accepted is a number from 0.2 to 3",
            ),
            (
                "log-format = 'xml'",
                "line 2, column 14: `defaults.log-format`: found string \"xml\"; accepted are json, text",
            ),
            (
                "compression = true",
                "line 2, column 15: `defaults.compression`: found boolean `true`; accepted are none, gzip",
            ),
            ("prefix = 1", "line 2, column 10: `defaults.prefix`: invalid type: integer `1`, expected a string"),
            ("env = 'A=b'", "line 2, column 7: `defaults.env`: invalid type: string \"A=b\", expected a map"),
            ("env = { A = 1 }", "line 2, column 13: `defaults.env.A`: invalid type: integer `1`, expected a string"),
            (
                "env = { A = 'éé', B = 1 }",
                "line 2, column 23: `defaults.env.B`: invalid type: integer `1`, expected a string",
            ),
            ("env = { '' = '1' }", "line 2, column 7: `defaults.env`: the variable \"\": accepted is KEY=VALUE"),
            (
                "env = { 'A=' = '1' }",
                "line 2, column 7: `defaults.env`: the variable \"A=\": accepted is a name without `=`",
            ),
            (
                "env = { A = \"\\u0000\" }",
                "line 2, column 7: `defaults.env`: the variable \"A\": accepted is text without NUL",
            ),
            (
                "[defaults.env]\nMYSFITS_API_URL = 'http://x'",
                "line 2, column 1: `defaults.env`: the variable \"MYSFITS_API_URL\": set the service with `--service URL`",
            ),
        ] {
            assert_eq!(error(&format!("[defaults]\n{text}")), message, "{text}");
        }
    }

    #[test]
    fn an_invalid_table_is_reported_with_its_place() {
        for (text, message) in [
            (
                "[streams.a]\n[streams.b]\nretries = 301",
                "line 3, column 11: `streams.b.retries`: found integer `301`; accepted is a whole number from 0 to 300",
            ),
            (
                "[streams.'a b']",
                "line 1, column 10: `streams`: found string \"a b\"; accepted is a name of 1 to 64 of the characters a-z A-Z 0-9 _ . -",
            ),
            ("streams = 'a'", "line 1, column 11: `streams`: invalid type: string \"a\", expected a map"),
            ("[[streams]]\na = 1", "line 1, column 1: `streams`: invalid type: sequence, expected a map"),
            (
                "streams.a = 1",
                "line 1, column 13: `streams.a`: invalid type: integer `1`, expected struct StreamOptions",
            ),
            ("[streams]", "line 1, column 1: `streams`: found no stream; accepted are tables [streams.NAME]"),
            ("[streams.a]\n[streams.a]", "line 2, column 10: duplicate key"),
            (
                "pipeline = 1",
                "line 1, column 12: `pipeline`: invalid type: integer `1`, expected struct PipelineOptions",
            ),
        ] {
            assert_eq!(error(text), message, "{text}");
        }
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_name() {
        for (text, message) in [
            (
                "[pipeline]\nbuffer_port = 1",
                "line 2, column 1: unknown key `buffer_port` in [pipeline]: `clicks up --help` lists the options",
            ),
            (
                "[pipeline]\nfirehose_port = 1",
                "line 2, column 1: unknown key `firehose_port`: did you mean `firehose-port`?",
            ),
            (
                "[defaults]\nbufer_seconds = 1",
                "line 2, column 1: unknown key `bufer_seconds`: did you mean `buffer-seconds`?",
            ),
            ("[streams.a]\nretrys = 1", "line 2, column 1: unknown key `retrys`: did you mean `retries`?"),
            ("[default]", "line 1, column 2: unknown key `default`: did you mean `defaults`?"),
            ("[functions.f]\nmemory_mb = 128", "line 2, column 1: unknown key `memory_mb`: did you mean `memory-mb`?"),
            (
                "[functions.f]\nenvironment = { A = 'b' }",
                "line 2, column 1: unknown key `environment` in [functions.f]: accepted are command, directory, env, memory-mb, \
                 timeout-seconds",
            ),
            (
                "[functions.f]\nretries = 1",
                "line 2, column 1: unknown key `retries` in [functions.f]: accepted are command, directory, env, memory-mb, \
                 timeout-seconds",
            ),
            (
                "[pipeline]\nx = 1",
                "line 2, column 1: unknown key `x` in [pipeline]: `clicks up --help` lists the options",
            ),
            (
                "[pipeline]\nconfig = 'x'",
                "line 2, column 1: unknown key `config` in [pipeline]: `clicks up --help` lists the options",
            ),
            ("[defaults]\nport = 1", "line 2, column 1: unknown key `port` in [defaults]: it belongs into [pipeline]"),
            (
                "[streams.a]\nstream = 'b'",
                "line 2, column 1: unknown key `stream` in [streams.a]: it belongs into [pipeline]",
            ),
            (
                "[pipeline]\nretries = 1",
                "line 2, column 1: unknown key `retries` in [pipeline]: it belongs into [defaults] or [streams.NAME]",
            ),
        ] {
            assert_eq!(error(text), message, "{text}");
        }
    }

    #[test]
    fn an_option_outside_of_the_tables_is_an_error_with_their_names() {
        for (text, key) in
            [("port = 1\nretrys = 1", "port"), ("retries = 1", "retries"), ("x = 1", "x"), ("[stream.a]", "stream")]
        {
            let message = error(text);
            assert!(
                message.contains(&format!("unknown key `{key}`: accepted are the tables [pipeline], ")),
                "{message}"
            );
            assert!(message.contains(" [defaults], ") && message.contains(" [streams.NAME], "), "{message}");
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
