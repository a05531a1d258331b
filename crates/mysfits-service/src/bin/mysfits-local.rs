//! The mysfits service as a local server.
//!
//! Exit codes: 2 for an invalid option or variable, such as a table name, and 1 for a failure, such as a port in use.

use std::env;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use mysfits_service::local::seed;
use mysfits_service::{LocalError, LocalService, Table, TableName, client, init_logs};
use service_kit::env::VariableError;
use tokio::signal;

/// The endpoint of another DynamoDB, as in every AWS tool.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// The mysfits service as a local server, with an embedded DynamoDB and the twelve mysfits.
///
/// With AWS_ENDPOINT_URL_DYNAMODB, it uses the table MYSFITS_TABLE (default: MysfitsTable) at that endpoint.
#[derive(Parser)]
#[command(name = "mysfits-local")]
struct Arguments {
    /// The address to listen on; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,
    /// Milliseconds to delay each response, for measurements
    #[arg(long, value_name = "N", default_value_t = 0)]
    latency_ms: u64,
    /// Create the table at AWS_ENDPOINT_URL_DYNAMODB if it is missing, and fill it if it is empty
    #[arg(long)]
    create_table: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    init_logs();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mysfits-local: {error:#}");
            ExitCode::from(if error.is::<VariableError>() { 2 } else { 1 })
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (service, description) = start(arguments, TableName::from_env()?).await?;
    // Standard output has only the URL, for scripts.
    println!("{}", service.base_url());
    eprintln!("serving {description}; Ctrl-C stops the server");
    signal::ctrl_c().await.context("can't wait for Ctrl-C")?;
    service.stop().await;
    Ok(())
}

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
    let description = format!("the mysfits in the table {} at {}", name.as_str(), url.display());
    let service = LocalService::over(Table::new(client, name), arguments.listen, latency).await;
    Ok((service.map_err(with_option)?, description))
}

/// Parses `--listen`. `localhost` stands for 127.0.0.1, as in the base URL.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let loopback = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = loopback.as_deref().unwrap_or(text);
    address.parse().map_err(|_| "accepted: an address and a port, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080")
}

fn with_option(error: LocalError) -> anyhow::Error {
    match error {
        LocalError::Listen { .. } => anyhow::Error::new(error).context("--listen"),
        LocalError::Database(_) => error.into(),
    }
}
