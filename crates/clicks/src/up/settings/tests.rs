use std::collections::BTreeSet;
use std::num::NonZeroU32;

use clap::{CommandFactory, Parser};
use jiff::tz::TimeZone;

use super::super::options::names;
use super::*;
use crate::command::{Cli, Command as Subcommand, Up};
use firehose_model::prefix::{Compression, Prefix};
use firehose_model::processors::Processors;
use firehose_model::scope::Scope;
use local_firehose::control::FunctionMap;
use local_firehose::stream::{Buffering, DataStreamSettings, Source};
use object_storage::Destination;
use runtime_api::FunctionSettings;

mod contradictions;
mod data_streams;
mod functions;
mod options;

/// A machine with every program but `missing`.
fn context() -> SettingsContext<'static> {
    SettingsContext {
        env: vec![
            ("AWS_LAMBDA_LOG_LEVEL".to_owned(), "WARN".to_owned()),
            ("ON_UNKNOWN_KEY".to_owned(), "drop".to_owned()),
        ],
        collector_env: pairs(&[("COLLECTOR_HASH_FIELDS", "phone")]),
        pages: Pages::Folder("/sources/web".into()),
        executable: &|word| (word != "missing").then(|| Path::new("/bin").join(word)),
    }
}

fn command_line(arguments: &[String]) -> Result<Up, String> {
    let words = ["clicks", "up"].into_iter().chain(arguments.iter().map(String::as_str));
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
        Subcommand::Up(up) => Ok(*up),
        _ => unreachable!("the subcommand is `up`"),
    }
}

/// The settings of a command line and a file, or the error message.
fn settings_of(arguments: &[String], file: Option<&str>) -> Result<Settings, String> {
    let up = command_line(arguments)?;
    let path = Path::new("up.toml");
    let file = file.map(File::parse).transpose().map_err(|error| UsageError(format!("up.toml, {error}")));
    let settings = file.and_then(|file| {
        Settings::from_options(&up.pipeline, &up.stream, file.as_ref().map(|file| (path, file)), &context())
    });
    settings.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
}

fn arguments(line: &str) -> Vec<String> {
    shell_words::split(line).unwrap()
}

#[track_caller]
fn settings(line: &str, file: &str) -> Settings {
    settings_of(&arguments(line), Some(file)).unwrap_or_else(|error| panic!("{line} {file}: {error}"))
}

#[track_caller]
fn error(line: &str, file: &str) -> String {
    settings_of(&arguments(line), Some(file)).expect_err(&format!("{line} {file}"))
}

fn pairs(env: &[(&str, &str)]) -> Vec<(String, String)> {
    env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn prefix(text: &str) -> Prefix {
    Prefix::parse(text, text.contains("partitionKey")).unwrap()
}

fn external(url: &str) -> Service {
    Service::External { url: url.to_owned(), page: ServiceAddress::external(url).unwrap() }
}

fn function() -> FunctionSettings {
    FunctionSettings {
        function_name: "click-processor".to_owned(),
        env: pairs(&[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "WARN"), ("ON_UNKNOWN_KEY", "drop")]),
        ..FunctionSettings::new(PathBuf::new())
    }
}

fn stream(name: &str) -> StreamSettings {
    StreamSettings {
        name: name.to_owned(),
        scope: Scope::default(),
        source: Source::DirectPut,
        version: 1,
        function: Some(function()),
        function_arn: None,
        buffer: Buffering { bytes: 1_048_576, interval: Duration::from_secs(1) },
        buffer_records: 10_000,
        concurrency: 5,
        retries: 3,
        processors: Processors::default(),
        destination: Destination::parse("out/bucket", None).unwrap(),
        destination_buffer: Buffering { bytes: 5 * 1_048_576, interval: Duration::from_secs(3) },
        prefix: prefix("firehose/"),
        error_prefix: Prefix::for_errors("errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/").unwrap(),
        time_zone: TimeZone::UTC,
        compression: Compression::None,
        file_extension: None,
        backup_prefix: None,
        backup_compression: Compression::None,
        dynamic_partitioning: false,
        backlog_bytes: 256 * 1_048_576,
        count_fields: ["mysfitId", "species", "goodevil", "lawchaos"].map(str::to_owned).to_vec(),
    }
}

/// A stream with Kinesis as its source.
fn data_stream(name: &str, shards: Option<u32>, partition_key_field: Option<&str>) -> StreamSettings {
    let source = Source::Kinesis(DataStreamSettings {
        provisioned: shards.and_then(NonZeroU32::new),
        partition_key_field: partition_key_field.map(str::to_owned),
    });
    StreamSettings { source, function: None, prefix: prefix(&format!("{name}/")), ..stream(name) }
}

