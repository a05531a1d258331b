//! All streams, and which of them receives the clicks.

use std::path::Path;
use std::slice;

use super::layers::{Found, Layers, Place};
use super::stream::{self, S3};
use super::{SettingsContext, SettingsError, invalid};
use crate::up::options::{File, PipelineOptions, StreamName, StreamOptions};
use firehose_model::event::STREAM;
use local_firehose::stream::{Source, StreamSettings};

pub(super) fn from_options(
    pipeline: &Layers<'_, PipelineOptions>,
    command_line: &StreamOptions,
    file: Option<(&Path, &File)>,
    context: &SettingsContext<'_>,
) -> Result<Vec<StreamSettings>, SettingsError> {
    let only = pipeline.find("stream", |options| options.stream.clone());
    let collector = pipeline.value(|options| options.collector_stream.clone());
    let command_line = (Place::CommandLine, command_line);
    let defaults = file.map(|(path, file)| (Place::Table(path, "defaults"), &file.defaults));
    let tables: Vec<(String, Option<_>)> = match (file.filter(|(_, file)| !file.streams.is_empty()), only) {
        (Some((path, file)), Some(Found { option, .. })) => {
            let streams = file.streams.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let path = path.display();
            return invalid(
                &option,
                format_args!("accepted without tables [streams.NAME] only; {path} has the streams {streams}"),
            );
        }
        (Some((path, file)), None) => {
            let tables = file.streams.iter();
            tables.map(|(name, options)| (name.clone(), Some((Place::Stream(path, name), options)))).collect()
        }
        (None, only) => vec![(only.map_or_else(|| STREAM.to_owned(), |only| only.value.0), None)],
    };
    let tables_only = tables.iter().filter_map(|(_, table)| *table);
    let all = Layers([command_line].into_iter().chain(defaults).chain(tables_only).collect());
    endpoint_is_used(&all)?;
    let mut streams = Vec::new();
    for (name, table) in tables {
        let is_of_collector = collector.as_ref().is_some_and(|collector| collector.0 == name);
        let layers = Layers([command_line].into_iter().chain(table).chain(defaults).collect());
        let stream = stream::from_options(name, &layers, is_of_collector, context)?;
        shards_are_used(&Layers(table.into_iter().collect()), slice::from_ref(&stream))?;
        streams.push(stream);
    }
    shards_are_used(&all, &streams)?;
    prefixes_differ(&streams)?;
    Ok(streams)
}

/// The records of a data stream are a table, which a query finds by its prefix. (Streams of Direct PUT may share a prefix,
/// because all their records are clicks.)
fn prefixes_differ(streams: &[StreamSettings]) -> Result<(), SettingsError> {
    for (index, second) in streams.iter().enumerate() {
        let same = streams[..index].iter().find(|first| {
            let direct = [first, &second].iter().all(|stream| stream.source == Source::DirectPut);
            !direct && first.destination == second.destination && first.prefix == second.prefix
        });
        if let Some(first) = same {
            return Err(SettingsError(format!(
                "the streams {} and {} both deliver to {} under the prefix {}: give each a `prefix` of its own, because the \
                 records of a data stream are a separate table",
                first.name,
                second.name,
                second.destination,
                second.prefix.text()
            )));
        }
    }
    Ok(())
}

/// Shards and partition keys need a data stream. (An option for all streams is for those that read one.)
fn shards_are_used(layers: &Layers<'_, StreamOptions>, streams: &[StreamSettings]) -> Result<(), SettingsError> {
    match stream::option_of_data_streams(layers) {
        Some(option) if streams.iter().all(|stream| stream.source == Source::DirectPut) => {
            invalid(&option, "needs a stream with `source = \"kinesis\"`; set that, or leave the option out")
        }
        _ => Ok(()),
    }
}

/// An endpoint for S3 needs a destination there. (Other streams of the file may deliver to a folder.)
fn endpoint_is_used(all: &Layers<'_, StreamOptions>) -> Result<(), SettingsError> {
    let has_s3 = |options: &StreamOptions| options.destination.as_deref().filter(|text| text.starts_with(S3)).map(drop);
    match all.find("s3-endpoint", |options| options.s3_endpoint.as_ref()) {
        Some(endpoint) if all.value(has_s3).is_none() => {
            invalid(&endpoint.option, "needs a destination s3://BUCKET; no stream has one")
        }
        _ => Ok(()),
    }
}

/// The stream of the page's clicks: one of Direct PUT, because in the cloud the page's API puts into Firehose. Without such a
/// stream, there is no route for clicks.
pub(super) fn click_stream(
    layers: &Layers<'_, PipelineOptions>,
    streams: &[StreamSettings],
) -> Result<Option<String>, SettingsError> {
    let direct = streams.iter().filter(|stream| stream.source == Source::DirectPut);
    let names: Vec<&str> = direct.map(|stream| stream.name.as_str()).collect();
    let accepted = names.join(", ");
    match layers.find("click-stream", |options| options.click_stream.clone()) {
        Some(Found { value: StreamName(name), .. }) if names.contains(&name.as_str()) => Ok(Some(name)),
        Some(Found { option, value: StreamName(found), .. }) => {
            let problem = if streams.iter().any(|stream| stream.name == found) {
                format!(
                    "found {found}, which reads a data stream; accepted is one of the streams of Direct PUT: {accepted}"
                )
            } else {
                format!("found {found}; accepted is one of the streams: {accepted}")
            };
            invalid(&option, problem)
        }
        None if names.contains(&STREAM) => Ok(Some(STREAM.to_owned())),
        None => match names[..] {
            [] => Ok(None),
            [only] => Ok(Some(only.to_owned())),
            _ => Err(SettingsError(format!(
                "no stream is chosen for the clicks: found {accepted}; choose one with `--click-stream` (or `click-stream` of \
                 [pipeline])"
            ))),
        },
    }
}
