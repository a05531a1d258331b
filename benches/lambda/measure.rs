//! The measurements.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use runtime_api::{Function, FunctionSettings, Outcome};

use bench_support::{ClickFormat, batch, batch_of, mysfits_service};

use crate::{function, time, tls};

/// The records of a batch: about as many as Firehose's default buffer of 1 MiB holds.
const RECORDS: usize = 10_000;

/// The records of an event of 5.8 MB, near Lambda's limit of 6 MB: the response reaches its budget, and the last records fail.
const MOST_RECORDS: usize = 22_500;

/// The most records whose response stays within its budget.
const MOST_DELIVERED: usize = 19_000;

/// The latency of the slow service in `look_ups`.
const LATENCY: Duration = Duration::from_millis(20);

type Row = (String, String, String);

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Processor,
    Straightforward,
    CachedPython,
    WorkshopPython,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Processor, Self::Straightforward, Self::CachedPython, Self::WorkshopPython];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Processor => "click-processor",
            Self::Straightforward => "straightforward Rust, `aws_lambda_events`",
            Self::CachedPython => "Python with a session and a cache",
            Self::WorkshopPython => "the workshop's way, in Python",
        }
    }

    fn settings(self, url: &str) -> FunctionSettings {
        let settings = match self {
            Self::Processor => FunctionSettings::new(env!("CARGO_BIN_EXE_click-processor")),
            Self::Straightforward => this("straightforward"),
            Self::CachedPython => python("cached.handler"),
            Self::WorkshopPython => python("workshop.handler"),
        };
        let settings = settings.env("MYSFITS_API_URL", url).env("LOOKUP_CACHE_SECONDS", "86400");
        FunctionSettings { timeout: Duration::from_secs(300), ..settings }
    }

    /// Records per batch, and batches. The workshop's function sends a request for each record, sequentially.
    fn batch(self) -> (usize, usize) {
        match self {
            Self::Processor | Self::Straightforward => (RECORDS, 10),
            Self::CachedPython => (RECORDS, 2),
            Self::WorkshopPython => (200, 1),
        }
    }
}

/// This executable as a function.
fn this(name: &str) -> FunctionSettings {
    FunctionSettings::new(std::env::current_exe().unwrap()).env(function::VARIABLE, name)
}

