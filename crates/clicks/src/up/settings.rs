//! What `clicks up` was asked for, checked: the command line and the file together.

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

/// Everything that `clicks up` runs by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Where all ports are.
    pub(crate) host: IpAddr,
    /// The port of the pages and the edge; 0 is any.
    pub(crate) port: u16,
    /// The port of Firehose's API; 0 is any.
    pub(crate) firehose_port: u16,
    /// The port of Kinesis' API, where a stream reads one; 0 is any.
    pub(crate) kinesis_port: u16,
    /// Which mysfits service is asked.
    pub(crate) service: Service,
    /// The folder of the pages.
    pub(crate) web: PathBuf,
    /// The folder for what is accepted and not delivered; without it, memory.
    pub(crate) state: Option<PathBuf>,
    /// How long a stop waits for a destination that has not taken a single object.
    pub(crate) stop_within: Duration,
    /// The requests that each way of the edge takes in a second.
    pub(crate) rate: u32,
    /// The requests that each way of the edge takes at once after a quiet time.
    pub(crate) burst: u32,
    /// The stream that gets the page's clicks: one of `streams`, if there is one of Direct PUT.
    pub(crate) click_stream: Option<String>,
    /// The collector, if there is to be one.
    pub(crate) collector: Option<CollectorSettings>,
    /// Whether the functions' logs are shown, too.
    pub(crate) verbose: bool,
    /// The file of the functions' logs.
    pub(crate) function_log: PathBuf,
    /// The streams, in the file's order; never none.
    pub(crate) streams: Vec<StreamSettings>,
}

/// Which mysfits service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Service {
    /// One that runs elsewhere.
    Elsewhere {
        /// Its base URL.
        url: String,
        /// The same for the page.
        page: ServiceAddress,
    },
    /// One that is started.
    Local {
        /// Its port; 0 is any.
        port: u16,
        /// What it waits before each answer.
        latency: Duration,
    },
}

/// Why what was asked can't be done. An option is named as it was given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file can't be read.
    #[error("could not read `--config {}`", file.display())]
    Read {
        /// Its path.
        file: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The file does not say what a file may say.
    #[error("{}, {error}", file.display())]
    File {
        /// Its path.
        file: PathBuf,
        /// What is wrong, and where.
        error: FileError,
    },
    /// The file names the streams, and somebody else names the only one.
    #[error(
        "{option} names the only stream, but {} has tables of streams ({}): leave it out",
        file.display(),
        streams.join(", ")
    )]
    NamedTwice {
        /// What names it.
        option: String,
        /// The file.
        file: PathBuf,
        /// Its streams.
        streams: Vec<String>,
    },
    /// Two servers on one port.
    #[error("{first} and {second} are both {port}: give each a port of its own, or 0 for any that is free")]
    SamePort {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// The port.
        port: u16,
    },
    /// What is said of the local service, when there is none.
    #[error("{local} is of the local service, which is not started because of {service}: leave one of them out")]
    NoLocalService {
        /// The option of the local service.
        local: String,
        /// The option with the other service's URL.
        service: String,
    },
    /// A service that the page could not be told of.
    #[error("{option}: {source}")]
    Service {
        /// The option.
        option: String,
        /// What is wrong with it.
        source: ServiceUrlError,
    },
    /// The clicks go to a stream that is not there.
    #[error("{option} is {found}; accepted is one of the streams: {}", streams.join(", "))]
    NoSuchStream {
        /// The option.
        option: String,
        /// The name.
        found: String,
        /// Those that are there.
        streams: Vec<String>,
    },
    /// Several streams, and none that the clicks would go to.
    #[error("which stream gets the clicks? Name one with `--click-stream` or `click-stream` in the file: {}", streams.join(", "))]
    NoClickStream {
        /// Those that are there.
        streams: Vec<String>,
    },
    /// The clicks go to a stream that takes none.
    #[error(
        "{option} is {found}, which reads a data stream: clicks come by Direct PUT; accepted is one of the streams: {}",
        streams.join(", ")
    )]
    ClicksIntoDataStream {
        /// The option.
        option: String,
        /// The name.
        found: String,
        /// Those that take clicks.
        streams: Vec<String>,
    },
    /// An option of data streams, and nothing reads one.
    #[error("{option} is of a data stream: say `source = \"kinesis\"` of its stream, too, or leave it out")]
    NoDataStream {
        /// The option.
        option: String,
    },
    /// The collector's stream is none, or none that reads a data stream.
    #[error("{option} is {found}; accepted is one of the streams with `source = \"kinesis\"`: {}", streams.join(", "))]
    NoSuchDataStream {
        /// The option.
        option: String,
        /// The name.
        found: String,
        /// Those that are there.
        streams: Vec<String>,
    },
    /// A collector that has nowhere to put anything.
    #[error(
        "{option} is of the collector, which runs with `--collector-stream` or `collector-stream` in the file alone"
    )]
    NoCollectorStream {
        /// The option.
        option: String,
    },
    /// Two tables in one place, one of them of a data stream.
    #[error(
        "the streams {first} and {second} both deliver to {destination} under the prefix {prefix}: give each a `prefix` of its \
         own, so that what comes by a data stream is a table of its own"
    )]
    SamePrefix {
        /// One stream.
        first: String,
        /// The other.
        second: String,
        /// Where both deliver to.
        destination: Destination,
        /// The prefix.
        prefix: String,
    },
    /// The folder of the pages is none.
    #[error("{option}: found {}; accepted is the folder of the pages, the `web` of the sources", folder.display())]
    Web {
        /// The option.
        option: String,
        /// What is not there.
        folder: PathBuf,
    },
    /// A function without a command.
    #[error("{option} is empty; accepted is a command, or `none` for no function")]
    NoCommand {
        /// The option.
        option: String,
    },
    /// A command that a shell would not read either.
    #[error("{option}: found `{found}`; accepted is a command with quotes as in a shell")]
    Command {
        /// The option.
        option: String,
        /// The command.
        found: String,
        /// What is wrong with it.
        source: shell_words::ParseError,
    },
    /// Nothing to run.
    #[error(
        "{option}: found `{found}`, which is not an executable file; accepted is one, by its path or by a name in PATH"
    )]
    NotExecutable {
        /// The option.
        option: String,
        /// The command's first word.
        found: String,
    },
    /// A prefix that Firehose would refuse.
    #[error("{option}")]
    Prefix {
        /// The option.
        option: String,
        /// What is wrong with it.
        #[source]
        source: PrefixError,
    },
    /// Objects can't go there.
    #[error("{option}")]
    Destination {
        /// The option.
        option: String,
        /// What is wrong with it.
        #[source]
        source: DestinationError,
    },
    /// Partitions by keys that nobody returns.
    #[error("{partitioning} needs a function that returns the keys: {function} is `none`")]
    KeysWithoutFunction {
        /// The option that asks for partitions.
        partitioning: String,
        /// The option that says that there is no function.
        function: String,
    },
    /// A buffer that is too small for partitions.
    #[error("{option} is {found}; accepted is 64 to 128 with {partitioning}")]
    SmallForPartitions {
        /// The option with the size.
        option: String,
        /// The size in MB.
        found: u32,
        /// The option that asks for partitions.
        partitioning: String,
    },
    /// An endpoint for S3, and nothing goes there.
    #[error("{option} is for a destination s3://BUCKET, and no stream has one")]
    EndpointWithoutS3 {
        /// The option.
        option: String,
    },
}