/// The only stream reads a data stream.
fn kinesis(settings: &mut Settings, shards: Option<u32>, partition_key_field: Option<&str>) {
    settings.streams = vec![data_stream("mysfits-clicks", shards, partition_key_field)];
    settings.click_stream = None;
}

/// The only stream reads the data stream of the collector.
fn collector(settings: &mut Settings, command: &[&str], env: &[(&str, &str)]) {
    kinesis(settings, None, None);
    settings.streams[0].prefix = prefix("rawdata/");
    let mut collector = of_collector("mysfits-clicks");
    collector.function.env = pairs(env);
    run(&mut collector.function, command);
    settings.collector = Some(collector);
}

fn run(function: &mut FunctionSettings, command: &[&str]) {
    if let [executable, args @ ..] = command {
        function.command = executable.into();
        function.args = args.iter().map(Into::into).collect();
    }
}

/// The collector of a stream, with its defaults.
fn of_collector(stream: &str) -> CollectorSettings {
    CollectorSettings {
        stream: stream.to_owned(),
        concurrency: 5,
        function: FunctionSettings {
            function_name: "click-collector".to_owned(),
            env: pairs(&[("COLLECTOR_HASH_FIELDS", "phone")]),
            timeout: Duration::from_secs(29),
            ..FunctionSettings::new(PathBuf::new())
        },
    }
}

fn defaults() -> Settings {
    Settings {
        host: Ipv4Addr::LOCALHOST.into(),
        port: 8000,
        firehose_port: 8001,
        kinesis_port: 8003,
        service: Service::Local { port: 8002, latency: Duration::ZERO, files: None },
        pages: Pages::Folder("/sources/web".into()),
        state: None,
        retention_bytes: 256 * MB,
        recent_records_bytes: 32 * MB,
        stop_within: Duration::from_secs(30),
        rate: 100,
        burst: 200,
        click_stream: Some("mysfits-clicks".to_owned()),
        collector: None,
        verbose: false,
        json: false,
        function_log: PathBuf::from("out/function.log"),
        functions: FunctionMap::default(),
        streams: vec![stream("mysfits-clicks")],
    }
}

#[test]
fn all_options_have_defaults() {
    assert_eq!(settings_of(&[], None).unwrap(), defaults());
    assert_eq!(settings("", ""), defaults());
}

fn of_function(settings: &mut Settings) -> &mut FunctionSettings {
    settings.streams[0].function.as_mut().unwrap()
}

fn set(settings: &mut Settings, key: &str, value: &str) {
    let env = &mut of_function(settings).env;
    env.retain(|(name, _)| name != key);
    env.push((key.to_owned(), value.to_owned()));
    env.sort();
}

/// One option on the command line.
fn argument((name, value): &(&str, &str)) -> String {
    format!("--{name}={value}")
}

/// The same option in the file.
fn line((name, value): &(&str, &str)) -> String {
    match *name {
        "env" | "collector-env" => {
            value.split_once('=').map(|(key, value)| format!("{name} = {{ {key} = '{value}' }}\n")).unwrap()
        }
        _ if value.parse::<f64>().is_ok() || *value == "true" => format!("{name} = {value}\n"),
        _ => format!("{name} = '{value}'\n"),
    }
}

/// Options in the tables of the file.
fn tables(options: &[(&str, &str)]) -> String {
    let of_pipeline = names::<PipelineOptions>();
    let (pipeline, defaults): (Vec<_>, Vec<_>) =
        options.iter().partition(|(name, _)| of_pipeline.iter().any(|known| known == name));
    let lines = |options: Vec<&(&str, &str)>| options.into_iter().map(line).collect::<String>();
    format!("[pipeline]\n{}[defaults]\n{}", lines(pipeline), lines(defaults))
}

#[test]
fn the_command_line_overrides_the_stream_which_overrides_the_defaults() {
    let defaults =
        "[pipeline]\nport = 1\n[defaults]\nretries = 1\nenv = { A = 'defaults', B = 'defaults', C = 'defaults' }\n";
    let table = "[streams.a]\nretries = 2\nenv = { B = 'table', C = 'table' }\n[streams.b]\n";
    let settings =
        settings("--click-stream=a --env=C=line --env=D=first --env=D=last --port=2", &format!("{defaults}{table}"));
    let of = |number: usize| {
        let stream = &settings.streams[number];
        let env = &stream.function.as_ref().unwrap().env;
        let own: Vec<String> = env.iter().filter(|(key, _)| key.len() == 1).map(|(k, v)| format!("{k}={v}")).collect();
        (stream.name.as_str(), stream.retries, own.join(" "))
    };
    assert_eq!(of(0), ("a", 2, "A=defaults B=table C=line D=last".to_owned()));
    assert_eq!(of(1), ("b", 1, "A=defaults B=defaults C=line D=last".to_owned()));
    assert_eq!(settings.port, 2);
    for stream in super::tests::settings("--click-stream=a --retries=9", &format!("{defaults}{table}")).streams {
        assert_eq!(stream.retries, 9);
    }
}

