//! The command `mysfits-local`.

use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use mysfits_service::local::engine::Engine;
use mysfits_service::local::seed;
use serde_json::Value;
use test_support::PATIENCE;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::http::{anywhere, fixture, get, ids, nowhere};

/// The command with only `variables` in its environment.
fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::from(test_support::command(env!("CARGO_BIN_EXE_mysfits-local")));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Starts the command, and reads the base URL that it prints.
async fn start(arguments: &[&str], variables: &[(&str, &str)]) -> (Child, String) {
    let mut child = command(arguments, variables).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    timeout(PATIENCE, stdout.read_line(&mut line)).await.unwrap().unwrap();
    (child, line.trim_end().to_owned())
}

/// Runs the command until it exits.
async fn output(mut command: Command) -> Output {
    timeout(PATIENCE, command.output()).await.unwrap().unwrap()
}

/// As Ctrl-C in a terminal.
async fn interrupt(child: Child) -> Output {
    test_support::signal("-INT", child.id().unwrap());
    timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The log line after the description.
fn one_log_line(output: &Output) -> Value {
    let (description, log) = stderr(output).split_once('\n').unwrap();
    assert!(description.ends_with("; Ctrl-C stops the server"), "{description}");
    serde_json::from_str(log).unwrap()
}

#[tokio::test]
async fn serves_the_twelve_until_it_is_interrupted() {
    for listen in ["127.0.0.1:0", "localhost:0"] {
        let (child, base_url) = start(&["--listen", listen], &[]).await;
        assert!(base_url.starts_with("http://127.0.0.1:"), "{base_url}");
        assert_eq!(get(&base_url, "/mysfits").await.ids(), ids(&fixture()));
        let output = interrupt(child).await;
        let line = "serving the twelve mysfits; Ctrl-C stops the server\n";
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), line));
    }
}

#[tokio::test]
async fn scripts_get_the_base_url_and_nothing_else() {
    let mut child = command(&["--listen", "127.0.0.1:0"], &[]).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    timeout(PATIENCE, said.read_line(&mut String::new())).await.unwrap().unwrap();
    let output = interrupt(child).await;
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    assert!(stdout.starts_with("http://127.0.0.1:") && stdout.ends_with('\n'), "{stdout}");
}

#[tokio::test]
async fn invalid_usage_exits_with_2() {
    let name = [("MYSFITS_TABLE", "no")];
    let cases = [
        (
            command(&["--listen", "8080"], &[]),
            "invalid value '8080' for '--listen <ADDRESS:PORT>': accepted: an address and a port, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080",
        ),
        (
            command(&["--listen", "localhost:"], &[]),
            "invalid value 'localhost:' for '--listen <ADDRESS:PORT>': accepted: ",
        ),
        (command(&["--latency-ms", "soon"], &[]), "invalid value 'soon' for '--latency-ms <N>'"),
        (command(&["--listen", "127.0.0.1:0"], &name), "MYSFITS_TABLE: found \"no\"; accepted: 3 to 255 characters"),
    ];
    for (command, message) in cases {
        let output = output(command).await;
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn an_address_in_use_is_reported_with_its_option() {
    let listener = TcpListener::bind(anywhere()).unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let output = output(command(&["--listen", &taken], &[])).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let expected = format!("mysfits-local: --listen: can't listen on {taken}: ");
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
}

#[tokio::test]
async fn the_latency_is_added_to_each_response() {
    let (_child, base_url) = start(&["--listen", "127.0.0.1:0", "--latency-ms", "150"], &[]).await;
    let begun = Instant::now();
    get(&base_url, "/").await;
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn another_dynamodb_is_used_and_its_table_created_on_request() {
    let engine = Engine::start().await.unwrap();
    let variables = at(engine.url());
    let arguments = ["--listen", "127.0.0.1:0"];
    let (without_table, base_url) = start(&arguments, &variables).await;
    get(&base_url, "/mysfits").await.is(503);

    // The second time it exists.
    for _ in 0..2 {
        let (_child, base_url) = start(&[&arguments[..], &["--create-table"]].concat(), &variables).await;
        assert_eq!(get(&base_url, "/mysfits").await.ids(), ids(&fixture()));
    }
    assert_eq!(get(&base_url, "/mysfits").await.ids(), ids(&fixture()));
    let tables = engine.client().list_tables().send().await.unwrap();
    assert_eq!(tables.table_names(), ["Mysfits-elsewhere"]);

    let said =
        format!("serving the mysfits in the table Mysfits-elsewhere at {}; Ctrl-C stops the server\n", engine.url());
    assert!(stderr(&interrupt(without_table).await).starts_with(&said));
}

#[tokio::test]
async fn another_dynamodb_needs_a_region() {
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let output = output(command(&["--listen", "127.0.0.1:0"], &variables)).await;
    let expected = "mysfits-local: AWS_REGION: found no value; accepted: an AWS region, such as us-east-1, here or in the AWS profile\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), expected));
}

#[tokio::test]
async fn a_failure_is_one_line_of_json() {
    let url = format!("http://{}", nowhere());
    let (child, base_url) = start(&["--listen", "127.0.0.1:0"], &at(&url)).await;
    get(&base_url, "/mysfits?filter=GoodEvil&value=Good").await.is(503);
    let output = interrupt(child).await;
    let line = one_log_line(&output);
    assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &"could not read the table".into()));
    let cause = line["cause"].as_str().unwrap();
    assert!(cause.starts_with("DynamoDB Query failed: dispatch failure: "), "{cause}");
    assert!(cause.contains("Connection refused"), "{cause}");
}

#[tokio::test]
async fn missing_attributes_are_one_warning() {
    let engine = Engine::start().await.unwrap();
    let name = "Mysfits-elsewhere".parse().unwrap();
    seed::create_table(&engine.client(), &name).await.unwrap();
    let request = engine.client().put_item().table_name(name.as_str());
    let request = request.item("MysfitId", AttributeValue::S("odd".to_owned()));
    let request = request.item("Age", AttributeValue::N("1.5".to_owned()));
    request.send().await.unwrap();

    let (child, base_url) = start(&["--listen", "127.0.0.1:0"], &at(engine.url())).await;
    get(&base_url, "/mysfits/odd").await.is(200);
    let output = interrupt(child).await;
    let line = one_log_line(&output);
    assert_eq!((&line["level"], &line["mysfit_id"]), (&"WARN".into(), &"odd".into()));
    let lacking = "Name,GoodEvil,LawChaos,Species,ThumbImageUri,Age,Description,ProfileImageUri,Likes,Adopted";
    assert_eq!(line["attributes"], lacking);
}

/// The environment for a DynamoDB at `url`.
fn at(url: &str) -> [(&str, &str); 5] {
    [
        ("AWS_ENDPOINT_URL_DYNAMODB", url),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("MYSFITS_TABLE", "Mysfits-elsewhere"),
    ]
}
