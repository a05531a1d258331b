//! Requests to the service: one attempt, its retries, and the bounds of all requests of one invocation.

use std::cell::{Cell, OnceCell, RefCell};
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::answer::{self, Attributes, BadAnswer, List};
use crate::config::Config;

const USER_AGENT: &str =
    concat!("click-processor/", env!("CARGO_PKG_VERSION"), " (Amazon Data Firehose transformation)");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The longest answers that are read: a list of some 40,000 mysfits, and an item far beyond the longest description.
const MAX_LIST_BYTES: usize = 8 * 1024 * 1024;
const MAX_ITEM_BYTES: usize = 1024 * 1024;
pub(super) const MAX_ATTEMPTS: u32 = 4;
/// The waits between attempts are drawn from 0 to this, doubled each time, up to the most: full jitter keeps many
/// functions from coming back in step ("Exponential Backoff And Jitter", AWS Architecture Blog).
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// So many different requests that fail for good one after the other say that it is not about one mysfit.
const MAX_FAILED_IN_A_ROW: u32 = 3;

/// How the service is reached; lives as long as the function.
#[derive(Debug)]
pub struct Client {
    /// The base URL without a trailing slash: API Gateway takes `prod//mysfits` for another path than `prod/mysfits`.
    base: String,
    headers: HeaderMap,
    timeout: Duration,
    tls: ClientConfig,
    names: Vec<String>,
}

/// The client can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file with further certificate authorities can't be used.
    #[error("SSL_CERT_FILE: found {path}, which can't be used; accepted: a PEM file with certificates", path = path.display())]
    ExtraRoots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("answered {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    #[error("answered with more than {limit} bytes")]
    TooLong { limit: usize },
    #[error("answered with {0}")]
    Answer(#[from] BadAnswer),
    #[error("did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("broke: {0}")]
    Connection(String),
    #[error("was not sent: {MAX_FAILED_IN_A_ROW} requests in a row have failed")]
    GaveUp,
    #[error("was not sent: no time left in this invocation")]
    Deadline,
}

/// What an invocation has asked of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// The requests sent, each attempt counted.
    pub sent: u64,
    /// The attempts that brought no usable answer.
    pub failed: u64,
    /// What went wrong first, without any id.
    pub first_failure: Option<String>,
}

/// The requests of one invocation. Its connections live no longer than that, so that none goes stale while Lambda keeps the
/// function frozen; the TLS session is resumed across invocations all the same.
#[derive(Debug)]
pub struct Session<'c> {
    client: &'c Client,
    http: OnceCell<reqwest::Client>,
    deadline: Instant,
    trace_id: Option<HeaderValue>,
    requests: RefCell<Requests>,
    failed_in_a_row: Cell<u32>,
    /// Once set it stays, also when a request that was under way then succeeds.
    gave_up: Cell<bool>,
}

impl Client {
    /// Sets up what all sessions share.
    ///
    /// # Errors
    /// [`ClientError`] where TLS can't be set up.
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        headers.extend(config.api_key.clone().map(|key| (API_KEY, key)));
        Ok(Self {
            base: config.mysfits_api_url.as_str().trim_end_matches('/').to_owned(),
            headers,
            timeout: config.timeout,
            tls: tls(config.extra_roots.as_deref())?,
            names: config.mysfit_attributes.clone(),
        })
    }

    /// Begins the requests of one invocation, all of which end at `deadline`. `trace_id` is passed on for AWS X-Ray.
    #[must_use]
    pub fn session(&self, deadline: Instant, trace_id: Option<&str>) -> Session<'_> {
        Session {
            client: self,
            http: OnceCell::new(),
            deadline,
            trace_id: trace_id.and_then(|id| HeaderValue::from_str(id).ok()),
            requests: RefCell::default(),
            failed_in_a_row: Cell::new(0),
            gave_up: Cell::new(false),
        }
    }
}

