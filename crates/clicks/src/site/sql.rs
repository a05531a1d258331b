//! SQL to copy, which reads what a stream has delivered: for DuckDB and for Amazon Athena.

mod location;

use serde::Serialize;

use self::location::{Location, Place};
use firehose_model::prefix::Compression;
use local_firehose::stream::StreamSettings;

pub(super) const KEY: &str = "mysfitId";
const ATTRIBUTES: [&str; 3] = ["species", "goodevil", "lawchaos"];

/// The queries of a stream, each complete.
#[derive(Debug, Serialize)]
pub(super) struct SqlQueries {
    duckdb: String,
    athena: String,
}

/// A ranking of the mysfits if `has_clicks`; otherwise queries for lines with unknown fields.
pub(super) fn queries(settings: &StreamSettings, has_clicks: bool, has_backup_bucket: bool) -> SqlQueries {
    let location = Location::of(settings, has_backup_bucket);
    let [duckdb, athena] = if has_clicks {
        [duckdb_ranking(settings, &location), athena_ranking(settings, &location)]
    } else {
        [duckdb_lines(settings, &location), athena_lines(settings, &location)]
    };
    SqlQueries { duckdb, athena }
}

fn duckdb_ranking(settings: &StreamSettings, location: &Location) -> String {
    let columns: Vec<_> = [KEY].iter().chain(&ATTRIBUTES).map(|field| format!("{field}: 'VARCHAR'")).collect();
    let columns = format!("hive_partitioning = false,\n  columns = {{{}}}", columns.join(", "));
    let (before, read) = duckdb_read(settings, location, &columns);
    let ranking = ranking(KEY, &read, &format!("WHERE {KEY} IS NOT NULL"));
    format!("-- The clicks of each mysfit.\n{before}{ranking};\n")
}

fn duckdb_lines(settings: &StreamSettings, location: &Location) -> String {
    let (before, read) = duckdb_read(settings, location, "union_by_name = true");
    format!(
        "-- The columns, and ten records.\n{before}DESCRIBE SELECT * FROM {read};\nSELECT * FROM {read}\nLIMIT 10;\n"
    )
}

/// The statements before a query, and the function that reads the objects.
fn duckdb_read(settings: &StreamSettings, location: &Location, options: &str) -> (String, String) {
    let Location { place, .. } = location;
    let mut before = match place {
        Place::Folder(_) => String::new(),
        Place::S3 { endpoint: None, .. } => {
            "CREATE OR REPLACE SECRET (TYPE s3, PROVIDER credential_chain);\n".to_owned()
        }
        Place::S3 { endpoint: Some(endpoint), .. } => {
            let (scheme, host) = endpoint.split_once("://").unwrap_or(("http", endpoint));
            let (host, is_tls) = (quoted(host), scheme == "https");
            format!(
                "-- With the access key of the service, if it is another one.\n\
                 CREATE OR REPLACE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1',\n  \
                 ENDPOINT {host}, URL_STYLE 'path', USE_SSL {is_tls});\n"
            )
        }
    };
    let glob = quoted(&location.glob());
    let conditions = location.conditions(&place.pattern());
    let files = if conditions.is_empty() {
        glob.as_str()
    } else {
        let conditions = filters("regexp_matches(file, ", &conditions);
        before = format!(
            "{before}SET VARIABLE files = (\n  SELECT list(file) FROM glob({glob})\n  WHERE {conditions}\n);\n"
        );
        "getvariable('files')"
    };
    // A function may return lines that are not JSON. Without a function, records have no line ends of their own.
    let format =
        if settings.function.is_some() { "'newline_delimited', ignore_errors = true" } else { "'unstructured'" };
    let compression = duckdb_compression(settings, &glob);
    let read = format!("read_json({files},\n  format = {format}, compression = '{compression}', {options})");
    (before, read)
}

/// `DuckDB` detects it by `.gz` at the end of a name, but not if the path has a question mark, as of a URL.
fn duckdb_compression(settings: &StreamSettings, glob: &str) -> &'static str {
    match settings.compression {
        _ if settings.file_extension.is_none() && !glob.contains('?') => "auto_detect",
        Compression::Gzip => "gzip",
        Compression::None => "none",
    }
}

