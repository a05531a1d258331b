//! The mysfits service on this machine.
//!
//! It exits with 2 when it was asked for something that can't be, such as a table name that DynamoDB refuses, and with 1 when
//! something fails, such as listening on a port that is taken.

use std::env;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use mysfits_service::local::seed;
use mysfits_service::{LocalError, LocalService, Table, TableName, client, logs};
use tokio::signal;

/// The DynamoDB to use instead of the embedded one, which every AWS tool reads.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// The mysfits service on this machine, over an embedded DynamoDB with the twelve mysfits.
///
/// With AWS_ENDPOINT_URL_DYNAMODB it uses the table MYSFITS_TABLE (MysfitsTable) at that endpoint instead.
#[derive(Parser)]
#[command(name = "mysfits-local")]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,
    /// Milliseconds to add to each answer, for measurements
    #[arg(long, value_name = "N", default_value_t = 0)]
    latency_ms: u64,
    /// Create the table at AWS_ENDPOINT_URL_DYNAMODB if it is missing, and fill it if it is empty, as the embedded one always is
    #[arg(long)]
    create_table: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logs::init();
    let name = match TableName::from_env() {
        Ok(name) => name,
        Err(error) => return failed(2, &error.into()),
    };
    match run(arguments, name).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(1, &error),
    }
}

async fn run(arguments: Arguments, name: TableName) -> anyhow::Result<()> {
    let (service, what) = start(&arguments, name).await?;
    // One line for scripts, and one for people.
    println!("{}", service.base_url());
    eprintln!("{what} are served; Ctrl-C ends it");
    signal::ctrl_c().await.context("can't wait for Ctrl-C")?;
    service.stop().await;
    Ok(())
}

/// The service, and what it serves.
async fn start(arguments: &Arguments, name: TableName) -> anyhow::Result<(LocalService, String)> {
    let latency = Duration::from_millis(arguments.latency_ms);
    let Some(url) = env::var_os(ENDPOINT_VARIABLE).filter(|url| !url.is_empty()) else {
        let service = LocalService::start_with_latency(arguments.listen, latency).await;
        return Ok((service.map_err(with_option)?, "the twelve mysfits".to_owned()));
    };
    let client = client::from_env().await?;
    if arguments.create_table {
        seed::create_table(&client, &name).await?;
    }
    let what = format!("the mysfits in the table {} at {}", name.as_str(), url.display());
    let service = LocalService::over(Table::new(client, name), arguments.listen, latency).await;
    Ok((service.map_err(with_option)?, what))
}

/// What `--listen` accepts. `localhost` is the address that the base URL then shows.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let loopback = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = loopback.as_deref().unwrap_or(text);
    address.parse().map_err(|_| "give an address and a port, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080")
}

fn with_option(error: LocalError) -> anyhow::Error {
    match error {
        LocalError::Listen { .. } => anyhow::Error::new(error).context("--listen needs another address"),
        _ => error.into(),
    }
}

fn failed(code: u8, error: &anyhow::Error) -> ExitCode {
    eprintln!("mysfits-local: {error:#}");
    ExitCode::from(code)
}