fn python(handler: &str) -> FunctionSettings {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make bench`", python.display());
    let mut settings = FunctionSettings::new(python);
    settings.args = ["-m", "awslambdaric", handler].map(Into::into).into();
    settings.env("PYTHONPATH", root.join("benches/lambda").display().to_string())
}

/// The CPU of a warm function in nanoseconds per record.
pub(crate) async fn round(kind: Kind) -> f64 {
    let (records, batches) = kind.batch();
    let url = mysfits_service::start(12, Duration::ZERO);
    cpu_per_record(kind.settings(&url), &batch(records, 12), records, batches).await
}

/// CPU per record of clicks in that format: the processor, straightforward Rust, and an empty function.
pub(crate) async fn by_format(format: ClickFormat, rounds: usize) -> [f64; 3] {
    let url = mysfits_service::start(12, Duration::ZERO);
    let event = batch_of(format, RECORDS, 12);
    let processor = format
        .variables()
        .iter()
        .fold(Kind::Processor.settings(&url), |settings, (name, value)| settings.env(*name, *value));
    let straightforward = this("straightforward").env(function::FORMAT, format.name());
    let functions = [processor, straightforward, this("empty")];
    let mut measured = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for (settings, measured) in functions.iter().zip(&mut measured) {
            measured.push(cpu_per_record(settings.clone(), &event, RECORDS, 10).await);
        }
    }
    measured.map(median)
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds and records are far from 2^52")]
async fn cpu_per_record(settings: FunctionSettings, event: &str, records: usize, batches: usize) -> f64 {
    let mut function = Function::start(settings).await.unwrap();
    let process = function.process_id().unwrap();
    // Excludes one-time work, such as fetching the list.
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
        Outcome::Reply(response) => response.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// From process start to the first poll: the processor, alternating with an empty function.
pub(crate) fn starts() -> Vec<Row> {
    let (mut processor, mut processor_with_tls, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..30 {
        let settings = |url| FunctionSettings::new(env!("CARGO_BIN_EXE_click-processor")).env("MYSFITS_API_URL", url);
        processor.push(start(&settings("http://example.com")));
        processor_with_tls.push(start(&settings("https://example.com")));
        empty.push(start(&this("empty")));
    }
    let [processor, processor_with_tls, empty] = [processor, processor_with_tls, empty].map(median);
    let baseline = |took| format!("{empty:.2} ms of an empty `lambda_runtime` function: {:.2} times", took / empty);
    vec![
        ("start to first poll, service by HTTP".to_owned(), format!("{processor:.2} ms"), baseline(processor)),
        (
            "start to first poll, service by HTTPS".to_owned(),
            format!("{processor_with_tls:.2} ms"),
            baseline(processor_with_tls),
        ),
    ]
}

/// The CPU time of TLS in a process: authorities, client, handshake and certificate, up to the service's first response.
pub(crate) async fn tls_cost() -> Row {
    let (https, authority) = tls::start();
    let http = mysfits_service::start(1, Duration::ZERO);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let settings = Kind::Processor.settings(&https).env("SSL_CERT_FILE", authority.path().display().to_string());
        with.push(cpu_of_first_answer(settings).await);
        without.push(cpu_of_first_answer(Kind::Processor.settings(&http)).await);
    }
    let (with, without) = (median(with), median(without));
    let baseline = format!("CPU up to the first answer {with:.2} ms by HTTPS, {without:.2} ms by HTTP");
    ("TLS, once a process".to_owned(), format!("{:.2} ms", with - without), baseline)
}

/// In milliseconds, from the process's start.
async fn cpu_of_first_answer(settings: FunctionSettings) -> f64 {
    let mut function = Function::start(settings).await.unwrap();
    let response = invoke(&mut function, &batch(1, 1)).await;
    assert!(String::from_utf8(response).unwrap().contains(r#""result":"Ok""#));
    let spent = cpu(function.process_id().unwrap());
    function.stop().await;
    spent.as_secs_f64() * 1e3
}

/// The size of the executable, stripped as for Lambda.
pub(crate) fn size() -> Row {
    let bytes = fs::metadata(env!("CARGO_BIN_EXE_click-processor")).unwrap().len();
    ("executable".to_owned(), format!("{:.1} MB", megabytes(usize::try_from(bytes).unwrap())), String::new())
}

/// The time until a process polls for its first event, in milliseconds.
fn start(settings: &FunctionSettings) -> f64 {
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

/// The peak memory with an event of 6 MB, and a response at its budget.
pub(crate) async fn memory() -> Vec<Row> {
    let url = mysfits_service::start(12, Duration::ZERO);
    let event = batch(MOST_RECORDS, 12);
    let mut function = Function::start(Kind::Processor.settings(&url)).await.unwrap();
    let process = function.process_id().unwrap();
    let mut response = Vec::new();
    for _ in 0..3 {
        response = invoke(&mut function, &event).await;
    }
    let peak = status(process, "VmHWM:");
    function.stop().await;
    let sizes =
        format!("an event of {:.1} MB, a response of {:.1} MB", megabytes(event.len()), megabytes(response.len()));
    vec![("peak memory".to_owned(), format!("{} MiB", peak / 1024), sizes)]
}

#[expect(clippy::cast_precision_loss, reason = "bytes are far from 2^52")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// 10,000 distinct ids with item requests of 20 ms each.
pub(crate) async fn look_ups() -> Vec<Row> {
    let concurrency = 32;
    let url = mysfits_service::start(RECORDS, LATENCY);
    let settings = Kind::Processor.settings(&url).env("LOOKUP_MODE", "item");
    let mut function = Function::start(settings).await.unwrap();
    let event = batch(RECORDS, RECORDS);
    let started = Instant::now();
    let response = invoke(&mut function, &event).await;
    let took = started.elapsed().as_secs_f64();
    function.stop().await;
    let delivered = String::from_utf8(response).unwrap().matches(r#""result":"Ok""#).count();
    assert_eq!(delivered, RECORDS);
    let least = f64::from(u32::try_from(RECORDS).unwrap()) / f64::from(concurrency) * LATENCY.as_secs_f64();
    vec![(
        "10,000 look-ups by `item`, 20 ms each".to_owned(),
        format!("{took:.2} s"),
        format!("{least:.2} s at the least, {concurrency} at once: {:.2} times", took / least),
    )]
}

/// CPU per record with more records, up to a response of 6 MB, and with more mysfits, of which all or few are clicked. The baseline is an
/// empty function with the same event.
pub(crate) async fn growth(rounds: usize) -> Vec<Row> {
    let sizes = [100, 1_000, RECORDS, MOST_DELIVERED].map(|records| (records, 12, 12));
    let mut rows = Vec::new();
    for (records, mysfits, clicked) in sizes.into_iter().chain([(RECORDS, RECORDS, 12), (RECORDS, RECORDS, RECORDS)]) {
        let url = mysfits_service::start(mysfits, Duration::ZERO);
        let (event, batches) = (batch(records, clicked), 200_000 / records);
        let (mut processor, mut empty) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            processor.push(cpu_per_record(Kind::Processor.settings(&url), &event, records, batches).await);
            empty.push(cpu_per_record(this("empty"), &event, records, batches).await);
        }
        let (processor, empty) = (median(processor), median(empty));
        rows.push((
            format!("CPU per record, {records} clicks on {clicked} of {mysfits} mysfits"),
            time(processor),
            format!("{} of an empty function: {} more", time(empty), time(processor - empty)),
        ));
    }
    rows
}

/// The CPU time of a process with all its threads.
fn cpu(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let nanoseconds = |task: PathBuf| -> u64 {
        let schedstat = fs::read_to_string(task.join("schedstat")).unwrap();
        schedstat.split_whitespace().next().unwrap().parse().unwrap()
    };
    Duration::from_nanos(tasks.map(|task| nanoseconds(task.unwrap().path())).sum())
}

/// A value in kB from a process's status.
fn status(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
