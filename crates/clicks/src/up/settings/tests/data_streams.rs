//! The settings of data streams and of the collector.

use super::*;

#[test]
fn defaults_are_for_the_streams_that_have_the_option() {
    let file = "[defaults]\nshards = 3\npartition-key-field = 'id'\n[streams.a]\n[streams.b]\nsource = 'kinesis'\n\
                [streams.c]\nsource = 'kinesis'\nshards = 1\nprefix = 'p/'\n";
    let settings = settings("", file);
    let own = StreamSettings { prefix: prefix("p/"), ..data_stream("c", Some(1), Some("id")) };
    assert_eq!(settings.streams, [stream("a"), data_stream("b", Some(3), Some("id")), own]);
    assert_eq!(settings.click_stream.as_deref(), Some("a"));
    // Without a stream of Direct PUT there is no stream for clicks, which is valid.
    assert_eq!(super::settings("--source=kinesis", "[streams.a]\n[streams.b]").click_stream, None);
    // Without a data stream, the port of Kinesis is unused.
    assert_eq!(super::settings("--kinesis-port=8000", "").kinesis_port, 8000);
}

#[test]
fn the_variables_of_the_collector_are_merged() {
    let file = "[pipeline]\ncollector-stream = 'a'\ncollector-env = { A = 'file', COLLECTOR_HASH_FIELDS = 'file' }\n\
                [streams.a]\nsource = 'kinesis'\npartition-key-field = 'id'\n";
    let settings = settings("--collector-env=A=line", file);
    let env = [("A", "line"), ("COLLECTOR_HASH_FIELDS", "file"), ("COLLECTOR_PARTITION_KEY_FIELD", "id")];
    assert_eq!(settings.collector.unwrap().function.env, pairs(&env));
}

#[test]
fn contradictions_of_data_streams_are_errors() {
    for (arguments, file, message) in [
        (
            "--kinesis-port=8001",
            "[defaults]\nsource = 'kinesis'",
            "the default of `--firehose-port` and `--kinesis-port`: both are 8001; accepted are different ports, or 0 for any free one",
        ),
        (
            "--service-port=8003 --source=kinesis",
            "",
            "`--service-port` and the default of `--kinesis-port`: both are 8003; accepted are different ports, or 0 for any free one",
        ),
        ("--shards=2", "", "`--shards`: needs a stream with `source = \"kinesis\"`; set that, or leave the option out"),
        (
            "",
            "[streams.a]\npartition-key-field = 'id'\n[streams.b]\nsource = 'kinesis'",
            "`partition-key-field` of [streams.a] in up.toml: needs a stream with `source = \"kinesis\"`; set that, or leave the option out",
        ),
        (
            "",
            "[defaults]\nshards = 2\n[streams.a]",
            "`shards` of [defaults] in up.toml: needs a stream with `source = \"kinesis\"`; set that, or leave the option out",
        ),
        (
            "",
            "[pipeline]\nclick-stream = 'b'\n[streams.a]\n[streams.b]\nsource = 'kinesis'",
            "`click-stream` of [pipeline] in up.toml: found b, which reads a data stream; accepted is one of the streams of Direct PUT: a",
        ),
        (
            "--collector-stream=a",
            "[streams.a]\n[streams.b]\nsource = 'kinesis'",
            "`--collector-stream`: found a; accepted is one of the streams with `source = \"kinesis\"`: b",
        ),
        (
            "",
            "[pipeline]\ncollector-stream = 'c'\n[streams.a]\nsource = 'kinesis'\n[streams.b]\nsource = 'kinesis'",
            "`collector-stream` of [pipeline] in up.toml: found c; accepted is one of the streams with `source = \"kinesis\"`: a, b",
        ),
        (
            "--collector=c",
            "",
            "`--collector`: needs a collector; set `--collector-stream` (or `collector-stream` of [pipeline])",
        ),
        (
            "",
            "[pipeline]\ncollector-env = { A = 'b' }",
            "`collector-env` of [pipeline] in up.toml: needs a collector; set `--collector-stream` (or `collector-stream` of [pipeline])",
        ),
        (
            "--collector-concurrency=2",
            "",
            "`--collector-concurrency`: needs a collector; set `--collector-stream` (or `collector-stream` of [pipeline])",
        ),
        (
            "",
            "[pipeline]\ncollector-timeout-seconds = 2",
            "`collector-timeout-seconds` of [pipeline] in up.toml: needs a collector; set `--collector-stream` (or `collector-stream` of [pipeline])",
        ),
        (
            "--collector=missing",
            "[pipeline]\ncollector-stream = 'a'\n[streams.a]\nsource = 'kinesis'",
            "`--collector`: found `missing`, which is not an executable file; accepted is one, by its path or by a name in PATH",
        ),
        (
            "--dynamic-partitioning",
            "[defaults]\nsource = 'kinesis'\nprefix = '!{partitionKeyFromLambda:a}/'",
            "`--dynamic-partitioning`: needs a function that returns partition keys; the default of `--function` is `none`",
        ),
    ] {
        assert_eq!(error(arguments, file), message, "{arguments} {file}");
    }
}

#[test]
fn the_example_of_all_ingestion_paths_has_these_settings() {
    let settings = settings("", include_str!("../../../../../../fixtures/ingestion.toml"));
    let collected = StreamSettings { prefix: prefix("rawdata/"), ..data_stream("collected", None, None) };
    let streams = vec![
        stream("mysfits-clicks"),
        data_stream("orders", Some(2), Some("customer")),
        data_stream("reviews", None, None),
        collected,
    ];
    assert_eq!(settings, Settings { collector: Some(of_collector("collected")), streams, ..defaults() });
}

#[test]
fn each_stream_has_its_ingestion_path() {
    let file = "[pipeline]\nclick-stream = 'clicks'\ncollector-stream = 'collected'\n[streams.clicks]\n[streams.other]\n\
                [streams.orders]\nsource = 'kinesis'\n[streams.collected]\nsource = 'kinesis'\n";
    let settings = settings("", file);
    let paths = settings.ingestion_paths();
    let found: Vec<_> = settings.streams.iter().map(|stream| paths.of(stream)).collect();
    let expected = [Some("/clicks"), None, Some("/v2/orders"), Some("/collect")];
    assert_eq!(found, expected.map(|path| path.map(str::to_owned)));
    let source = Source::DataStream { name: "orders".to_owned(), settings: DataStreamSettings::default() };
    assert_eq!(paths.of(&StreamSettings { source, ..stream("created") }), None);
}

#[test]
fn streams_may_share_a_prefix() {
    for file in [
        "[streams.a]\nprefix = 'b/'\n[streams.b]\nsource = 'kinesis'",
        "[defaults]\nsource = 'kinesis'\nprefix = 'p/'\n[streams.a]\n[streams.b]",
        "[pipeline]\ncollector-stream = 'a'\n[defaults]\nsource = 'kinesis'\n[streams.rawdata]\n[streams.a]",
    ] {
        let streams = settings("", file).streams;
        assert_eq!(streams[0].prefix, streams[1].prefix, "{file}");
    }
}