#[test]
fn a_switch_of_the_file_can_be_turned_off() {
    for (arguments, verbose) in [("", true), ("--verbose=false", false), ("--verbose", true), ("-v", true)] {
        assert_eq!(settings(arguments, "[pipeline]\nverbose = true").verbose, verbose, "{arguments}");
    }
    let file = "[defaults]\ndynamic-partitioning = true";
    assert_eq!(settings("--dynamic-partitioning=false", file), defaults());
}

#[test]
fn streams_keep_the_order_of_the_file() {
    let settings = settings("", "[streams.z]\n[streams.mysfits-clicks]\nretries = 0\n[streams.'a.b']\n");
    let names: Vec<&str> = settings.streams.iter().map(|stream| stream.name.as_str()).collect();
    assert_eq!(names, ["z", "mysfits-clicks", "a.b"]);
    assert_eq!(settings.click_stream.as_deref(), Some("mysfits-clicks"));
    assert_eq!(super::tests::settings("", "[streams.z]").click_stream.as_deref(), Some("z"));
}

#[test]
fn a_lower_layer_is_overridden_without_a_contradiction() {
    let url = settings("--service=http://x", "[pipeline]\nservice-port = 1\nservice-latency-ms = 2");
    assert_eq!(url.service, external("http://x"));
    // Then the local service has no port.
    assert_eq!(settings("--service=http://x --port=8002", "").port, 8002);
    let any = settings("--port=0 --firehose-port=0 --service-port=0", "");
    assert_eq!((any.port, any.firehose_port), (0, 0));
    let to_both =
        "[defaults]\ns3-endpoint = 'http://x'\n[streams.a]\ndestination = 's3://bucket'\n[streams.mysfits-clicks]\n";
    let folder = Destination::parse("out/bucket", None).unwrap();
    assert_eq!(settings("", to_both).streams[1].destination, folder);
}

#[test]
fn the_example_has_these_settings() {
    let settings = settings("", include_str!("../../../../../fixtures/up.toml"));
    let env = |more: &[(&str, &str)]| {
        let common = [
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_LEVEL", "WARN"),
            ("LOOKUP_CACHE_SECONDS", "60"),
            ("ON_UNKNOWN_KEY", "fail"),
        ];
        pairs(&[&common, more].concat())
    };
    let clicks =
        StreamSettings { function: Some(FunctionSettings { env: env(&[]), ..function() }), ..stream("mysfits-clicks") };
    let by_species = StreamSettings {
        function: Some(FunctionSettings {
            env: env(&[("PARTITION_KEYS", "species")]),
            timeout: Duration::from_secs(60),
            ..function()
        }),
        buffer: Buffering { bytes: 524_288, interval: Duration::from_secs(1) },
        destination_buffer: Buffering { bytes: 64 * 1_048_576, interval: Duration::from_secs(3) },
        prefix: prefix("by-species/!{partitionKeyFromLambda:species}/!{timestamp:yyyy/MM/dd}/"),
        compression: Compression::Gzip,
        backup_prefix: Some(prefix("source/")),
        backup_compression: Compression::Gzip,
        dynamic_partitioning: true,
        ..stream("clicks-by-species")
    };
    assert_eq!(settings, Settings { streams: vec![clicks, by_species], ..defaults() });
}

#[test]
fn a_missing_file_and_a_missing_folder_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("up.toml");
    let read = |pipeline: &PipelineOptions| {
        let read = Settings::read(pipeline, &StreamOptions::default(), Some(&config));
        read.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    };
    let no_file = format!("could not read `--config {}`: No such file or directory (os error 2)", config.display());
    assert_eq!(read(&PipelineOptions::default()).unwrap_err(), no_file);

    fs::write(&config, format!("[pipeline]\nweb = '{}'\n[defaults]\nretries = 7\n", folder.path().display())).unwrap();
    let settings = read(&PipelineOptions::default()).unwrap();
    assert_eq!((settings.pages, settings.streams[0].retries), (Pages::Folder(folder.path().to_owned()), 7));

    let missing = PipelineOptions { web: Some("no/such/folder".into()), ..PipelineOptions::default() };
    let message = "`--web`: found no/such/folder; accepted is the folder of the pages, the `web` of the sources";
    assert_eq!(read(&missing).unwrap_err(), message);

    fs::write(&config, "x = 1").unwrap();
    let message = read(&PipelineOptions::default()).unwrap_err();
    assert!(
        message
            .starts_with(&format!("{}, line 1, column 1: unknown key `x`: accepted are the tables ", config.display())),
        "{message}"
    );
}
