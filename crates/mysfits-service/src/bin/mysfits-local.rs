//! The mysfits service on this machine.

use std::{env, net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Parser;
use mysfits_service::{LocalError, LocalService, Table, TableName, client, local::seed, logs};
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
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Milliseconds to add to each answer, for measurements
    #[arg(long, value_name = "N", default_value_t = 0)]
    latency_ms: u64,
    /// Create and fill the table at AWS_ENDPOINT_URL_DYNAMODB if it is missing; the embedded one always is
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
    let service = start(&arguments, name).await?;
    println!("{}", service.base_url());
    signal::ctrl_c().await.context("can't wait for Ctrl-C")?;
    service.stop().await;
    Ok(())
}

async fn start(arguments: &Arguments, name: TableName) -> anyhow::Result<LocalService> {
    let latency = Duration::from_millis(arguments.latency_ms);
    if env::var_os(ENDPOINT_VARIABLE).is_none_or(|url| url.is_empty()) {
        let service = LocalService::start_with_latency(arguments.listen, latency).await;
        return service.map_err(with_option);
    }
    let client = client::from_env().await?;
    if arguments.create_table {
        seed::create_table(&client, &name).await?;
    }
    let service = LocalService::start_over(Table::new(client, name), arguments.listen, latency).await;
    service.map_err(with_option)
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
