use clap::Parser;

use super::*;
use crate::command::{Cli, Command};
use crate::up::settings::Settings;

fn settings(options: &[&str]) -> StreamSettings {
    let words = [&["clicks", "up"], options].concat();
    let Command::Up(up) = Cli::try_parse_from(words).unwrap().command else { unreachable!("the subcommand is `up`") };
    Settings::read(&up.pipeline, &up.stream, None).unwrap().streams.remove(0)
}

fn queries_of(options: &[&str], has_clicks: bool) -> SqlQueries {
    queries(&settings(options), has_clicks, false)
}

#[test]
fn clicks_have_a_ranking() {
    let SqlQueries { duckdb, athena } = queries_of(&["--destination", "/data/out"], true);
    let expected = "\
-- The clicks of each mysfit.
SELECT mysfitId, max(species) AS species, max(goodevil) AS goodevil, max(lawchaos) AS lawchaos, count(*) AS clicks
FROM read_json('/data/out/firehose/**/*',
  format = 'newline_delimited', ignore_errors = true, compression = 'auto_detect', hive_partitioning = false,
  columns = {mysfitId: 'VARCHAR', species: 'VARCHAR', goodevil: 'VARCHAR', lawchaos: 'VARCHAR'})
WHERE mysfitId IS NOT NULL
GROUP BY mysfitId
ORDER BY clicks DESC, mysfitId
LIMIT 20;
";
    assert_eq!(duckdb, expected);
    let expected = "\
-- Athena runs one statement at a time: first the table, then the query.
-- Copy the objects into a bucket under the same keys, and write its name for BUCKET.
CREATE EXTERNAL TABLE IF NOT EXISTS `mysfits_clicks` (
  `mysfitid` string,
  `species` string,
  `goodevil` string,
  `lawchaos` string
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
LOCATION 's3://BUCKET/firehose/';

-- The clicks of each mysfit.
SELECT mysfitid, max(species) AS species, max(goodevil) AS goodevil, max(lawchaos) AS lawchaos, count(*) AS clicks
FROM \"mysfits_clicks\"
WHERE mysfitid IS NOT NULL
GROUP BY mysfitid
ORDER BY clicks DESC, mysfitid
LIMIT 20;
";
    assert_eq!(athena, expected);
}

#[test]
fn other_records_are_shown_as_they_are() {
    let options = ["--destination", "s3://shop", "--stream", "Orders.v2", "--prefix", "orders/", "--function", "none"];
    let SqlQueries { duckdb, athena } = queries_of(&options, false);
    let expected = "\
-- The columns, and ten records.
CREATE OR REPLACE SECRET (TYPE s3, PROVIDER credential_chain);
DESCRIBE SELECT * FROM read_json('s3://shop/orders/**/*',
  format = 'unstructured', compression = 'auto_detect', union_by_name = true);
SELECT * FROM read_json('s3://shop/orders/**/*',
  format = 'unstructured', compression = 'auto_detect', union_by_name = true)
LIMIT 10;
";
    assert_eq!(duckdb, expected);
    let expected = "\
-- Athena runs one statement at a time: first the table, then the query.
-- Each record needs a line end of its own: without a function, nothing adds one.
CREATE EXTERNAL TABLE IF NOT EXISTS `orders_v2` (
  `line` string
)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\001' LINES TERMINATED BY '\\n'
LOCATION 's3://shop/orders/';

-- Ten records. A field is json_extract_scalar(line, '$.FIELD').
SELECT line, json_extract(line, '$') AS record
FROM \"orders_v2\"
LIMIT 10;
";
    assert_eq!(athena, expected);
}

const ERRORS: &str = "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/";
const TYPES: &str = "(processing-failed|decompression-failed|partitioning-failed|activePartitionExceeded)";

/// The folder below the bucket, and which keys there are of the stream, or are not.
#[test]
fn the_location_is_the_literal_start_of_the_prefix() {
    let errors = format!("errors/{TYPES}/.*/");
    let types = format!("{TYPES}/.*/");
    for (prefix, error_prefix, backup_prefix, folder, keys) in [
        ("firehose/", ERRORS, None, "firehose/", &[][..]),
        ("firehose/", ERRORS, Some("source/"), "firehose/", &[]),
        ("a/b/!{timestamp:yyyy/MM/dd/HH}/c/", ERRORS, None, "a/b/", &[]),
        // The whole bucket.
        ("", ERRORS, None, "", &[(false, errors.as_str())]),
        ("!{timestamp:yyyy}/", ERRORS, Some("source/"), "", &[(false, &errors), (false, "source/")]),
        ("", "failed", None, "", &[(false, "failed")]),
        // A part of a folder's name.
        ("clicks-", ERRORS, None, "", &[(true, "clicks-")]),
        ("a/clicks.!{timestamp:yyyy}/", ERRORS, None, "a/", &[(true, "a/clicks\\.")]),
        // Below the folder.
        ("a/", "a/errors/", Some("a/source/"), "a/", &[(false, "a/errors/"), (false, "a/source/")]),
        ("a/", "b/", None, "a/", &[]),
        ("a/b/", "a/", None, "a/b/", &[]),
        // Separated by an expression, or by the folders of hours.
        ("", "!{firehose:error-output-type}/!{timestamp:yyyy}/", None, "", &[(false, &types)]),
        ("a/", "a/", None, "a/", &[(false, "a/mysfits-clicks-[0-9]")]),
        (
            "!{timestamp:yyyy}/ok/",
            ERRORS,
            Some("!{timestamp:yyyy}/source/"),
            "",
            &[(false, &errors), (false, ".*/source/")],
        ),
        // Not separated.
        ("!{timestamp:yyyy}/", "e", Some("!{timestamp:yyyy/MM}/"), "", &[(false, "e")]),
    ] {
        let mut options = vec!["--prefix", prefix, "--error-prefix", error_prefix];
        options.extend(backup_prefix.iter().flat_map(|backup| ["--backup-prefix", backup]));
        let location = Location::of(&settings(&options), false);
        let expected: Vec<_> = keys.iter().map(|(is_included, key)| (*is_included, format!("^{key}"))).collect();
        assert_eq!(
            (location.folder.as_str(), location.conditions("")),
            (folder, expected),
            "{prefix:?} {error_prefix:?}"
        );
    }
    // The backup of a created stream may be in another bucket.
    let options = settings(&["--prefix", "", "--error-prefix", "e/", "--backup-prefix", "source/"]);
    assert_eq!(Location::of(&options, true).conditions(""), [(false, "^e/".to_owned())]);
}

#[test]
fn other_objects_are_left_out() {
    let SqlQueries { duckdb, athena } =
        queries_of(&["--destination", "/a.b", "--prefix", "c-", "--error-prefix", "c-e/"], true);
    let files = "\
SET VARIABLE files = (
  SELECT list(file) FROM glob('/a.b/**/*')
  WHERE regexp_matches(file, '^/a\\.b/c-')
  AND NOT regexp_matches(file, '^/a\\.b/c-e/')
);
";
    assert!(duckdb.contains(files) && duckdb.contains("read_json(getvariable('files'),\n"), "{duckdb}");
    let filter = "\
WHERE mysfitid IS NOT NULL
  AND regexp_like(\"$path\", '^s3://[^/]+/c-')
  AND NOT regexp_like(\"$path\", '^s3://[^/]+/c-e/')
GROUP BY";
    assert!(athena.contains(filter) && athena.contains("LOCATION 's3://BUCKET/';"), "{athena}");
    let SqlQueries { athena, .. } = queries_of(&["--prefix", "c-"], false);
    assert!(athena.contains("\nWHERE regexp_like(\"$path\", '^s3://[^/]+/c-')\nLIMIT 10;"), "{athena}");
}

#[test]
fn texts_are_quoted() {
    let options = ["--destination", "/it's [1]*?/out/", "--prefix", "a'b\\c/;--\n!{timestamp:yyyy}/"];
    let SqlQueries { duckdb, athena } = queries_of(&options, true);
    // DuckDB has no escapes in strings, Hive has.
    assert!(duckdb.contains("glob('/it''s [[]1][*][?]/out/a''b\\c/**/*')"), "{duckdb}");
    assert!(duckdb.contains("regexp_matches(file, '^/it''s \\[1\\]\\*\\?/out/a''b\\\\c/;--\n')"), "{duckdb}");
    assert!(athena.contains("LOCATION 's3://BUCKET/a\\'b\\\\c/';"), "{athena}");
    assert!(athena.contains("regexp_like(\"$path\", '^s3://[^/]+/a''b\\\\c/;--\n')"), "{athena}");
    // Keys that a folder can't have are encoded there.
    let SqlQueries { duckdb, athena } = queries_of(&["--destination", "/d", "--prefix", "/a//"], true);
    assert!(duckdb.contains("read_json('/d/%/a/%/**/*',") && athena.contains("'s3://BUCKET//a//'"), "{duckdb}{athena}");
}

#[test]
fn the_compression_is_that_of_the_stream() {
    for (compression, extension, destination, expected, has_comment) in [
        (Compression::None, None, "a", "auto_detect", false),
        (Compression::Gzip, None, "a", "auto_detect", false),
        (Compression::Gzip, Some(".json.gz"), "a", "gzip", false),
        (Compression::Gzip, Some(".json"), "a", "gzip", true),
        (Compression::None, Some(".gz"), "a", "none", false),
        (Compression::None, None, "a?", "none", false),
        (Compression::Gzip, None, "a?", "gzip", false),
    ] {
        let file_extension = extension.map(str::to_owned);
        let settings = StreamSettings { compression, file_extension, ..settings(&["--destination", destination]) };
        let SqlQueries { duckdb, athena } = queries(&settings, true, false);
        assert!(duckdb.contains(&format!(" compression = '{expected}',")), "{extension:?}: {duckdb}");
        assert_eq!(athena.contains("-- Athena decompresses only"), has_comment, "{extension:?}: {athena}");
    }
}

#[test]
fn an_endpoint_is_that_of_the_secret() {
    for (endpoint, expected) in [
        ("http://127.0.0.1:9000", "ENDPOINT '127.0.0.1:9000', URL_STYLE 'path', USE_SSL false);"),
        ("https://s3.test/it's", "ENDPOINT 's3.test/it''s', URL_STYLE 'path', USE_SSL true);"),
    ] {
        let SqlQueries { duckdb, athena } =
            queries_of(&["--destination", "s3://shop", "--s3-endpoint", endpoint], true);
        assert!(duckdb.contains(expected), "{duckdb}");
        assert!(duckdb.contains("FROM read_json('s3://shop/firehose/**/*',"), "{duckdb}");
        assert!(
            athena.contains("-- Athena reads buckets of AWS: copy") && athena.contains("'s3://shop/firehose/'"),
            "{athena}"
        );
    }
}