impl Session<'_> {
    /// What has been asked so far.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests.borrow().clone()
    }

    /// `GET /mysfits`, in so many attempts at the most.
    pub(super) async fn list(&self, attempts: u32) -> Result<List, Failure> {
        self.get("/mysfits", "", MAX_LIST_BYTES, attempts, |body| match body {
            Some(body) => answer::list(body, &self.client.names),
            None => Err(BadAnswer::NoList),
        })
        .await
    }

    /// `GET /mysfits/{id}`; `None` where the service knows no such mysfit. `id` goes into the URL as it is.
    pub(super) async fn item(&self, id: &str) -> Result<Option<Arc<Attributes>>, Failure> {
        self.get("/mysfits/", id, MAX_ITEM_BYTES, MAX_ATTEMPTS, |body| {
            body.map(|body| answer::item(body, id, &self.client.names)).transpose()
        })
        .await
    }

    /// Sends a request until `read` accepts what it brings: a body, or `None` for nothing there.
    async fn get<T>(
        &self,
        path: &str,
        id: &str,
        limit: usize,
        attempts: u32,
        read: impl Fn(Option<&[u8]>) -> Result<T, BadAnswer>,
    ) -> Result<T, Failure> {
        let url = format!("{}{path}{id}", self.client.base);
        let mut attempt = 1;
        let mut last = None;
        loop {
            if let Err(refusal) = self.may_send() {
                return Err(last.unwrap_or(refusal));
            }
            let failure = match self.attempt(&url, limit, &read).await {
                Ok(answer) => {
                    self.failed_in_a_row.set(0);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            self.note(path, &failure);
            let wait = failure.wait_after(attempt).filter(|wait| attempt < attempts && *wait < self.time_left());
            let Some(wait) = wait else {
                self.failed_in_a_row.set(self.failed_in_a_row.get() + 1);
                self.gave_up.set(self.gave_up.get() || self.failed_in_a_row.get() >= MAX_FAILED_IN_A_ROW);
                return Err(failure);
            };
            tokio::time::sleep(wait).await;
            last = Some(failure);
            attempt += 1;
        }
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn may_send(&self) -> Result<(), Failure> {
        if self.gave_up.get() {
            return Err(Failure::GaveUp);
        }
        if self.time_left().is_zero() {
            return Err(Failure::Deadline);
        }
        Ok(())
    }

    async fn attempt<T>(
        &self,
        url: &str,
        limit: usize,
        read: impl Fn(Option<&[u8]>) -> Result<T, BadAnswer>,
    ) -> Result<T, Failure> {
        self.requests.borrow_mut().sent += 1;
        let time = self.client.timeout.min(self.time_left());
        tokio::time::timeout(time, async {
            let mut request = self.http()?.get(url);
            if let Some(trace_id) = &self.trace_id {
                request = request.header(TRACE_ID, trace_id);
            }
            let body = body(request.send().await?, limit).await?;
            Ok(read(body.as_deref())?)
        })
        .await
        .unwrap_or(Err(Failure::Timeout(time)))
    }

    /// The connections, made when the first request needs them: most invocations send none.
    fn http(&self) -> Result<&reqwest::Client, Failure> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let built = reqwest::Client::builder()
            .tls_backend_preconfigured(self.client.tls.clone())
            .user_agent(USER_AGENT)
            .default_headers(self.client.headers.clone())
            // A redirect would carry the API key to wherever it points.
            .redirect(redirect::Policy::none())
            // Attempts are counted and bounded here, and nowhere else.
            .retry(reqwest::retry::never())
            .build()?;
        Ok(self.http.get_or_init(|| built))
    }

    fn note(&self, path: &str, failure: &Failure) {
        let mut requests = self.requests.borrow_mut();
        requests.failed += 1;
        requests.first_failure.get_or_insert_with(|| format!("GET {path} {failure}"));
    }
}

/// The body of an answer, or `None` where it says that there is nothing.
async fn body(mut response: Response, limit: usize) -> Result<Option<Vec<u8>>, Failure> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NO_CONTENT | StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
        status => {
            return Err(Failure::Status { status, retry_after: retry_after(response.headers()) });
        }
    }
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(Failure::TooLong { limit });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Err(Failure::TooLong { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body).filter(|body| !body.is_empty()))
}

/// How long the service asks to be left alone: a number of seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

impl Failure {
    /// Whether a request was sent at all.
    pub(super) fn was_sent(&self) -> bool {
        !matches!(self, Self::GaveUp | Self::Deadline)
    }

    /// How long to wait before the next attempt; `None` where there is none.
    fn wait_after(&self, attempt: u32) -> Option<Duration> {
        if attempt >= MAX_ATTEMPTS || !self.may_pass() {
            return None;
        }
        let most = MAX_BACKOFF.min(FIRST_BACKOFF * 2_u32.pow(attempt - 1));
        let backoff = most.mul_f64(fastrand::f64());
        match self {
            Self::Status { retry_after: Some(asked), .. } => Some(backoff.max(*asked)),
            _ => Some(backoff),
        }
    }

    /// Whether another attempt may bring an answer.
    fn may_pass(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            Self::Answer(BadAnswer::Lacks(_)) | Self::GaveUp | Self::Deadline => false,
            Self::TooLong { .. } | Self::Answer(_) | Self::Timeout(_) | Self::Connection(_) => true,
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The URL holds an id, which is a visitor's input; the causes are what tells one fault from another.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self::Connection(text)
    }
}