fn athena_ranking(settings: &StreamSettings, location: &Location) -> String {
    let key = KEY.to_lowercase();
    let columns: Vec<_> =
        [key.as_str()].iter().chain(&ATTRIBUTES).map(|column| format!("  `{column}` string")).collect();
    let format = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'\n\
                  WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')";
    let table = athena_table(settings, location, &columns.join(",\n"), format);
    let ranking = ranking(&key, &athena_name(settings), &athena_filter(location, &format!("WHERE {key} IS NOT NULL")));
    format!("{table}-- The clicks of each mysfit.\n{ranking};\n")
}

fn athena_lines(settings: &StreamSettings, location: &Location) -> String {
    let format = "ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\001' LINES TERMINATED BY '\\n'";
    let table = athena_table(settings, location, "  `line` string", format);
    let (name, filter) = (athena_name(settings), athena_filter(location, ""));
    format!(
        "{table}-- Ten records. A field is json_extract_scalar(line, '$.FIELD').\n\
         SELECT line, json_extract(line, '$') AS record\nFROM {name}\n{filter}LIMIT 10;\n"
    )
}

fn athena_table(settings: &StreamSettings, location: &Location, columns: &str, format: &str) -> String {
    let Location { place, folder, .. } = location;
    let mut text = "-- Athena runs one statement at a time: first the table, then the query.\n".to_owned();
    let bucket = match place {
        Place::Folder(_) => {
            text += "-- Copy the objects into a bucket under the same keys, and write its name for BUCKET.\n";
            "BUCKET"
        }
        Place::S3 { bucket, endpoint } => {
            if endpoint.is_some() {
                text += "-- Athena reads buckets of AWS: copy the objects into one of the same name there.\n";
            }
            bucket
        }
    };
    if settings.function.is_none() {
        text += "-- Each record needs a line end of its own: without a function, nothing adds one.\n";
    }
    let extension = settings.file_extension.as_deref().unwrap_or(settings.compression.extension());
    if settings.compression == Compression::Gzip && extension.strip_suffix(".gz").is_none() {
        text += "-- Athena decompresses only objects whose names end in .gz.\n";
    }
    // Strings of this statement are those of Hive.
    let place = format!("s3://{bucket}/{folder}").replace('\\', "\\\\").replace('\'', "\\'");
    let name = table_name(settings);
    format!("{text}CREATE EXTERNAL TABLE IF NOT EXISTS `{name}` (\n{columns}\n)\n{format}\nLOCATION '{place}';\n\n")
}

/// Below the location may be other objects, whose names are in `$path`.
fn athena_filter(location: &Location, filter: &str) -> String {
    let conditions = location.conditions("s3://[^/]+/");
    let conditions = filters("regexp_like(\"$path\", ", &conditions);
    match (filter, conditions.as_str()) {
        ("", "") => String::new(),
        ("", conditions) => format!("WHERE {conditions}\n"),
        (filter, "") => filter.to_owned(),
        (filter, conditions) => format!("{filter}\n  AND {conditions}"),
    }
}

fn athena_name(settings: &StreamSettings) -> String {
    format!("\"{}\"", table_name(settings))
}

/// Letters, digits and underscores only.
fn table_name(settings: &StreamSettings) -> String {
    let is_valid = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let name = settings.name.to_ascii_lowercase();
    name.chars().map(|char| if is_valid(char) { char } else { '_' }).collect()
}

fn ranking(key: &str, from: &str, filter: &str) -> String {
    let attributes: Vec<_> = ATTRIBUTES.iter().map(|field| format!("max({field}) AS {field}")).collect();
    let attributes = attributes.join(", ");
    format!(
        "SELECT {key}, {attributes}, count(*) AS clicks\nFROM {from}\n{filter}\nGROUP BY {key}\nORDER BY clicks DESC, {key}\n\
         LIMIT 20"
    )
}

/// Calls of a function with the regular expressions of names.
fn filters(call: &str, conditions: &[(bool, String)]) -> String {
    let filter = |(is_included, pattern): &(bool, String)| {
        let not = if *is_included { "" } else { "NOT " };
        format!("{not}{call}{})", quoted(pattern))
    };
    conditions.iter().map(filter).collect::<Vec<_>>().join("\n  AND ")
}

/// A string of SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests;