/// What settings depend on besides options.
struct Surroundings<'a> {
    /// What the function inherits.
    env: Vec<(String, String)>,
    /// What the collector inherits.
    collector_env: Vec<(String, String)>,
    /// The folder of the pages.
    web: PathBuf,
    /// Finds the executable that a command's first word names.
    executable: &'a dyn Fn(&str) -> Option<PathBuf>,
}

impl Settings {
    /// The settings of a command line and of the file that it names.
    pub(crate) fn read(
        pipeline: &PipelineOptions,
        stream: &StreamOptions,
        config: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let file = config.map(|path| Ok::<_, SettingsError>((path, read_file(path)?))).transpose()?;
        let path = env::var_os("PATH").unwrap_or_default();
        let around = Surroundings {
            env: packages::inherited(env::vars_os()),
            collector_env: packages::inherited_by_collector(env::vars_os()),
            web: packages::workspace().join("web"),
            executable: &|word| function::executable(word, &path),
        };
        let file = file.as_ref().map(|(path, file)| (*path, file));
        let settings = Self::from_options(pipeline, stream, file, &around)?;
        if !settings.web.is_dir() {
            let layers = pipeline_layers(pipeline, file);
            let option = layers.find_or("web", |options| options.web.as_ref(), &settings.web).option;
            return Err(SettingsError::Web { option, folder: settings.web });
        }
        Ok(settings)
    }

    /// The settings of a command line and a file's content.
    fn from_options(
        pipeline: &PipelineOptions,
        stream: &StreamOptions,
        file: Option<(&Path, &File)>,
        around: &Surroundings<'_>,
    ) -> Result<Self, SettingsError> {
        let layers = pipeline_layers(pipeline, file);
        let streams = streams::of(&layers, stream, file, around)?;
        let service = addresses::service(&layers)?;
        let Ports { page, firehose, kinesis } = addresses::ports(&layers, &service, &streams)?;
        Ok(Self {
            host: layers.value(|options| options.host).map_or(Ipv4Addr::LOCALHOST.into(), |Host(address)| address),
            port: page,
            firehose_port: firehose,
            kinesis_port: kinesis,
            service,
            web: layers.value(|options| options.web.clone()).unwrap_or_else(|| around.web.clone()),
            state: layers.value(|options| options.state.clone()),
            stop_within: Duration::from_secs(layers.number(|options| options.stop_seconds, 30).into()),
            rate: layers.number(|options| options.rate, 100),
            burst: layers.number(|options| options.burst, 200),
            click_stream: streams::of_clicks(&layers, &streams)?,
            collector: CollectorSettings::from_options(&layers, &streams, around)?,
            verbose: layers.value(|options| options.verbose).unwrap_or(false),
            function_log: layers
                .value(|options| options.function_log.clone())
                .unwrap_or_else(|| PathBuf::from("out/function.log")),
            streams,
        })
    }
}

impl Settings {
    /// Whether a stream is the collector's: what it keeps of requests alone is put there.
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
    let top = file.map(|(path, file)| (Place::Top(path), &file.pipeline));
    Layers([(Place::CommandLine, command_line)].into_iter().chain(top).collect())
}

#[cfg(test)]
mod tests;
