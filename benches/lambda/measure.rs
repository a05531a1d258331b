//! What is measured, and how.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use runtime_api::{Function, Outcome, Settings};

use crate::batch::batch;
use crate::{function, service, time, tls};

/// The records of a batch, as many as Firehose's default buffer of 1 MiB holds.
const RECORDS: usize = 10_000;

/// The records of an event of 5.8 MB, near the 6 MB that Lambda takes: the reply reaches its budget, and the last ones fail.
const MOST_RECORDS: usize = 22_500;

/// The most records whose reply stays within its budget.
const MOST_DELIVERED: usize = 19_000;

/// What the slow service of `look_ups` takes.
const LATENCY: Duration = Duration::from_millis(20);

type Row = (String, String, String);

/// A function that is measured.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Ours,
    Straightforward,
    CachedPython,
    WorkshopPython,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Ours, Self::Straightforward, Self::CachedPython, Self::WorkshopPython];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "click-processor",
            Self::Straightforward => "straightforward Rust, `aws_lambda_events`",
            Self::CachedPython => "Python with a session and a cache",
            Self::WorkshopPython => "the workshop's way, in Python",
        }
    }

    fn settings(self, url: &str) -> Settings {
        let settings = match self {
            Self::Ours => Settings::new(env!("CARGO_BIN_EXE_click-processor")),
            Self::Straightforward => this("straightforward"),
            Self::CachedPython => python("cached.handler"),
            Self::WorkshopPython => python("workshop.handler"),
        };
        let settings = settings.env("MYSFITS_API_URL", url).env("MYSFITS_CACHE_SECONDS", "86400");
        Settings { timeout: Duration::from_secs(300), ..settings }
    }

    /// The workshop's way sends a request for each record, one after the other.
    fn batch(self) -> (usize, usize) {
        match self {
            Self::Ours | Self::Straightforward => (RECORDS, 10),
            Self::CachedPython => (RECORDS, 2),
            Self::WorkshopPython => (200, 1),
        }
    }
}

/// This executable as a function.
fn this(name: &str) -> Settings {
    Settings::new(std::env::current_exe().unwrap()).env(function::VARIABLE, name)
}

