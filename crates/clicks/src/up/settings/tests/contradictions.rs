//! Options that do not fit together, or that Firehose would refuse.

use super::*;

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
