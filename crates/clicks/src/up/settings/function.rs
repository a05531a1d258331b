//! The functions: that of a stream, and the collector. Each has a command and an environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use runtime_api::FunctionSettings;

use super::{Found, Layers, SettingsContext, invalid};
use crate::error::UsageError;
use crate::function_command;
use crate::packages::{COLLECTOR, PROCESSOR};
use crate::up::options::{LogFormat, PipelineOptions, StreamName, StreamOptions, Whole};
use local_firehose::control::FunctionMap;
use local_firehose::stream::{Source, StreamSettings};

pub(super) const NO_FUNCTION: &str = "none";

pub(super) const OF_WORKSPACE: &str = "processor";

/// The fields that `web/clicks.js` sends.
const CLICK_IDENTITY: &str = "userId,mysfitId,clickId,clickedAt";

const PARTITION_KEY_FIELD: &str = "COLLECTOR_PARTITION_KEY_FIELD";

/// The function's timeout is for the wait for a process and the invocation together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CollectorSettings {
    pub(crate) stream: String,
    pub(crate) concurrency: usize,
    pub(crate) function: FunctionSettings,
}

/// Records of a data stream need not be clicks, so none is the default there. The workspace's own has no command until it is built. One
/// of `functions` has the options of its table, unless the stream has others.
pub(super) fn from_options(
    layers: &Layers<'_, StreamOptions>,
    source: &Source,
    functions: &FunctionMap,
    context: &SettingsContext<'_>,
) -> Result<Option<FunctionSettings>, UsageError> {
    let default = if *source == Source::DirectPut { OF_WORKSPACE } else { NO_FUNCTION };
    let found = layers.find_or("function", |options| options.function.as_deref(), default);
    let unnamed =
        |function: FunctionSettings| FunctionSettings { function_name: PROCESSOR.name.to_owned(), ..function };
    let function = match (found.value, functions.get(found.value)) {
        (NO_FUNCTION, _) => return Ok(None),
        (OF_WORKSPACE, _) => unnamed(FunctionSettings::new(PathBuf::new())),
        (_, Some(named)) => named.clone(),
        (text, None) if text.trim().is_empty() => {
            return invalid(&found.option, "found no command; accepted is a command, or `none` for no function");
        }
        (text, None) => unnamed(function_command::parse(&found.option, text, context.executable)?),
    };
    let timeout = layers.value(|options| options.timeout_seconds);
    Ok(Some(FunctionSettings {
        env: environment(layers, &context.env, &function.env),
        memory_mb: layers.number(|options| options.memory_mb, function.memory_mb),
        timeout: timeout.map_or(function.timeout, |Whole(seconds)| Duration::from_secs(seconds.into())),
        ..function
    }))
}

pub(super) fn collector(
    layers: &Layers<'_, PipelineOptions>,
    streams: &[StreamSettings],
    context: &SettingsContext<'_>,
) -> Result<Option<CollectorSettings>, UsageError> {
    let Some(stream) = layers.find("collector-stream", |options| options.collector_stream.clone()) else {
        let without_stream = [
            layers.find("collector", |options| options.collector.as_ref().map(drop)),
            layers.find("collector-env", |options| options.collector_env.first().map(drop)),
            layers.find("collector-timeout-seconds", |options| options.collector_timeout_seconds.map(drop)),
            layers.find("collector-concurrency", |options| options.collector_concurrency.map(drop)),
        ];
        return match without_stream.into_iter().flatten().next() {
            Some(Found { option, .. }) => {
                invalid(&option, "needs a collector; set `--collector-stream` (or `collector-stream` of [pipeline])")
            }
            None => Ok(None),
        };
    };
    let Found { option, value: StreamName(stream), .. } = stream;
    let source = streams.iter().find(|known| known.name == stream).map(|known| &known.source);
    let Some(Source::Kinesis(data_stream)) = source else {
        let of_kinesis = streams.iter().filter(|stream| stream.source != Source::DirectPut);
        let accepted = of_kinesis.map(|stream| stream.name.as_str()).collect::<Vec<_>>().join(", ");
        return invalid(
            &option,
            format_args!("found {stream}; accepted is one of the streams with `source = \"kinesis\"`: {accepted}"),
        );
    };
    let field = data_stream.partition_key_field.clone();
    let function = match layers.find("collector", |options| options.collector.as_deref()) {
        Some(found) => function_command::parse(&found.option, found.value, context.executable)?,
        None => FunctionSettings::new(PathBuf::new()),
    };
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    env.extend(field.map(|field| (PARTITION_KEY_FIELD.to_owned(), field)));
    env.extend(context.collector_env.iter().cloned());
    env.extend(layers.0.iter().rev().flat_map(|(_, options)| options.collector_env.iter().cloned()));
    Ok(Some(CollectorSettings {
        stream,
        concurrency: layers.number(|options| options.collector_concurrency, 5) as usize,
        function: FunctionSettings {
            function_name: COLLECTOR.name.to_owned(),
            env: env.into_iter().collect(),
            timeout: Duration::from_secs(layers.number(|options| options.collector_timeout_seconds, 29).into()),
            ..function
        },
    }))
}

/// The inherited variables; over them, those of Lambda's logging configuration; over those, the function's own, and the option's.
fn environment(
    layers: &Layers<'_, StreamOptions>,
    inherited: &[(String, String)],
    own: &[(String, String)],
) -> Vec<(String, String)> {
    let mut env: BTreeMap<String, String> = inherited.iter().cloned().collect();
    let format = match layers.value(|options| options.log_format) {
        None | Some(LogFormat::Json) => "JSON",
        Some(LogFormat::Text) => "Text",
    };
    env.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), format.to_owned());
    if let Some(level) = layers.value(|options| options.log_level.as_ref()?.to_possible_value()) {
        env.insert("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.get_name().to_uppercase());
    }
    if layers.value(|options| options.click_identity) == Some(true) {
        env.insert("EVENT_FIELDS".to_owned(), CLICK_IDENTITY.to_owned());
    }
    env.extend(own.iter().cloned());
    env.extend(layers.0.iter().rev().flat_map(|(_, options)| options.env.iter().cloned()));
    env.into_iter().collect()
}
