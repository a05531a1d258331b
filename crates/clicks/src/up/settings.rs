//! The settings of `clicks up`: the options of the command line and the file, merged and validated.

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

use self::layers::{Layers, Place};
use super::options::{File, Host, PipelineOptions, Port, StreamOptions};
use crate::packages;
use crate::site::ServiceAddress;
use local_firehose::stream::{Source, StreamSettings};

/// The default port of the local service.
const SERVICE_PORT: u16 = 8002;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) host: IpAddr,
    /// The port of the pages and the edge; 0 is any free one, as for all ports.
    pub(crate) port: u16,
    pub(crate) firehose_port: u16,
    pub(crate) kinesis_port: u16,
    pub(crate) service: Service,
    pub(crate) web: PathBuf,
    /// The folder of accepted records that are not delivered yet. Without it, they are in memory.
    pub(crate) state: Option<PathBuf>,
    /// How long a stop waits for a destination that has not accepted a single object.
    pub(crate) stop_within: Duration,
    pub(crate) rate: u32,
    pub(crate) burst: u32,
    pub(crate) click_stream: Option<String>,
    pub(crate) collector: Option<CollectorSettings>,
    pub(crate) verbose: bool,
    pub(crate) function_log: PathBuf,
    /// The streams, in the file's order; at least one.
    pub(crate) streams: Vec<StreamSettings>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Service {
    External {
        url: String,
        page: ServiceAddress,
    },
    /// With the mysfits, or with the JSON files of a folder.
    Local {
        port: u16,
        latency: Duration,
        files: Option<PathBuf>,
    },
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SettingsError(String);

/// An error about an option, which is named with the place where it was given.
fn invalid<T>(option: &str, problem: impl Display) -> Result<T, SettingsError> {
    Err(SettingsError(format!("{option}: {problem}")))
}

struct SettingsContext<'a> {
    env: Vec<(String, String)>,
    collector_env: Vec<(String, String)>,
    web: PathBuf,
    /// Finds the executable of a command's first word.
    executable: &'a dyn Fn(&str) -> Option<PathBuf>,
}

impl Settings {
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
        let service = service(&layers)?;
        let [port, firehose_port, kinesis_port] = ports(&layers, &service, &streams)?;
        Ok(Self {
            host: layers.value(|options| options.host).map_or(Ipv4Addr::LOCALHOST.into(), |Host(address)| address),
            port,
            firehose_port,
            kinesis_port,
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

fn service(layers: &Layers<'_, PipelineOptions>) -> Result<Service, SettingsError> {
    let port = layers.find("service-port", |options| options.service_port.map(Port::number));
    let latency = layers.find("service-latency-ms", |options| options.service_latency_ms);
    let files = layers.find("service-files", |options| options.service_files.clone());
    let Some(url) = layers.find("service", |options| options.service.clone()) else {
        let latency = latency.map_or(0, |latency| latency.value.get());
        let port = port.map_or(SERVICE_PORT, |port| port.value);
        let files = files.map(|files| files.value);
        return Ok(Service::Local { port, latency: Duration::from_millis(latency.into()), files });
    };
    // The URL overrides options of a lower layer. It contradicts those of its own or a higher one.
    let local = [
        port.map(|port| (port.option, port.depth)),
        latency.map(|latency| (latency.option, latency.depth)),
        files.map(|files| (files.option, files.depth)),
    ];
    match local.into_iter().flatten().find(|(_, depth)| *depth <= url.depth) {
        Some((local, _)) => {
            let service = url.option;
            invalid(
                &local,
                format_args!("is for the local service, which does not start with {service}; leave one of them out"),
            )
        }
        None => match ServiceAddress::external(&url.value.0) {
            Ok(page) => Ok(Service::External { url: url.value.0, page }),
            Err(error) => invalid(&url.option, error),
        },
    }
}

/// The ports of the page, of Firehose and of Kinesis.
fn ports(
    layers: &Layers<'_, PipelineOptions>,
    service: &Service,
    streams: &[StreamSettings],
) -> Result<[u16; 3], SettingsError> {
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
            return Err(SettingsError(format!(
                "{} and {}: both are {}; accepted are different ports, or 0 for any free one",
                first.option, second.option, first.value
            )));
        }
    }
    Ok([page.value, firehose.value, kinesis.value])
}

#[cfg(test)]
mod tests;
