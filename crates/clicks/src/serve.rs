//! `clicks serve`: only the APIs of Firehose and Kinesis, until it is interrupted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use crate::error::UsageError;
use crate::examples::{TEMPLATE, examples};
use crate::flush::{end, flush, print};
use crate::interrupts::Interrupts;
use crate::listen::{could_not_listen, warn_beyond_loopback};
use crate::up::options::{Host, Port, Whole};
use crate::up::settings::functions_of;
use crate::{aws, state, totals};
use firehose_model::batch::MB;
use local_firehose::control::{ControlOptions, Root};
use local_firehose::{Server, ServerError, ServerOptions};
use object_storage::{Bucket, Destination};

const S3: &str = "s3://";

/// Serves the APIs of Amazon Data Firehose and Kinesis Data Streams at one address, without streams at first.
///
/// A client needs the address only: set AWS_ENDPOINT_URL, and any region and credentials. Several processes may run at once, each with
/// a port of its own.
#[derive(Args)]
#[command(
    help_template = TEMPLATE,
    before_help = examples(&[
        ("The APIs at http://127.0.0.1:4500", "clicks serve"),
        ("A client of them", "AWS_ENDPOINT_URL=http://127.0.0.1:4500 aws firehose list-delivery-streams"),
        (
            "A function, and records that survive a kill",
            "clicks serve --function-map f=\"python3 -m awslambdaric app.handler\" --state out/state",
        ),
    ]),
    after_help = "Exit codes: 0 stopped by Ctrl-C, SIGTERM or SIGHUP, with all records delivered; 1 an error, or a destination \
                        that has accepted no object (--stop-seconds); 2 wrong usage; 130 aborted by a second interrupt."
)]
pub(crate) struct Serve {
    /// The address to listen on; one that is not loopback opens the port to the network
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", help_heading = "Address")]
    host: Host,

    /// The port of both APIs, for `--endpoint-url` of the AWS CLI and SDKs; 0 is any free one
    #[arg(long, value_name = "PORT", default_value = "4500", help_heading = "Address")]
    port: Port,

    /// Where the buckets of streams are: each a folder in this one, or with s3:// the bucket of its name in S3
    #[arg(long, value_name = "DIR|s3://", default_value = "out/buckets", help_heading = "Destination")]
    destination: String,

    /// The URL of an S3-compatible service, such as MinIO [default: Amazon's]
    #[arg(long, value_name = "URL", help_heading = "Destination")]
    s3_endpoint: Option<String>,

    /// The command of a Lambda function, a runtime client in any language; may be given several times
    ///
    /// NAME is the function's name or its ARN, as in the processor of a stream. Quotes are as in a shell. Without an entry, each
    /// invocation fails, as that of a missing function.
    #[arg(long, value_name = "NAME=COMMAND", help_heading = "Functions")]
    function_map: Vec<String>,

    /// A TOML file with a table [functions.NAME] for each function [default: none]
    ///
    /// NAME is as in `--function-map`. Keys are `command`, `directory` (the working directory), `env` (a table), `memory-mb` (128 to
    /// 10240, not enforced; default 128) and `timeout-seconds` (1 to 300; default 300). Relative paths are relative to the current
    /// folder.
    #[arg(long, value_name = "FILE", help_heading = "Functions")]
    config: Option<PathBuf>,

    /// The memory for the records of all data streams, in MB: 1 to 65536
    ///
    /// A record takes its base64, its partition key and about 200 bytes until its retention ends. Puts into a full memory are refused.
    #[arg(long, value_name = "N", default_value = "256")]
    retention_mb: Whole<1, 65_536>,

    /// A folder for streams, tags and accepted records, which the next start continues with [default: none]
    ///
    /// The records of data streams are in memory only. Those that a delivery stream has read are accepted records.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,

    /// The file of the functions' logs
    #[arg(long, value_name = "FILE", default_value = "out/function.log", help_heading = "Functions")]
    function_log: PathBuf,

    /// Print the functions' logs, which are in `--function-log` in any case
    #[arg(long, short, help_heading = "Functions")]
    verbose: bool,

    /// How long a stop waits for a destination that has accepted no object of this run, in seconds: 0 to 3600
    #[arg(long, value_name = "N", default_value = "30", help_heading = "Destination")]
    stop_seconds: Whole<0, 3600>,
}

