//! The settings of `clicks up`: the options of the command line and the file, merged and validated.

mod addresses;
mod collector;
mod function;
mod layers;
mod stream;
mod streams;

use std::env;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use self::collector::CollectorSettings;

use self::addresses::Ports;
use self::layers::{Layers, Place};
use super::options::{File, FileError, Host, PipelineOptions, StreamOptions};
use crate::packages;
use crate::site::{ServiceAddress, ServiceUrlError};
use firehose_model::prefix::PrefixError;
use local_firehose::stream::StreamSettings;
use object_storage::{Destination, DestinationError};

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

/// Why the options are not valid. `option` is the option's name and where it was given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("could not read `--config {}`", file.display())]
    Read {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}, {error}", file.display())]
    File { file: PathBuf, error: FileError },
    #[error(
        "{option}: accepted without tables [streams.NAME] only; {} has the streams {}",
        file.display(),
        streams.join(", ")
    )]
    NamedTwice { option: String, file: PathBuf, streams: Vec<String> },
    #[error("{first} and {second}: both are {port}; accepted are different ports, or 0 for any free one")]
    SamePort { first: String, second: String, port: u16 },
    #[error("{local}: is for the local service, which does not start with {service}; leave one of them out")]
    NoLocalService { local: String, service: String },
    #[error("{option}: {source}")]
    Service { option: String, source: ServiceUrlError },
    #[error("{option}: found {found}; accepted is one of the streams: {}", streams.join(", "))]
    NoSuchStream { option: String, found: String, streams: Vec<String> },
    #[error(
        "no stream is chosen for the clicks: found {}; choose one with `--click-stream` (or `click-stream` of [pipeline])",
        streams.join(", ")
    )]
    NoClickStream { streams: Vec<String> },
    #[error(
        "{option}: found {found}, which reads a data stream; accepted is one of the streams of Direct PUT: {}",
        streams.join(", ")
    )]
    ClicksIntoDataStream { option: String, found: String, streams: Vec<String> },
    #[error("{option}: needs a stream with `source = \"kinesis\"`; set that, or leave the option out")]
    NoDataStream { option: String },
    #[error("{option}: found {found}; accepted is one of the streams with `source = \"kinesis\"`: {}", streams.join(", "))]
    NoSuchDataStream { option: String, found: String, streams: Vec<String> },
    #[error("{option}: needs a collector; set `--collector-stream` (or `collector-stream` of [pipeline])")]
    NoCollectorStream { option: String },
    #[error(
        "the streams {first} and {second} both deliver to {destination} under the prefix {prefix}: give each a `prefix` of its \
         own, because the records of a data stream are a separate table"
    )]
    SamePrefix { first: String, second: String, destination: Destination, prefix: String },
    #[error("{option}: found {}; accepted is the folder of the pages, the `web` of the sources", folder.display())]
    Web { option: String, folder: PathBuf },
    #[error("{option}: found no command; accepted is a command, or `none` for no function")]
    NoCommand { option: String },
    #[error("{option}: found `{found}`; accepted is a command with quotes as in a shell")]
    Command { option: String, found: String, source: shell_words::ParseError },
    #[error(
        "{option}: found `{found}`, which is not an executable file; accepted is one, by its path or by a name in PATH"
    )]
    NotExecutable { option: String, found: String },
    #[error("{option}")]
    Prefix {
        option: String,
        #[source]
        source: PrefixError,
    },
    #[error("{option}")]
    Destination {
        option: String,
        #[source]
        source: DestinationError,
    },
    #[error("{partitioning}: needs a function that returns partition keys; {function} is `none`")]
    KeysWithoutFunction { partitioning: String, function: String },
    #[error("{option}: found {found}; accepted is 64 to 128 with {partitioning}")]
    SmallForPartitions { option: String, found: u32, partitioning: String },
    #[error("{option}: needs a destination s3://BUCKET; no stream has one")]
    EndpointWithoutS3 { option: String },
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
            return Err(SettingsError::Web { option, folder: settings.web });
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
    let text = fs::read_to_string(path).map_err(|source| SettingsError::Read { file: path.to_owned(), source })?;
    File::parse(&text).map_err(|error| SettingsError::File { file: path.to_owned(), error })
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
