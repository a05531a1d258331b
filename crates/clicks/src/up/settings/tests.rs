use std::collections::BTreeSet;
use std::num::NonZeroU32;

use clap::{CommandFactory, Parser};
use jiff::tz::TimeZone;

use super::super::options::names;
use super::*;
use crate::command::{Cli, Command as Subcommand, Up};
use firehose_model::prefix::{Compression, ErrorPrefix, Prefix};
use firehose_model::processors::Processors;
use firehose_model::scope::Scope;
use local_firehose::control::FunctionMap;
use local_firehose::stream::{Buffering, DataStreamSettings, Source};
use object_storage::Destination;
use runtime_api::Settings as Function;

mod data_streams;
mod functions;

/// A machine with every program but `missing`.
fn context() -> SettingsContext<'static> {
    SettingsContext {
        env: vec![
            ("AWS_LAMBDA_LOG_LEVEL".to_owned(), "WARN".to_owned()),
            ("ON_UNKNOWN_KEY".to_owned(), "drop".to_owned()),
        ],
        collector_env: pairs(&[("COLLECTOR_HASH_FIELDS", "phone")]),
        web: PathBuf::from("/sources/web"),
        executable: &|word| (word != "missing").then(|| Path::new("/bin").join(word)),
    }
}

fn command_line(arguments: &[String]) -> Result<Up, String> {
    let words = ["clicks", "up"].into_iter().chain(arguments.iter().map(String::as_str));
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
        Subcommand::Up(up) => Ok(*up),
        Subcommand::Replay(_) | Subcommand::Redrive(_) | Subcommand::Serve(_) => unreachable!("the subcommand is `up`"),
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

fn function() -> Function {
    Function {
        function_name: "click-processor".to_owned(),
        env: pairs(&[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "WARN"), ("ON_UNKNOWN_KEY", "drop")]),
        ..Function::new(PathBuf::new())
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
        error_prefix: ErrorPrefix::parse("errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/").unwrap(),
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

fn run(function: &mut Function, command: &[&str]) {
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
        function: Function {
            function_name: "click-collector".to_owned(),
            env: pairs(&[("COLLECTOR_HASH_FIELDS", "phone")]),
            timeout: Duration::from_secs(29),
            ..Function::new(PathBuf::new())
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
        web: PathBuf::from("/sources/web"),
        state: None,
        retention_bytes: 256 * MB,
        stop_within: Duration::from_secs(30),
        rate: 100,
        burst: 200,
        click_stream: Some("mysfits-clicks".to_owned()),
        collector: None,
        verbose: false,
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

/// Options, and the settings that they change.
type Row = (&'static [(&'static str, &'static str)], fn(&mut Settings));

fn of_function(settings: &mut Settings) -> &mut Function {
    settings.streams[0].function.as_mut().unwrap()
}

fn set(settings: &mut Settings, key: &str, value: &str) {
    let env = &mut of_function(settings).env;
    env.retain(|(name, _)| name != key);
    env.push((key.to_owned(), value.to_owned()));
    env.sort();
}

const OPTIONS: &[Row] = &[
    (&[("host", "0.0.0.0")], |s| s.host = Ipv4Addr::UNSPECIFIED.into()),
    (&[("host", "localhost")], |_| {}),
    (&[("host", "::1")], |s| s.host = "::1".parse().unwrap()),
    (&[("port", "9000")], |s| s.port = 9000),
    (&[("firehose-port", "9001")], |s| s.firehose_port = 9001),
    (&[("kinesis-port", "9003")], |s| s.kinesis_port = 9003),
    (&[("service-port", "9002")], |s| s.service = Service::Local { port: 9002, latency: Duration::ZERO, files: None }),
    (&[("service", "https://x.example/prod")], |s| s.service = external("https://x.example/prod")),
    (&[("service-files", "shop")], |s| {
        s.service = Service::Local { port: 8002, latency: Duration::ZERO, files: Some("shop".into()) };
    }),
    (&[("service-latency-ms", "250")], |s| {
        s.service = Service::Local { port: 8002, latency: Duration::from_millis(250), files: None };
    }),
    (&[("web", "pages")], |s| s.web = "pages".into()),
    (&[("state", "out/state")], |s| s.state = Some("out/state".into())),
    (&[("retention-mb", "7")], |s| s.retention_bytes = 7 * MB),
    (&[("stop-seconds", "0")], |s| s.stop_within = Duration::ZERO),
    (&[("rate", "7")], |s| s.rate = 7),
    (&[("burst", "8")], |s| s.burst = 8),
    (&[("function-log", "log")], |s| s.function_log = "log".into()),
    (&[("verbose", "true")], |s| s.verbose = true),
    (&[("stream", "a.b_C-1")], |s| {
        s.streams[0].name = "a.b_C-1".to_owned();
        s.click_stream = Some("a.b_C-1".to_owned());
    }),
    (&[("stream", "a"), ("click-stream", "a")], |s| {
        s.streams[0].name = "a".to_owned();
        s.click_stream = Some("a".to_owned());
    }),
    (&[("source", "direct-put")], |_| {}),
    (&[("source", "kinesis")], |s| kinesis(s, None, None)),
    (&[("source", "kinesis"), ("shards", "2")], |s| kinesis(s, Some(2), None)),
    (&[("source", "kinesis"), ("partition-key-field", "a b")], |s| kinesis(s, None, Some("a b"))),
    (&[("source", "kinesis"), ("function", "processor")], |s| {
        kinesis(s, None, None);
        s.streams[0].function = Some(function());
    }),
    (&[("source", "kinesis"), ("prefix", "p/")], |s| {
        kinesis(s, None, None);
        s.streams[0].prefix = prefix("p/");
    }),
    (&[("source", "kinesis"), ("collector-stream", "mysfits-clicks")], |s| {
        collector(s, &[], &[("COLLECTOR_HASH_FIELDS", "phone")]);
    }),
    (&[("source", "kinesis"), ("collector-stream", "mysfits-clicks"), ("collector", "python3 c.py")], |s| {
        collector(s, &["/bin/python3", "c.py"], &[("COLLECTOR_HASH_FIELDS", "phone")]);
    }),
    (
        &[
            ("source", "kinesis"),
            ("collector-stream", "mysfits-clicks"),
            ("collector-timeout-seconds", "3"),
            ("collector-concurrency", "2"),
        ],
        |s| {
            collector(s, &[], &[("COLLECTOR_HASH_FIELDS", "phone")]);
            let Some(collector) = &mut s.collector else { return };
            (collector.function.timeout, collector.concurrency) = (Duration::from_secs(3), 2);
        },
    ),
    // Only the processor has an option for the service.
    (
        &[
            ("source", "kinesis"),
            ("collector-stream", "mysfits-clicks"),
            ("collector-env", "MYSFITS_API_URL=http://x.example"),
        ],
        |s| collector(s, &[], &[("COLLECTOR_HASH_FIELDS", "phone"), ("MYSFITS_API_URL", "http://x.example")]),
    ),
    (
        &[
            ("source", "kinesis"),
            ("partition-key-field", "order"),
            ("collector-stream", "mysfits-clicks"),
            ("collector-env", "COLLECTOR_HASH_FIELDS=name"),
        ],
        |s| {
            collector(s, &[], &[("COLLECTOR_HASH_FIELDS", "name"), ("COLLECTOR_PARTITION_KEY_FIELD", "order")]);
            let Source::Kinesis(data_stream) = &mut s.streams[0].source else { return };
            data_stream.partition_key_field = Some("order".to_owned());
        },
    ),
    (&[("function", "none")], |s| s.streams[0].function = None),
    (&[("function", "processor")], |_| {}),
    (&[("function", r#"python3 "my function.py" -v"#)], |s| {
        run(of_function(s), &["/bin/python3", "my function.py", "-v"]);
    }),
    (&[("env", "A=b=c")], |s| set(s, "A", "b=c")),
    (&[("env", "ON_UNKNOWN_KEY=pass")], |s| set(s, "ON_UNKNOWN_KEY", "pass")),
    (&[("memory-mb", "1769")], |s| of_function(s).memory_mb = 1769),
    (&[("timeout-seconds", "9")], |s| of_function(s).timeout = Duration::from_secs(9)),
    (&[("log-format", "text")], |s| set(s, "AWS_LAMBDA_LOG_FORMAT", "Text")),
    (&[("log-level", "debug")], |s| set(s, "AWS_LAMBDA_LOG_LEVEL", "DEBUG")),
    (&[("log-level", "FATAL")], |s| set(s, "AWS_LAMBDA_LOG_LEVEL", "FATAL")),
    (&[("log-level", "info"), ("env", "AWS_LAMBDA_LOG_LEVEL=TRACE")], |s| set(s, "AWS_LAMBDA_LOG_LEVEL", "TRACE")),
    (&[("retries", "0")], |s| s.streams[0].retries = 0),
    (&[("concurrency", "2")], |s| s.streams[0].concurrency = 2),
    (&[("buffer-mb", "2")], |s| s.streams[0].buffer.bytes = 2 * 1_048_576),
    (&[("buffer-mb", "0.2")], |s| s.streams[0].buffer.bytes = 209_715),
    (&[("buffer-seconds", "0")], |s| s.streams[0].buffer.interval = Duration::ZERO),
    (&[("buffer-records", "12")], |s| s.streams[0].buffer_records = 12),
    (&[("destination", "elsewhere")], |s| s.streams[0].destination = Destination::parse("elsewhere", None).unwrap()),
    (&[("destination", "s3://clicks"), ("s3-endpoint", "http://127.0.0.1:9000")], |s| {
        s.streams[0].destination = Destination::parse("s3://clicks", Some("http://127.0.0.1:9000")).unwrap();
    }),
    (&[("destination-mb", "128")], |s| s.streams[0].destination_buffer.bytes = 128 * 1_048_576),
    (&[("destination-seconds", "60")], |s| s.streams[0].destination_buffer.interval = Duration::from_secs(60)),
    (&[("prefix", "clicks/")], |s| s.streams[0].prefix = prefix("clicks/")),
    (&[("error-prefix", "failed/")], |s| s.streams[0].error_prefix = ErrorPrefix::parse("failed/").unwrap()),
    (&[("compression", "gzip")], |s| {
        s.streams[0].compression = Compression::Gzip;
        s.streams[0].backup_compression = Compression::Gzip;
    }),
    (&[("backup-prefix", "source/")], |s| s.streams[0].backup_prefix = Some(prefix("source/"))),
    (&[("click-identity", "true")], |s| set(s, "EVENT_FIELDS", "userId,mysfitId,clickId,clickedAt")),
    (&[("click-identity", "true"), ("env", "EVENT_FIELDS=userId")], |s| set(s, "EVENT_FIELDS", "userId")),
    (&[("dynamic-partitioning", "true"), ("prefix", "by/!{partitionKeyFromLambda:species}/")], |s| {
        s.streams[0].dynamic_partitioning = true;
        s.streams[0].prefix = prefix("by/!{partitionKeyFromLambda:species}/");
        s.streams[0].destination_buffer.bytes = 64 * 1_048_576;
    }),
    (&[("backlog-mb", "8")], |s| s.streams[0].backlog_bytes = 8 * 1_048_576),
];

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
fn every_option_works_on_the_command_line_and_in_the_file() {
    for (options, change) in OPTIONS {
        let mut expected = defaults();
        change(&mut expected);
        let arguments: Vec<String> = options.iter().map(argument).collect();
        let file = tables(options);
        assert_eq!(settings_of(&arguments, None).as_ref(), Ok(&expected), "{arguments:?}");
        assert_eq!(settings("", &file), expected, "{file}");
    }
}

/// The options of `clicks up` that a file may have.
fn known() -> Vec<clap::Arg> {
    let command = Cli::command();
    let arguments = command.find_subcommand("up").unwrap().get_arguments();
    arguments.filter(|argument| argument.get_long() != Some("config")).cloned().collect()
}

#[test]
fn no_option_is_untested() {
    let tested: BTreeSet<&str> =
        OPTIONS.iter().flat_map(|(options, _)| options.iter().map(|(name, _)| *name)).collect();
    let known = known();
    let known: BTreeSet<&str> = known.iter().filter_map(clap::Arg::get_long).collect();
    assert_eq!(tested, known);
}

#[test]
fn the_help_has_the_real_defaults() {
    let defaults_in_help: Vec<(String, String)> = known()
        .iter()
        .filter_map(|argument| {
            let name = argument.get_long().filter(|name| !["env", "collector-env"].contains(name))?;
            let help = argument.get_help()?.to_string();
            let default = help.split_once("[default: ").map(|(_, rest)| rest.trim_end_matches(']').to_owned());
            let default = default.unwrap_or_else(|| panic!("{name} has no default in its help"));
            Some((name.to_owned(), default))
        })
        .collect();
    let in_words = [
        "none",
        "the only one",
        "the `web`",
        "a local",
        "the processor",
        "the collector",
        "the function's",
        "Amazon's",
    ];
    let arguments: Vec<String> = defaults_in_help
        .iter()
        .filter(|(name, default)| name == "compression" || !in_words.iter().any(|words| default.starts_with(words)))
        .map(|(name, default)| format!("--{name}={}", default.trim_end_matches(", or 64")))
        .collect();
    let (of_collector, mut arguments): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|argument| argument.starts_with("--collector-"));
    assert!(arguments.len() > 20 && of_collector.len() == 2, "{arguments:?} {of_collector:?}");
    assert_eq!(settings_of(&arguments, None).unwrap(), defaults());

    // The collector's options need its stream.
    arguments = ["--source=kinesis", "--collector-stream=mysfits-clicks"].map(str::to_owned).to_vec();
    let without_options = settings_of(&arguments, None).unwrap();
    arguments.extend(of_collector);
    assert_eq!(settings_of(&arguments, None).unwrap(), without_options);
}

#[test]
fn bounds_are_the_same_in_both_places() {
    for (name, accepted, refused, bounds) in [
        ("port", ["0", "65535"], ["-1", "65536"], "a whole number from 0 to 65535"),
        ("firehose-port", ["0", "65535"], ["-1", "65536"], "a whole number from 0 to 65535"),
        ("kinesis-port", ["0", "65535"], ["-1", "65536"], "a whole number from 0 to 65535"),
        ("service-port", ["0", "65535"], ["-1", "65536"], "a whole number from 0 to 65535"),
        ("service-latency-ms", ["0", "60000"], ["-1", "60001"], "a whole number from 0 to 60000"),
        ("rate", ["1", "1000000"], ["0", "1000001"], "a whole number from 1 to 1000000"),
        ("burst", ["1", "1000000"], ["0", "1000001"], "a whole number from 1 to 1000000"),
        ("retention-mb", ["1", "65536"], ["0", "65537"], "a whole number from 1 to 65536"),
        ("memory-mb", ["128", "10240"], ["127", "10241"], "a whole number from 128 to 10240"),
        ("timeout-seconds", ["1", "300"], ["0", "301"], "a whole number from 1 to 300"),
        ("retries", ["0", "300"], ["-1", "301"], "a whole number from 0 to 300"),
        ("concurrency", ["1", "100"], ["0", "101"], "a whole number from 1 to 100"),
        ("buffer-mb", ["0.2", "3"], ["0.19", "3.01"], "a number from 0.2 to 3"),
        ("buffer-mb", ["3.0", "1e0"], ["nan", "inf"], "a number from 0.2 to 3"),
        ("buffer-seconds", ["0", "900"], ["-1", "901"], "a whole number from 0 to 900"),
        ("buffer-records", ["1", "100000"], ["0", "100001"], "a whole number from 1 to 100000"),
        ("backlog-mb", ["8", "65536"], ["7", "65537"], "a whole number from 8 to 65536"),
        ("destination-mb", ["1", "128"], ["0", "129"], "a whole number from 1 to 128"),
        ("destination-seconds", ["0", "900"], ["-1", "9223372036854775807"], "a whole number from 0 to 900"),
    ] {
        for value in accepted {
            let expected = settings(&argument(&(name, value)), "");
            assert_eq!(settings("", &tables(&[(name, value)])), expected, "{name} {value}");
        }
        for value in refused {
            let message = error(&argument(&(name, value)), "");
            let start = format!("error: invalid value '{value}' for '--{name} <");
            assert!(message.starts_with(&start) && message.contains(&format!("accepted is {bounds}\n")), "{message}");
            let message = error("", &tables(&[(name, value)]));
            let place = format!(", column {}: `", name.len() + 4);
            assert!(
                message.contains(&place)
                    && message.contains(&format!(".{name}`: found "))
                    && message.ends_with(&format!("; accepted is {bounds}")),
                "{message}"
            );
        }
    }
}

#[test]
fn an_invalid_value_is_refused_on_the_command_line() {
    for (arguments, expected) in [
        ("--retries=three", "'three' for '--retries <N>': accepted is a whole number from 0 to 300"),
        ("--buffer-mb=1MB", "'1MB' for '--buffer-mb <MB>': accepted is a number from 0.2 to 3"),
        ("--port=80a", "'80a' for '--port <PORT>': accepted is a whole number from 0 to 65535"),
        ("--host=here", "'here' for '--host <ADDRESS>': accepted is an IP address, or localhost for 127.0.0.1"),
        ("--service=x", "'x' for '--service <URL>': accepted is a URL with http:// or https://"),
        ("--stream=a/b", "accepted is a name of 1 to 64 of the characters a-z A-Z 0-9 _ . -"),
        ("--stream=", "'' for '--stream <NAME>': accepted is a name of 1 to 64 of the characters"),
        ("--state=", "a value is required for '--state <DIR>'"),
        ("--env=A", "'A' for '--env <KEY=VALUE>': accepted is KEY=VALUE"),
        ("--env=MYSFITS_API_URL=http://x", "set the service with `--service URL`"),
        ("--log-level=loud", "possible values: trace, debug, info, warn, error, fatal"),
        ("--compression=zip", "possible values: none, gzip"),
        ("--verbose=maybe", "'maybe' for '--verbose[=<BOOL>]'"),
        ("--source=kafka", "possible values: direct-put, kinesis"),
        ("--shards=0", "'0' for '--shards <N>': accepted is a whole number from 1 to 100"),
        ("--shards=101", "'101' for '--shards <N>': accepted is a whole number from 1 to 100"),
        ("--partition-key-field=", "'' for '--partition-key-field <FIELD>': accepted is the name of a field"),
        ("--collector-stream=a/b", "accepted is a name of 1 to 64 of the characters a-z A-Z 0-9 _ . -"),
        ("--collector-env=A", "'A' for '--collector-env <KEY=VALUE>': accepted is KEY=VALUE"),
        ("--collector-env=COLLECTOR_STREAM=a", "set the stream with `--collector-stream NAME`"),
        ("--collector-timeout-seconds=30", "accepted is a whole number from 1 to 29"),
        ("--collector-concurrency=0", "accepted is a whole number from 1 to 100"),
        ("--service=http://x --service-port=1", "cannot be used with"),
        ("--service=http://x --service-latency-ms=1", "cannot be used with"),
        ("--service=http://x --service-files=x", "cannot be used with"),
        ("--retrys=1", "unexpected argument '--retrys' found"),
    ] {
        let message = error(arguments, "");
        assert!(message.contains(expected), "{message}");
    }
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
fn contradictions_are_errors() {
    let keys = "[defaults]\nprefix = '!{partitionKeyFromLambda:a}/'\n";
    let partitioned = format!("{keys}dynamic-partitioning = true\n");
    for (arguments, file, message) in [
        (
            "--stream=c",
            "[streams.a]\n[streams.b]",
            "`--stream`: accepted without tables [streams.NAME] only; up.toml has the streams a, b",
        ),
        (
            "",
            "[pipeline]\nstream = 'c'\n[streams.a]",
            "`stream` of [pipeline] in up.toml: accepted without tables [streams.NAME] only; up.toml has the streams a",
        ),
        (
            "--port=8001",
            "",
            "`--port` and the default of `--firehose-port`: both are 8001; accepted are different ports, or 0 for any free one",
        ),
        (
            "--port=9",
            "[pipeline]\nservice-port = 9",
            "`--port` and `service-port` of [pipeline] in up.toml: both are 9; accepted are different ports, or 0 for any free one",
        ),
        (
            "",
            "[pipeline]\nfirehose-port = 8002",
            "`firehose-port` of [pipeline] in up.toml and the default of `--service-port`: both are 8002; accepted are different ports, or 0 for any free one",
        ),
        (
            "",
            "[pipeline]\nservice = 'http://x'\nservice-port = 9",
            "`service-port` of [pipeline] in up.toml: is for the local service, which does not start with `service` of [pipeline] in up.toml; leave one of them out",
        ),
        (
            "--service-latency-ms=9",
            "[pipeline]\nservice = 'http://x'",
            "`--service-latency-ms`: is for the local service, which does not start with `service` of [pipeline] in up.toml; leave one of them out",
        ),
        ("--click-stream=x", "", "`--click-stream`: found x; accepted is one of the streams: mysfits-clicks"),
        (
            "",
            "[pipeline]\nclick-stream = 'x'\n[streams.b]\n[streams.a]",
            "`click-stream` of [pipeline] in up.toml: found x; accepted is one of the streams: b, a",
        ),
        (
            "",
            "[streams.b]\n[streams.a]",
            "no stream is chosen for the clicks: found b, a; choose one with `--click-stream` (or `click-stream` of [pipeline])",
        ),
        ("--function=''", "", "`--function`: found no command; accepted is a command, or `none` for no function"),
        (
            "",
            "[defaults]\nfunction = '  '",
            "`function` of [defaults] in up.toml: found no command; accepted is a command, or `none` for no function",
        ),
        (
            "",
            "[streams.a]\nfunction = \"a 'b\"",
            "`function` of [streams.a] in up.toml: found `a 'b`; accepted is a command with quotes as in a \
             shell: missing closing quote",
        ),
        (
            "--function='missing -x'",
            "",
            "`--function`: found `missing`, which is not an executable file; accepted is one, by its path or by a name in PATH",
        ),
        (
            "--dynamic-partitioning",
            "",
            "the default of `--prefix`: dynamic partitioning needs a prefix with at least one `!{partitionKeyFromLambda:KEY}`",
        ),
        (
            "--function=none",
            &partitioned,
            "`dynamic-partitioning` of [defaults] in up.toml: needs a function that returns partition keys; `--function` is `none`",
        ),
        (
            "--destination-mb=63",
            &partitioned,
            "`--destination-mb`: found 63; accepted is 64 to 128 with `dynamic-partitioning` of [defaults] in up.toml",
        ),
        ("--s3-endpoint=http://x", "", "`--s3-endpoint`: needs a destination s3://BUCKET; no stream has one"),
        (
            "",
            "[streams.a]\ns3-endpoint = 'http://x'",
            "`s3-endpoint` of [streams.a] in up.toml: needs a destination s3://BUCKET; no stream has one",
        ),
    ] {
        assert_eq!(error(arguments, file), message, "{arguments} {file}");
    }
    assert_eq!(settings("--destination-mb=64", &partitioned).streams[0].destination_buffer.bytes, 64 * 1_048_576);
}

#[test]
fn an_option_that_firehose_would_refuse_is_an_error() {
    let key = "!{partitionKeyFromLambda:a}/";
    for (name, value) in [
        ("prefix", "!{bad}"),
        ("prefix", key),
        ("backup-prefix", key),
        ("error-prefix", "!{bad}"),
        ("destination", "s3://"),
    ] {
        let message = error(&argument(&(name, value)), "");
        assert!(message.starts_with(&format!("`--{name}`: ")), "{message}");
        let message = error("", &format!("[streams.a]\n{}", line(&(name, value))));
        assert!(message.starts_with(&format!("`{name}` of [streams.a] in up.toml: ")), "{message}");
    }
    let message = error("--destination=s3://bucket", "[defaults]\ns3-endpoint = 'nowhere'");
    assert!(message.starts_with("`s3-endpoint` of [defaults] in up.toml: "), "{message}");
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
        StreamSettings { function: Some(Function { env: env(&[]), ..function() }), ..stream("mysfits-clicks") };
    let by_species = StreamSettings {
        function: Some(Function {
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
    assert_eq!((settings.web.as_path(), settings.streams[0].retries), (folder.path(), 7));

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