fn root(destination: &str, s3_endpoint: Option<&str>) -> Result<Root, UsageError> {
    let refused = |option: &str, problem: String| Err(UsageError(format!("`{option}`: {problem}")));
    match destination.strip_prefix(S3) {
        None if s3_endpoint.is_some() => refused("--s3-endpoint", format!("needs `--destination {S3}`")),
        None => match Destination::parse(destination, None) {
            Ok(_) => Ok(Root::Folder(destination.into())),
            Err(error) => refused("--destination", error.to_string()),
        },
        // Any name: only the endpoint is validated.
        Some("") => match Destination::parse("s3://any", s3_endpoint) {
            Ok(Destination::S3 { endpoint, .. }) => Ok(Root::S3 { endpoint }),
            Ok(Destination::Folder(_)) => refused("--destination", format!("accepted is a folder, or {S3}")),
            Err(error) => refused("--s3-endpoint", error.to_string()),
        },
        Some(_) => {
            let accepted = format!("accepted is a folder, or {S3}: the BucketARN of a stream names its bucket");
            refused("--destination", format!("found {destination}; {accepted}"))
        }
    }
}

pub(crate) async fn run(arguments: &Serve, interrupts: &mut Interrupts) -> anyhow::Result<ExitCode> {
    let Serve { host: Host(host), retention_mb: Whole(retention_mb), stop_seconds: Whole(stop_seconds), .. } =
        *arguments;
    let functions = functions_of(arguments.config.as_deref(), &arguments.function_map)?;
    let root = root(&arguments.destination, arguments.s3_endpoint.as_deref())?;
    // Missing credentials are an error now, not when a stream is created.
    if let Root::S3 { endpoint } = &root {
        let any = Destination::S3 { bucket: "BUCKET".to_owned(), endpoint: endpoint.clone() };
        aws::check_destinations([&any])?;
        Bucket::open(&any, false)?;
    }
    let retention_bytes = retention_mb as usize * MB;
    let options = ServerOptions {
        address: SocketAddr::new(host, arguments.port.number()),
        function_log: arguments.function_log.clone(),
        verbose: arguments.verbose,
        control: ControlOptions { root, functions, state: arguments.state.clone(), retention_bytes },
    };
    let stop_within = Duration::from_secs(stop_seconds.into());
    let mut server = Server::start(options).await.map_err(|error| match error {
        ServerError::Listen(address, cause) => could_not_listen("port", address, &cause),
        error => error.into(),
    })?;
    if let Some(folder) = &arguments.state {
        state::report(folder, server.streams());
    }
    warn_beyond_loopback(host);
    print(&format!("{:<10}{}\n", "endpoint", server.url()));
    interrupts.next().await;
    let deadline = Instant::now() + stop_within;
    let streams = server.streams().clone();
    let stopped = async {
        server.close().await;
        flush(&streams.by_age(), deadline, stop_within).await
    };
    let code = end(stopped, &streams, arguments.state.as_deref(), interrupts).await;
    print(&totals::report(&streams));
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_folder_or_all_buckets_of_an_endpoint() {
        let endpoint = "http://127.0.0.1:9000";
        for (destination, s3_endpoint, expected) in [
            ("out/b", None, Ok(Root::Folder("out/b".into()))),
            ("s3://", None, Ok(Root::S3 { endpoint: None })),
            ("s3://", Some(endpoint), Ok(Root::S3 { endpoint: Some(endpoint.to_owned()) })),
            ("", None, Err("`--destination`: no destination")),
            ("gs://b", None, Err("`--destination`: invalid destination: gs://b")),
            ("s3://bucket", None, Err("`--destination`: found s3://bucket; accepted is a folder, or s3://")),
            ("s3://", Some("nowhere"), Err("`--s3-endpoint`: invalid `s3-endpoint`: nowhere")),
            ("out/b", Some(endpoint), Err("`--s3-endpoint`: needs `--destination s3://`")),
        ] {
            match (root(destination, s3_endpoint), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{destination}"),
                (Err(UsageError(found)), Err(expected)) => assert!(found.starts_with(expected), "{found}"),
                (found, expected) => panic!("{destination}: {found:?}, expected {expected:?}"),
            }
        }
    }
}
