//! The settings of `clicks up`: the options of the command line and the file, merged and validated.

mod function;
mod functions;
mod streams;

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use super::options::{File, Host, PipelineOptions, Port, StreamOptions};
use crate::edge::IngestionPaths;
use crate::error::UsageError;
use crate::function_command;
use crate::packages;
use crate::site::{Pages, ServiceAddress};
use crate::up::options::Whole;
use firehose_model::batch::MB;
use local_firehose::control::FunctionMap;
use local_firehose::stream::{Source, StreamSettings};

pub(crate) use self::function::CollectorSettings;

const SERVICE_PORT: u16 = 8002;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) firehose_port: u16,
    pub(crate) kinesis_port: u16,
    pub(crate) service: Service,
    pub(crate) pages: Pages,
    pub(crate) state: Option<PathBuf>,
    pub(crate) retention_bytes: usize,
    pub(crate) recent_records_bytes: usize,
    pub(crate) stop_within: Duration,
    pub(crate) rate: u32,
    pub(crate) burst: u32,
    pub(crate) click_stream: Option<String>,
    pub(crate) collector: Option<CollectorSettings>,
    pub(crate) verbose: bool,
    pub(crate) json: bool,
    pub(crate) function_log: PathBuf,
    /// Those of streams that callers create.
    pub(crate) functions: FunctionMap,
    pub(crate) streams: Vec<StreamSettings>,
}

/// Without `files`, a local service has the mysfits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Service {
    External { url: String, page: ServiceAddress },
    Local { port: u16, latency: Duration, files: Option<PathBuf> },
}

/// The functions of a file, which has nothing else, and of entries NAME=COMMAND. Commands are found as by a shell.
pub(crate) fn functions_of(config: Option<&Path>, entries: &[String]) -> Result<FunctionMap, UsageError> {
    let file = config.map(read_file).transpose()?;
    let file = config.zip(file.as_ref());
    if let Some((path, table)) = file.and_then(|(path, file)| Some((path, file.of_pipeline()?))) {
        let accepted = "accepted are tables [functions.NAME] only; the others are for `clicks up`";
        return invalid(&format!("`--config {}`", path.display()), format_args!("found {table}; {accepted}"));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    functions::mapped(file, entries, &|word| function_command::executable(word, &path))
}

fn invalid<T>(option: &str, problem: impl Display) -> Result<T, UsageError> {
    Err(UsageError(format!("{option}: {problem}")))
}

struct SettingsContext<'a> {
    env: Vec<(String, String)>,
    collector_env: Vec<(String, String)>,
    pages: Pages,
    executable: &'a dyn Fn(&str) -> Option<PathBuf>,
}

impl Settings {
    pub(crate) fn read(
        pipeline: &PipelineOptions,
        stream: &StreamOptions,
        config: Option<&Path>,
    ) -> Result<Self, UsageError> {
        let file = config.map(read_file).transpose()?;
        let path = env::var_os("PATH").unwrap_or_default();
        let context = SettingsContext {
            env: packages::inherited(env::vars_os()),
            collector_env: packages::inherited_by_collector(env::vars_os()),
            pages: packages::workspace().map_or(Pages::Embedded, |workspace| Pages::Folder(workspace.join("web"))),
            executable: &|word| function_command::executable(word, &path),
        };
        let file = config.zip(file.as_ref());
        let settings = Self::from_options(pipeline, stream, file, &context)?;
        if let Some(warning) = function_of_all_streams(stream, file) {
            tracing::warn!("{warning}");
        }
        if let Pages::Folder(web) = &settings.pages
            && !web.is_dir()
        {
            let option = pipeline_layers(pipeline, file).find_or("web", |options| options.web.as_ref(), web).option;
            let accepted = "accepted is the folder of the pages, the `web` of the sources";
            return invalid(&option, format_args!("found {}; {accepted}", web.display()));
        }
        Ok(settings)
    }

    fn from_options(
        pipeline: &PipelineOptions,
        stream: &StreamOptions,
        file: Option<(&Path, &File)>,
        context: &SettingsContext<'_>,
    ) -> Result<Self, UsageError> {
        let layers = pipeline_layers(pipeline, file);
        let functions = functions::mapped(file, &[], context.executable)?;
        let streams = streams::from_options(&layers, stream, file, &functions, context)?;
        let service = service(&layers)?;
        let [port, firehose_port, kinesis_port] = ports(&layers, &service, &streams)?;
        Ok(Self {
            host: layers.value(|options| options.host).map_or(Ipv4Addr::LOCALHOST.into(), |Host(address)| address),
            port,
            firehose_port,
            kinesis_port,
            service,
            pages: layers.value(|options| options.web.clone()).map_or_else(|| context.pages.clone(), Pages::Folder),
            state: layers.value(|options| options.state.clone()),
            retention_bytes: layers.number(|options| options.retention_mb, 256) as usize * MB,
            recent_records_bytes: layers.number(|options| options.recent_records_mb, 32) as usize * MB,
            stop_within: Duration::from_secs(layers.number(|options| options.stop_seconds, 30).into()),
            rate: layers.number(|options| options.rate, 100),
            burst: layers.number(|options| options.burst, 200),
            click_stream: streams::click_stream(&layers, &streams)?,
            collector: function::collector(&layers, &streams, context)?,
            verbose: layers.value(|options| options.verbose).unwrap_or(false),
            json: layers.value(|options| options.json).unwrap_or(false),
            function_log: layers
                .value(|options| options.function_log.clone())
                .unwrap_or_else(|| PathBuf::from("out/function.log")),
            functions,
            streams,
        })
    }