/// TLS with the certificate authorities of Mozilla's programme, which are built in, and with those in `extra_roots`.
fn tls(extra_roots: Option<&Path>) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_roots {
        add_roots(path, &mut roots).map_err(|source| ClientError::ExtraRoots { path: path.to_owned(), source })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn add_roots(path: &Path, roots: &mut RootCertStore) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let built_in = roots.len();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    if roots.len() == built_in { Err("there is none in it".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: StatusCode, retry_after: Option<Duration>) -> Failure {
        Failure::Status { status, retry_after }
    }

    #[test]
    fn what_may_pass_is_tried_again_four_times_at_most() {
        for (failure, tried_again) in [
            (status(StatusCode::INTERNAL_SERVER_ERROR, None), true),
            (status(StatusCode::TOO_MANY_REQUESTS, None), true),
            (status(StatusCode::REQUEST_TIMEOUT, None), true),
            (status(StatusCode::FORBIDDEN, None), false),
            (status(StatusCode::FOUND, None), false),
            (Failure::Timeout(Duration::ZERO), true),
            (Failure::Connection(String::new()), true),
            (Failure::TooLong { limit: 1 }, true),
            (Failure::Answer(BadAnswer::Shape), true),
            (Failure::Answer(BadAnswer::Lacks("species".to_owned())), false),
        ] {
            assert_eq!(failure.wait_after(1).is_some(), tried_again, "{failure}");
            assert_eq!(failure.wait_after(3).is_some(), tried_again, "{failure}");
            assert_eq!(failure.wait_after(4), None, "{failure}");
        }
    }

    #[test]
    fn waits_grow_with_full_jitter() {
        for (attempt, most_ms) in [(1, 100.0), (2, 200.0), (3, 400.0)] {
            let draw = |_| Failure::Timeout(Duration::ZERO).wait_after(attempt).unwrap().as_secs_f64() * 1000.0;
            let waits: Vec<f64> = (0..200).map(draw).collect();
            let (least, longest) = waits.iter().fold((f64::MAX, 0.0_f64), |(a, b), wait| (a.min(*wait), b.max(*wait)));
            assert!(longest <= most_ms, "{longest} ms after attempt {attempt}");
            // 200 draws that all miss a quarter of the range have odds of 1 in 10 to the 24th.
            assert!(
                least < most_ms / 4.0 && longest > most_ms * 0.75,
                "{least} to {longest} ms after attempt {attempt}"
            );
        }
    }

    #[test]
    fn the_service_is_left_alone_as_long_as_it_asks() {
        for code in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR]
        {
            let asked = Duration::from_secs(7);
            assert_eq!(status(code, Some(asked)).wait_after(1), Some(asked));
        }
        // One that asks for no time is backed off from all the same.
        let at_once = status(StatusCode::SERVICE_UNAVAILABLE, Some(Duration::ZERO));
        assert!((0..200).any(|_| at_once.wait_after(3) > Some(Duration::from_millis(100))));
    }

    #[test]
    fn the_authorities_of_mozilla_are_built_in() {
        let built_in = webpki_roots::TLS_SERVER_ROOTS.len();
        assert!(built_in > 100);
        let trusted = |roots: usize| format!("RootCertStore {{ roots: \"({roots} roots)\" }}");
        let shown = format!("{:?}", tls(None).unwrap());
        assert!(shown.contains(&trusted(built_in)), "{shown}");
        let more = tempfile::NamedTempFile::new().unwrap();
        let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(more.path(), authority.cert.pem()).unwrap();
        let shown = format!("{:?}", tls(Some(more.path())).unwrap());
        assert!(shown.contains(&trusted(built_in + 1)), "{shown}");
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        assert!(add_roots(Path::new("/nowhere.pem"), &mut roots).is_err());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1000));
        for (value, expected) in [
            ("7", Some(7..8)),
            (" 0 ", Some(0..1)),
            (soon.as_str(), Some(900..1001)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(0..1)),
            ("soon", None),
            ("-1", None),
            ("18446744073709551615", Some(u64::MAX..u64::MAX)),
            ("99999999999999999999999", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
            let found = retry_after(&headers).map(|wait| wait.as_secs());
            let fits = match (found, &expected) {
                (Some(found), Some(range)) => range.contains(&found) || found == range.start,
                (found, range) => found.is_none() && range.is_none(),
            };
            assert!(fits, "{value}: {found:?}, expected {expected:?}");
        }
    }
}
