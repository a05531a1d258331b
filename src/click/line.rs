//! The enriched line, and the partition keys taken from it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::parse::Click;
use crate::config::{Config, RecordField};
use crate::mysfits::Attributes;
use service_kit::json;

/// The longest partition key. It becomes a part of an object's name, which may have 1,024 bytes in all ("Naming Amazon S3
/// objects", Amazon S3 User Guide).
const MAX_PARTITION_KEY_BYTES: usize = 256;

/// Which fields a line has, in their order, and which of them are partition keys.
#[derive(Clone, Debug)]
pub struct Line {
    columns: Vec<Column>,
    partition_keys: Vec<(String, Source)>,
    extra: Vec<String>,
}

/// What a record tells about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin<'a> {
    /// When it arrived: ISO 8601, UTC, with milliseconds.
    pub arrived_at: Option<String>,
    /// Its id.
    pub record_id: Option<Cow<'a, str>>,
}

/// A part of a line.
#[derive(Clone, Debug)]
enum Column {
    /// One member, with its name and colon as JSON.
    Member(String, Source),
    /// The members of all attributes, which each mysfit keeps ready-made.
    Attributes,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    UserId,
    MysfitId,
    Extra(usize),
    Attribute(usize),
    Record(RecordField),
}

impl Line {
    /// The line that `config` asks for.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut extra = Vec::new();
        let mut click = Vec::new();
        for name in &config.click_fields {
            let source = match name.as_str() {
                "userId" => Source::UserId,
                "mysfitId" => Source::MysfitId,
                _ => {
                    extra.push(name.clone());
                    Source::Extra(extra.len() - 1)
                }
            };
            click.push((name.as_str(), source));
        }
        let attributes: Vec<_> = indexed(&config.mysfit_attributes, Source::Attribute);
        let record: Vec<_> = config.record_fields.iter().map(|field| (field.name(), Source::Record(*field))).collect();

        let member = |(name, source): &(&str, Source)| Column::Member(format!("\"{name}\":"), *source);
        let mut columns: Vec<Column> = click.iter().map(member).collect();
        columns.push(Column::Attributes);
        columns.extend(record.iter().map(member));

        let fields = || click.iter().chain(&attributes).chain(&record);
        let key = |name: &String| fields().find(|(field, _)| field == name).map(|(_, source)| (name.clone(), *source));
        let partition_keys = config.partition_keys.iter().filter_map(key).collect();
        Self { columns, partition_keys, extra }
    }

    /// The names of the click's fields that are kept besides `userId` and `mysfitId`.
    #[must_use]
    pub fn extra_fields(&self) -> &[String] {
        &self.extra
    }

    /// What of a record goes into its lines; left empty where no field asks for it.
    pub fn origin<'a>(
        &self,
        arrived_at: impl FnOnce() -> Option<String>,
        record_id: impl FnOnce() -> Option<Cow<'a, str>>,
    ) -> Origin<'a> {
        let wants =
            |field| self.columns.iter().any(|c| matches!(c, Column::Member(_, s) if *s == Source::Record(field)));
        Origin {
            arrived_at: if wants(RecordField::ArrivedAt) { arrived_at() } else { None },
            record_id: if wants(RecordField::RecordId) { record_id() } else { None },
        }
    }

    /// Appends the line of `click` to `out`: compact JSON, UTF-8 unescaped, and a newline.
    ///
    /// Firehose writes records one after the other as they are, so the newline is what keeps lines apart.
    pub fn write(&self, click: &Click, attributes: Attributes, origin: &Origin, out: &mut Vec<u8>) {
        let mut separator = b'{';
        for column in &self.columns {
            match column {
                Column::Attributes => {
                    out.push(separator);
                    out.extend_from_slice(attributes.members().as_bytes());
                }
                Column::Member(_, Source::Extra(index)) if click.extra(*index).is_none() => continue,
                Column::Member(name, source) => {
                    out.push(separator);
                    out.extend_from_slice(name.as_bytes());
                    write_value(*source, click, attributes, origin, out);
                }
            }
            separator = b',';
        }
        out.extend_from_slice(b"}\n");
    }

    /// The partition keys of `click`'s line by name; `None` where one is missing, `null`, empty, longer than
    /// 256 bytes or no plain value.
    #[must_use]
    pub fn partition_keys(
        &self,
        click: &Click,
        attributes: Attributes,
        origin: &Origin,
    ) -> Option<BTreeMap<&str, String>> {
        let value = |source| {
            let mut json = Vec::new();
            write_value(source, click, attributes, origin, &mut json);
            plain_text(&json)
        };
        self.partition_keys.iter().map(|(name, source)| Some((name.as_str(), value(*source)?))).collect()
    }
}

fn indexed(names: &[String], source: impl Fn(usize) -> Source) -> Vec<(&str, Source)> {
    names.iter().enumerate().map(|(index, name)| (name.as_str(), source(index))).collect()
}

/// Appends the JSON of one value; nothing for a click's field that is not there.
fn write_value(source: Source, click: &Click, attributes: Attributes, origin: &Origin, out: &mut Vec<u8>) {
    match source {
        Source::UserId => json::write_again(&click.user_id, out),
        Source::MysfitId => json::write_again(&click.mysfit_id, out),
        Source::Attribute(index) => out.extend_from_slice(attributes.value(index).as_bytes()),
        Source::Record(RecordField::ArrivedAt) => json::write_text(origin.arrived_at.as_deref(), out),
        Source::Record(RecordField::RecordId) => json::write_text(origin.record_id.as_deref(), out),
        Source::Extra(index) => {
            if let Some(raw) = click.extra(index) {
                let written = json::write_compact(raw.0, json::Mode::Unescape, out);
                debug_assert_eq!(written, Ok(()), "parsing checks every field that is kept");
            }
        }
    }
}

/// A partition key is a non-empty string, so a string's text, or a number or boolean as it is written.
fn plain_text(json: &[u8]) -> Option<String> {
    let value: &RawValue = serde_json::from_slice(json).ok()?;
    let text = match (json::text(value).ok()?, json.first()?) {
        (Some(text), _) => text.into_owned(),
        (None, b'[' | b'{' | b'n') => return None,
        (None, _) => value.get().to_owned(),
    };
    Some(text).filter(|text| (1..=MAX_PARTITION_KEY_BYTES).contains(&text.len()))
}
