//! Every option, on the command line and in the file.

use super::*;

/// Options, and the settings that they change.
type Row = (&'static [(&'static str, &'static str)], fn(&mut Settings));

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
    (&[("web", "pages")], |s| s.pages = Pages::Folder("pages".into())),
    (&[("state", "out/state")], |s| s.state = Some("out/state".into())),
    (&[("retention-mb", "7")], |s| s.retention_bytes = 7 * MB),
    (&[("recent-records-mb", "0")], |s| s.recent_records_bytes = 0),
    (&[("stop-seconds", "0")], |s| s.stop_within = Duration::ZERO),
    (&[("rate", "7")], |s| s.rate = 7),
    (&[("burst", "8")], |s| s.burst = 8),
    (&[("function-log", "log")], |s| s.function_log = "log".into()),
    (&[("verbose", "true")], |s| s.verbose = true),
    (&[("json", "true")], |s| s.json = true),
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
    (&[("error-prefix", "failed/")], |s| s.streams[0].error_prefix = Prefix::for_errors("failed/").unwrap()),
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
        "the pages",
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
        ("recent-records-mb", ["0", "1024"], ["-1", "1025"], "a whole number from 0 to 1024"),
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