fn python(handler: &str) -> Settings {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make bench`", python.display());
    let mut settings = Settings::new(python);
    settings.args = ["-m", "awslambdaric", handler].map(Into::into).into();
    settings.env("PYTHONPATH", root.join("benches/lambda").display().to_string())
}

/// The CPU of a warm function in nanoseconds a record.
pub(crate) async fn round(kind: Kind) -> f64 {
    let (records, batches) = kind.batch();
    let url = service::start(12, Duration::ZERO);
    cpu_a_record(kind.settings(&url), &batch(records, 12), records, batches).await
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds and records are far from 2^52")]
async fn cpu_a_record(settings: Settings, event: &str, records: usize, batches: usize) -> f64 {
    let mut function = Function::start(settings).await.unwrap();
    let process = function.process_id().unwrap();
    // What is done once, such as asking the service, is not what is measured.
    invoke(&mut function, event).await;
    invoke(&mut function, event).await;
    let before = cpu(process);
    for _ in 0..batches {
        invoke(&mut function, event).await;
    }
    let spent = cpu(process).saturating_sub(before);
    function.stop().await;
    spent.as_nanos() as f64 / (records * batches) as f64
}

async fn invoke(function: &mut Function, event: &str) -> Vec<u8> {
    let invocation = function.invoke(event.as_bytes().to_vec()).await.unwrap();
    match invocation.outcome {
        Outcome::Reply(reply) => reply.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// The process start to the first poll: ours, in turns with a function that does nothing.
pub(crate) fn starts() -> Vec<Row> {
    let (mut ours, mut ours_with_tls, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..30 {
        let processor = |url| Settings::new(env!("CARGO_BIN_EXE_click-processor")).env("MYSFITS_API_URL", url);
        ours.push(start(&processor("http://example.com")));
        ours_with_tls.push(start(&processor("https://example.com")));
        empty.push(start(&this("empty")));
    }
    let [ours, ours_with_tls, empty] = [ours, ours_with_tls, empty].map(middle);
    let beside = |took| format!("{empty:.2} ms of an empty `lambda_runtime` function: {:.2} times", took / empty);
    vec![
        ("start to first poll, service by HTTP".to_owned(), format!("{ours:.2} ms"), beside(ours)),
        ("start to first poll, service by HTTPS".to_owned(), format!("{ours_with_tls:.2} ms"), beside(ours_with_tls)),
    ]
}

/// What TLS costs a process in CPU, all in all: authorities, client, handshake and certificate, for the service's first answer.
pub(crate) async fn tls_cost() -> Row {
    let (https, authority) = tls::start();
    let http = service::start(1, Duration::ZERO);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let settings = Kind::Ours.settings(&https).env("SSL_CERT_FILE", authority.path().display().to_string());
        with.push(cpu_of_first_answer(settings).await);
        without.push(cpu_of_first_answer(Kind::Ours.settings(&http)).await);
    }
    let (with, without) = (middle(with), middle(without));
    let beside = format!("CPU up to the first answer {with:.2} ms by HTTPS, {without:.2} ms by HTTP");
    ("TLS, once a process".to_owned(), format!("{:.2} ms", with - without), beside)
}

/// In milliseconds, from the process's start on.
async fn cpu_of_first_answer(settings: Settings) -> f64 {
    let mut function = Function::start(settings).await.unwrap();
    let reply = invoke(&mut function, &batch(1, 1)).await;
    assert!(String::from_utf8(reply).unwrap().contains(r#""result":"Ok""#));
    let spent = cpu(function.process_id().unwrap());
    function.stop().await;
    spent.as_secs_f64() * 1e3
}

/// The size of the executable, stripped as it is for Lambda.
pub(crate) fn size() -> Row {
    let bytes = fs::metadata(env!("CARGO_BIN_EXE_click-processor")).unwrap().len();
    ("executable".to_owned(), format!("{:.1} MB", megabytes(usize::try_from(bytes).unwrap())), String::new())
}

/// How long it takes a process to ask for its first event, in milliseconds.
fn start(settings: &Settings) -> f64 {
    let runtime_api = TcpListener::bind("127.0.0.1:0").unwrap();
    let started = Instant::now();
    let mut process = Command::new(&settings.command)
        .env_clear()
        .envs(settings.env.iter().cloned())
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api.local_addr().unwrap().to_string())
        .envs([("AWS_LAMBDA_FUNCTION_NAME", "f"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"), ("AWS_LAMBDA_LOG_LEVEL", "ERROR")])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (mut stream, _) = runtime_api.accept().unwrap();
    let mut first = [0; 36];
    stream.read_exact(&mut first).unwrap();
    let took = started.elapsed();
    assert_eq!(&first, b"GET /2018-06-01/runtime/invocation/n");
    process.kill().unwrap();
    process.wait().unwrap();
    took.as_secs_f64() * 1e3
}

/// The most memory: an event of 6 MB, and a reply at its budget.
pub(crate) async fn memory() -> Vec<Row> {
    let url = service::start(12, Duration::ZERO);
    let event = batch(MOST_RECORDS, 12);
    let mut function = Function::start(Kind::Ours.settings(&url)).await.unwrap();
    let process = function.process_id().unwrap();
    let mut reply = Vec::new();
    for _ in 0..3 {
        reply = invoke(&mut function, &event).await;
    }
    let peak = status(process, "VmHWM:");
    function.stop().await;
    let sizes = format!("an event of {:.1} MB, a reply of {:.1} MB", megabytes(event.len()), megabytes(reply.len()));
    vec![("peak memory".to_owned(), format!("{} MiB", peak / 1024), sizes)]
}

#[expect(clippy::cast_precision_loss, reason = "bytes are far from 2^52")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// 10,000 distinct ids by `item`, from a service that takes 20 ms for each.
pub(crate) async fn look_ups() -> Vec<Row> {
    let concurrency = 32;
    let url = service::start(RECORDS, LATENCY);
    let settings = Kind::Ours.settings(&url).env("MYSFITS_LOOKUP", "item");
    let mut function = Function::start(settings).await.unwrap();
    let event = batch(RECORDS, RECORDS);
    let started = Instant::now();
    let reply = invoke(&mut function, &event).await;
    let took = started.elapsed().as_secs_f64();
    function.stop().await;
    let delivered = String::from_utf8(reply).unwrap().matches(r#""result":"Ok""#).count();
    assert_eq!(delivered, RECORDS);
    let least = f64::from(u32::try_from(RECORDS).unwrap()) / f64::from(concurrency) * LATENCY.as_secs_f64();
    vec![(
        "10,000 look-ups by `item`, 20 ms each".to_owned(),
        format!("{took:.2} s"),
        format!("{least:.2} s at the least, {concurrency} at once: {:.2} times", took / least),
    )]
}

/// CPU a record with more records, up to a reply of 6 MB, and with more mysfits, of which as many are clicked or few; beside it
/// what a function that does nothing spends on the same event, which no handler can help.
pub(crate) async fn growth(rounds: usize) -> Vec<Row> {
    let sizes = [100, 1_000, RECORDS, MOST_DELIVERED].map(|records| (records, 12, 12));
    let mut rows = Vec::new();
    for (records, mysfits, clicked) in sizes.into_iter().chain([(RECORDS, RECORDS, 12), (RECORDS, RECORDS, RECORDS)]) {
        let url = service::start(mysfits, Duration::ZERO);
        let (event, batches) = (batch(records, clicked), 200_000 / records);
        let (mut ours, mut empty) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(cpu_a_record(Kind::Ours.settings(&url), &event, records, batches).await);
            empty.push(cpu_a_record(this("empty"), &event, records, batches).await);
        }
        let (ours, empty) = (middle(ours), middle(empty));
        rows.push((
            format!("CPU a record, {records} clicks on {clicked} of {mysfits} mysfits"),
            time(ours),
            format!("{} of an empty function: {} more", time(empty), time(ours - empty)),
        ));
    }
    rows
}

/// The CPU that a process has spent, all its threads together.
fn cpu(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let nanoseconds = |task: PathBuf| -> u64 {
        let schedstat = fs::read_to_string(task.join("schedstat")).unwrap();
        schedstat.split_whitespace().next().unwrap().parse().unwrap()
    };
    Duration::from_nanos(tasks.map(|task| nanoseconds(task.unwrap().path())).sum())
}

/// A number in kB out of a process's status.
fn status(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

pub(crate) fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