    pub(super) fn is_of_collector(&self, stream: &str) -> bool {
        self.collector.as_ref().is_some_and(|collector| collector.stream == stream)
    }

    pub(super) fn ingestion_paths(&self) -> IngestionPaths {
        let collector_stream = self.collector.as_ref().map(|collector| collector.stream.clone());
        IngestionPaths { click_stream: self.click_stream.clone(), collector_stream }
    }
}

fn read_file(path: &Path) -> Result<File, UsageError> {
    let name = path.display();
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| UsageError(format!("could not read `--config {name}`: {error}")))?;
    File::parse(&text).map_err(|error| UsageError(format!("{name}, {error}")))
}

fn pipeline_layers<'a>(
    command_line: &'a PipelineOptions,
    file: Option<(&'a Path, &'a File)>,
) -> Layers<'a, PipelineOptions> {
    let table = file.map(|(path, file)| (Some(table(path, "pipeline")), &file.pipeline));
    Layers([(None, command_line)].into_iter().chain(table).collect())
}

/// The operator may mean one of them.
fn function_of_all_streams(command_line: &StreamOptions, file: Option<(&Path, &File)>) -> Option<String> {
    command_line.function.as_ref()?;
    let (path, File { streams, .. }) = file.filter(|(_, file)| file.streams.len() > 1)?;
    let names = streams.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let (count, path) = (streams.len(), path.display());
    Some(format!(
        "`--function` applies to all {count} streams of {path}: {names}; for one, set `function` of [streams.NAME] there"
    ))
}

fn service(layers: &Layers<'_, PipelineOptions>) -> Result<Service, UsageError> {
    let Some(url) = layers.find("service", |options| options.service.clone()) else {
        return Ok(Service::Local {
            port: layers.value(|options| options.service_port).map_or(SERVICE_PORT, Port::number),
            latency: Duration::from_millis(layers.number(|options| options.service_latency_ms, 0).into()),
            files: layers.value(|options| options.service_files.clone()),
        });
    };
    // The URL overrides options of a lower layer. It contradicts those of its own or a higher one.
    let of_local = [
        layers.find("service-port", |options| options.service_port.map(drop)),
        layers.find("service-latency-ms", |options| options.service_latency_ms.map(drop)),
        layers.find("service-files", |options| options.service_files.as_ref().map(drop)),
    ];
    if let Some(local) = of_local.into_iter().flatten().find(|local| local.depth <= url.depth) {
        let service = url.option;
        let problem = "is for the local service, which does not start with";
        return invalid(&local.option, format_args!("{problem} {service}; leave one of them out"));
    }
    let page = ServiceAddress::external(&url.value.0).or_else(|error| invalid(&url.option, error))?;
    Ok(Service::External { url: url.value.0, page })
}

fn ports(
    layers: &Layers<'_, PipelineOptions>,
    service: &Service,
    streams: &[StreamSettings],
) -> Result<[u16; 3], UsageError> {
    let page = layers.find_or("port", |options| options.port.map(Port::number), 8000);
    let firehose = layers.find_or("firehose-port", |options| options.firehose_port.map(Port::number), 8001);
    let local = layers.find_or("service-port", |options| options.service_port.map(Port::number), SERVICE_PORT);
    let kinesis = layers.find_or("kinesis-port", |options| options.kinesis_port.map(Port::number), 8003);
    let mut taken = vec![&page, &firehose];
    taken.extend(matches!(service, Service::Local { .. }).then_some(&local));
    taken.extend(streams.iter().any(|stream| stream.source != Source::DirectPut).then_some(&kinesis));
    for (index, first) in taken.iter().enumerate() {
        let same = taken[index + 1..].iter().find(|second| second.value == first.value);
        if let Some(second) = same.filter(|_| first.value != 0) {
            return Err(UsageError(format!(
                "{} and {}: both are {}; accepted are different ports, or 0 for any free one",
                first.option, second.option, first.value
            )));
        }
    }
    Ok([page.value, firehose.value, kinesis.value])
}

/// The options of the command line, without a name, and those of tables of the file. The first ones override the others.
struct Layers<'a, O>(Vec<(Option<String>, &'a O)>);

fn table(file: &Path, name: &str) -> String {
    format!("[{name}] in {}", file.display())
}

struct Found<T> {
    option: String,
    value: T,
    depth: usize,
}

impl<'a, O> Layers<'a, O> {
    fn value<T>(&self, get: impl Fn(&'a O) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|(_, options)| get(options))
    }

    fn number<const LOW: u32, const HIGH: u32>(
        &self,
        get: impl Fn(&'a O) -> Option<Whole<LOW, HIGH>>,
        default: u32,
    ) -> u32 {
        self.value(get).map_or(default, |Whole(number)| number)
    }

    fn find<T>(&self, name: &str, get: impl Fn(&'a O) -> Option<T>) -> Option<Found<T>> {
        self.0.iter().enumerate().find_map(|(depth, (table, options))| {
            let value = get(options)?;
            let option = match table {
                None => format!("`--{name}`"),
                Some(table) => format!("`{name}` of {table}"),
            };
            Some(Found { option, value, depth })
        })
    }

    fn find_or<T>(&self, name: &str, get: impl Fn(&'a O) -> Option<T>, default: T) -> Found<T> {
        let default = || Found { option: format!("the default of `--{name}`"), value: default, depth: self.0.len() };
        self.find(name, get).unwrap_or_else(default)
    }
}

#[cfg(test)]
mod tests;
