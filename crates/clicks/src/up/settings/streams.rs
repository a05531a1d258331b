//! The streams: which there are, and which of them gets the clicks.

use std::path::Path;

use super::layers::{Found, Layers, Place};
use super::stream::S3;
use super::{SettingsError, Surroundings};
use crate::firehose::event::STREAM;
use crate::stream::StreamSettings;
use crate::up::options::{File, PipelineOptions, StreamName, StreamOptions};

/// One stream for each table; without tables, one.
pub(super) fn of(
    pipeline: &Layers<'_, PipelineOptions>,
    command_line: &StreamOptions,
    file: Option<(&Path, &File)>,
    around: &Surroundings<'_>,
) -> Result<Vec<StreamSettings>, SettingsError> {
    let only = pipeline.find("stream", |options| options.stream.clone());
    let Some((path, file)) = file.filter(|(_, file)| !file.streams.is_empty()) else {
        let name = only.map_or_else(|| STREAM.to_owned(), |only| only.value.0);
        let top = file.map(|(path, file)| (Place::Top(path), &file.stream));
        let layers = Layers([(Place::CommandLine, command_line)].into_iter().chain(top).collect());
        endpoint_is_used(&layers)?;
        return Ok(vec![StreamSettings::from_options(name, &layers, around)?]);
    };
    if let Some(Found { option, .. }) = only {
        let streams = file.streams.iter().map(|(name, _)| name.clone()).collect();
        return Err(SettingsError::NamedTwice { option, file: path.to_owned(), streams });
    }
    let (first, last) = ((Place::CommandLine, command_line), (Place::Top(path), &file.stream));
    let tables = file.streams.iter().map(|(name, options)| (Place::Table(path, name), options));
    endpoint_is_used(&Layers([first, last].into_iter().chain(tables.clone()).collect()))?;
    let named = file.streams.iter().map(|(name, _)| name.clone()).zip(tables);
    named.map(|(name, table)| StreamSettings::from_options(name, &Layers(vec![first, table, last]), around)).collect()
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

/// The stream of the edge's clicks.
pub(super) fn of_clicks(
    layers: &Layers<'_, PipelineOptions>,
    streams: &[StreamSettings],
) -> Result<String, SettingsError> {
    let names = || streams.iter().map(|stream| stream.name.clone()).collect();
    let is_there = |name: &str| streams.iter().any(|stream| stream.name == name);
    match layers.find("click-stream", |options| options.click_stream.clone()) {
        Some(Found { value: StreamName(name), .. }) if is_there(&name) => Ok(name),
        Some(Found { option, value: StreamName(found), .. }) => {
            Err(SettingsError::NoSuchStream { option, found, streams: names() })
        }
        None if is_there(STREAM) => Ok(STREAM.to_owned()),
        None => match streams {
            [only] => Ok(only.name.clone()),
            _ => Err(SettingsError::NoClickStream { streams: names() }),
        },
    }
}
