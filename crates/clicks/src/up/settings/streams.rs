//! The streams: which there are, and which of them gets the clicks.

use std::path::Path;
use std::slice;

use super::layers::{Found, Layers, Place};
use super::stream::{S3, of_data_streams};
use super::{SettingsError, Surroundings};
use crate::up::options::{File, PipelineOptions, StreamName, StreamOptions};
use firehose_model::event::STREAM;
use local_firehose::stream::{Source, StreamSettings};

/// One stream for each table; without tables, one.
pub(super) fn of(
    pipeline: &Layers<'_, PipelineOptions>,
    command_line: &StreamOptions,
    file: Option<(&Path, &File)>,
    around: &Surroundings<'_>,
) -> Result<Vec<StreamSettings>, SettingsError> {
    let only = pipeline.find("stream", |options| options.stream.clone());
    let collector = pipeline.value(|options| options.collector_stream.clone());
    let from_options = |name: String, layers: &Layers<'_, StreamOptions>| {
        let of_collector = collector.as_ref().is_some_and(|collector| collector.0 == name);
        super::stream::of_options(name, layers, of_collector, around)
    };
    let Some((path, file)) = file.filter(|(_, file)| !file.streams.is_empty()) else {
        let name = only.map_or_else(|| STREAM.to_owned(), |only| only.value.0);
        let top = file.map(|(path, file)| (Place::Top(path), &file.stream));
        let layers = Layers([(Place::CommandLine, command_line)].into_iter().chain(top).collect());
        endpoint_is_used(&layers)?;
        let streams = vec![from_options(name, &layers)?];
        shards_are_used(&layers, &streams)?;
        return Ok(streams);
    };
    if let Some(Found { option, .. }) = only {
        let streams = file.streams.iter().map(|(name, _)| name.clone()).collect();
        return Err(SettingsError::NamedTwice { option, file: path.to_owned(), streams });
    }
    let (first, last) = ((Place::CommandLine, command_line), (Place::Top(path), &file.stream));
    let tables = file.streams.iter().map(|(name, options)| (Place::Table(path, name), options));
    let all = Layers([first, last].into_iter().chain(tables.clone()).collect());
    endpoint_is_used(&all)?;
    let named = file.streams.iter().map(|(name, _)| name.clone()).zip(tables.clone());
    let streams = named.map(|(name, table)| from_options(name, &Layers(vec![first, table, last])));
    let streams: Vec<StreamSettings> = streams.collect::<Result<_, _>>()?;
    for (stream, table) in streams.iter().zip(tables) {
        shards_are_used(&Layers(vec![table]), slice::from_ref(stream))?;
    }
    shards_are_used(&all, &streams)?;
    prefixes_differ(&streams)?;
    Ok(streams)
}

/// What comes by a data stream is a table of its own, which a query finds by its prefix. (Streams of Direct PUT may well share
/// one: their records are all clicks.)
fn prefixes_differ(streams: &[StreamSettings]) -> Result<(), SettingsError> {
    for (index, second) in streams.iter().enumerate() {
        let same = streams[..index].iter().find(|first| {
            let direct = [first, &second].iter().all(|stream| stream.source == Source::DirectPut);
            !direct && first.destination == second.destination && first.prefix == second.prefix
        });
        if let Some(first) = same {
            return Err(SettingsError::SamePrefix {
                first: first.name.clone(),
                second: second.name.clone(),
                destination: second.destination.clone(),
                prefix: second.prefix.text().to_owned(),
            });
        }
    }
    Ok(())
}

/// Shards and partition keys are of a data stream. (What is said for all streams is for those that read one.)
fn shards_are_used(layers: &Layers<'_, StreamOptions>, streams: &[StreamSettings]) -> Result<(), SettingsError> {
    match of_data_streams(layers) {
        Some(option) if streams.iter().all(|stream| stream.source == Source::DirectPut) => {
            Err(SettingsError::NoDataStream { option })
        }
        _ => Ok(()),
    }
}

/// An endpoint for S3 is for something. (A stream of the file may well go to a folder while another goes to S3.)
fn endpoint_is_used(all: &Layers<'_, StreamOptions>) -> Result<(), SettingsError> {
    let to_s3 = |options: &StreamOptions| options.destination.as_deref().filter(|text| text.starts_with(S3)).map(drop);
    match all.find("s3-endpoint", |options| options.s3_endpoint.as_ref()) {
        Some(endpoint) if all.value(to_s3).is_none() => {
            Err(SettingsError::EndpointWithoutS3 { option: endpoint.option })
        }
        _ => Ok(()),
    }
}

/// The stream of the page's clicks: one of Direct PUT, as the page's edge in the cloud puts into Firehose. Without such a
/// stream, there is no way for clicks.
pub(super) fn of_clicks(
    layers: &Layers<'_, PipelineOptions>,
    streams: &[StreamSettings],
) -> Result<Option<String>, SettingsError> {
    let direct = streams.iter().filter(|stream| stream.source == Source::DirectPut);
    let names: Vec<&str> = direct.map(|stream| stream.name.as_str()).collect();
    let told = || names.iter().map(|name| (*name).to_owned()).collect();
    match layers.find("click-stream", |options| options.click_stream.clone()) {
        Some(Found { value: StreamName(name), .. }) if names.contains(&name.as_str()) => Ok(Some(name)),
        Some(Found { option, value: StreamName(found), .. }) => {
            if streams.iter().any(|stream| stream.name == found) {
                return Err(SettingsError::ClicksIntoDataStream { option, found, streams: told() });
            }
            Err(SettingsError::NoSuchStream { option, found, streams: told() })
        }
        None if names.contains(&STREAM) => Ok(Some(STREAM.to_owned())),
        None => match names[..] {
            [] => Ok(None),
            [only] => Ok(Some(only.to_owned())),
            _ => Err(SettingsError::NoClickStream { streams: told() }),
        },
    }
}
