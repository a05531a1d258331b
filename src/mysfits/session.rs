//! Requests to the service: one attempt, its retries, and the bounds of all requests of one invocation.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Response, StatusCode, redirect};

use super::answer::{self, Attributes, BadAnswer, List};
use super::client::Client;
use super::failure::{Failure, MAX_ATTEMPTS, MAX_FAILED_IN_A_ROW, retry_after};

const USER_AGENT: &str =
    concat!("click-processor/", env!("CARGO_PKG_VERSION"), " (Amazon Data Firehose transformation)");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The longest answers that are read: a list of some 40,000 mysfits, and an item far beyond the longest description.
const MAX_LIST_BYTES: usize = 8 * 1024 * 1024;
const MAX_ITEM_BYTES: usize = 1024 * 1024;

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

impl<'c> Session<'c> {
    /// Begins the requests of one invocation, all of which end at `deadline`. `trace_id` is passed on for AWS X-Ray.
    #[must_use]
    pub fn new(client: &'c Client, deadline: Instant, trace_id: Option<&str>) -> Self {
        Self {
            client,
            http: OnceCell::new(),
            deadline,
            trace_id: trace_id.and_then(|id| HeaderValue::from_str(id).ok()),
            requests: RefCell::default(),
            failed_in_a_row: Cell::new(0),
            gave_up: Cell::new(false),
        }
    }

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
