//! The collector: its stream, its command and its environment.

use std::collections::BTreeMap;
use std::time::Duration;

use super::layers::{Found, Layers};
use super::{SettingsContext, SettingsError, function, invalid};
use crate::up::options::{PipelineOptions, StreamName};
use local_firehose::stream::{Command, Source, StreamSettings};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CollectorSettings {
    pub(crate) stream: String,
    /// Without it, the collector of this workspace.
    pub(crate) command: Option<Command>,
    /// For the wait for a process and the function together.
    pub(crate) timeout: Duration,
    pub(crate) concurrency: usize,
    /// Its environment without the stream and the address of Kinesis: each variable once, by name.
    pub(crate) env: Vec<(String, String)>,
}

const PARTITION_KEY_FIELD: &str = "COLLECTOR_PARTITION_KEY_FIELD";

impl CollectorSettings {
    pub(super) fn from_options(
        layers: &Layers<'_, PipelineOptions>,
        streams: &[StreamSettings],
        context: &SettingsContext<'_>,
    ) -> Result<Option<Self>, SettingsError> {
        let command = layers.find("collector", |options| options.collector.as_deref());
        let env = layers.find("collector-env", |options| options.collector_env.first());
        let timeout = layers.find("collector-timeout-seconds", |options| options.collector_timeout_seconds);
        let concurrency = layers.find("collector-concurrency", |options| options.collector_concurrency);
        let Some(stream) = layers.find("collector-stream", |options| options.collector_stream.clone()) else {
            let without_stream = [
                command.map(|found| found.option),
                env.map(|found| found.option),
                timeout.map(|found| found.option),
                concurrency.map(|found| found.option),
            ];
            return match without_stream.into_iter().flatten().next() {
                Some(option) => invalid(
                    &option,
                    "needs a collector; set `--collector-stream` (or `collector-stream` of [pipeline])",
                ),
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
        let command =
            command.map(|found| function::command(&found.option, found.value, context.executable)).transpose()?;
        let mut env: BTreeMap<String, String> = BTreeMap::new();
        env.extend(field.map(|field| (PARTITION_KEY_FIELD.to_owned(), field)));
        env.extend(context.collector_env.iter().cloned());
        for (_, options) in layers.0.iter().rev() {
            env.extend(options.collector_env.iter().cloned());
        }
        Ok(Some(Self {
            stream,
            command,
            timeout: Duration::from_secs(layers.number(|options| options.collector_timeout_seconds, 29).into()),
            concurrency: layers.number(|options| options.collector_concurrency, 5) as usize,
            env: env.into_iter().collect(),
        }))
    }
}
