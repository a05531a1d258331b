//! The settings of `clicks up`: the options of the command line and the file, merged and validated.

mod addresses;
mod collector;
mod function;
mod layers;
mod stream;
mod streams;

use std::env;
use std::fmt::Display;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use self::collector::CollectorSettings;

use self::addresses::Ports;
use self::layers::{Layers, Place};
use super::options::{File, Host, PipelineOptions, StreamOptions};
use crate::packages;
use crate::site::ServiceAddress;
use local_firehose::stream::StreamSettings;

/// The checked settings of `clicks up`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// The address of all ports.
    pub(crate) host: IpAddr,
    /// The port of the pages and the edge; 0 is any free one, as for all ports.
    pub(crate) port: u16,
    pub(crate) firehose_port: u16,
    /// Used when a stream reads a data stream.
    pub(crate) kinesis_port: u16,
    pub(crate) service: Service,
    /// The folder of the pages.
    pub(crate) web: PathBuf,
    /// The folder of accepted records that are not delivered yet. Without it, they are in memory.
    pub(crate) state: Option<PathBuf>,
    /// How long a stop waits for a destination that has not accepted a single object.
    pub(crate) stop_within: Duration,
    /// Requests per second of each route of the edge.
    pub(crate) rate: u32,
    /// Requests at once of each route of the edge.
    pub(crate) burst: u32,
    /// The stream of the page's clicks, if any stream has Direct PUT as its source.
    pub(crate) click_stream: Option<String>,
    pub(crate) collector: Option<CollectorSettings>,
    /// Whether the functions' logs are printed, too.
    pub(crate) verbose: bool,
    pub(crate) function_log: PathBuf,
    /// The streams, in the file's order; at least one.
    pub(crate) streams: Vec<StreamSettings>,
}

/// The mysfits service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Service {
    External {
        /// The base URL, for functions.
        url: String,
        /// The base URL, for the page.
        page: ServiceAddress,
    },
    Local {
        port: u16,
        /// The delay of each response.
        latency: Duration,
    },
}

/// Why the options are not valid.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SettingsError(String);

/// An error about an option, which is named with the place where it was given.
fn invalid<T>(option: &str, problem: impl Display) -> Result<T, SettingsError> {
    Err(SettingsError(format!("{option}: {problem}")))
}

/// What settings depend on besides options.
struct SettingsContext<'a> {
    /// The variables that the function inherits.
    env: Vec<(String, String)>,
    /// The variables that the collector inherits.
    collector_env: Vec<(String, String)>,
    /// The default folder of the pages.
    web: PathBuf,
    /// Finds the executable of a command's first word.
    executable: &'a dyn Fn(&str) -> Option<PathBuf>,
}

impl Settings {
    /// Reads the file and the environment, and validates all options.
    pub(crate) fn read(
        pipeline: &PipelineOptions,
        stream: &StreamOptions,
        config: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let file = config.map(|path| Ok::<_, SettingsError>((path, read_file(path)?))).transpose()?;
        let path = env::var_os("PATH").unwrap_or_default();
        let context = SettingsContext {
            env: packages::inherited(env::vars_os()),
            collector_env: packages::inherited_by_collector(env::vars_os()),
            web: packages::workspace().join("web"),
            executable: &|word| function::executable(word, &path),
        };
        let file = file.as_ref().map(|(path, file)| (*path, file));
        let settings = Self::from_options(pipeline, stream, file, &context)?;
        if !settings.web.is_dir() {
            let layers = pipeline_layers(pipeline, file);
            let option = layers.find_or("web", |options| options.web.as_ref(), &settings.web).option;
            let found = settings.web.display();
            return invalid(
                &option,
                format_args!("found {found}; accepted is the folder of the pages, the `web` of the sources"),
            );
        }
        Ok(settings)
    }

    fn from_options(
        pipeline: &PipelineOptions,
        stream: &StreamOptions,
        file: Option<(&Path, &File)>,
        context: &SettingsContext<'_>,
    ) -> Result<Self, SettingsError> {
        let layers = pipeline_layers(pipeline, file);
        let streams = streams::from_options(&layers, stream, file, context)?;
        let service = addresses::service(&layers)?;
        let Ports { page, firehose, kinesis } = addresses::ports(&layers, &service, &streams)?;
        Ok(Self {
            host: layers.value(|options| options.host).map_or(Ipv4Addr::LOCALHOST.into(), |Host(address)| address),
            port: page,
            firehose_port: firehose,
            kinesis_port: kinesis,
            service,
            web: layers.value(|options| options.web.clone()).unwrap_or_else(|| context.web.clone()),
            state: layers.value(|options| options.state.clone()),
            stop_within: Duration::from_secs(layers.number(|options| options.stop_seconds, 30).into()),
            rate: layers.number(|options| options.rate, 100),
            burst: layers.number(|options| options.burst, 200),
            click_stream: streams::click_stream(&layers, &streams)?,
            collector: CollectorSettings::from_options(&layers, &streams, context)?,
            verbose: layers.value(|options| options.verbose).unwrap_or(false),
            function_log: layers
                .value(|options| options.function_log.clone())
                .unwrap_or_else(|| PathBuf::from("out/function.log")),
            streams,
        })
    }

    /// Whether only the collector puts into a stream.
    pub(super) fn is_of_collector(&self, stream: &str) -> bool {
        self.collector.as_ref().is_some_and(|collector| collector.stream == stream)
    }
}

fn read_file(path: &Path) -> Result<File, SettingsError> {
    let name = path.display();
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| SettingsError(format!("could not read `--config {name}`: {error}")))?;
    File::parse(&text).map_err(|error| SettingsError(format!("{name}, {error}")))
}

fn pipeline_layers<'a>(
    command_line: &'a PipelineOptions,
    file: Option<(&'a Path, &'a File)>,
) -> Layers<'a, PipelineOptions> {
    let table = file.map(|(path, file)| (Place::Table(path, "pipeline"), &file.pipeline));
    Layers([(Place::CommandLine, command_line)].into_iter().chain(table).collect())
}

#[cfg(test)]
mod tests;
