//! Requests to the service: one attempt, its retries, and the bounds of all requests of one invocation.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Response, StatusCode, redirect};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::{self, BadAnswer, List};
use super::cache::Item;
use super::client::Client;
use super::failure::{Failure, LONG_BODIES, MAX_ATTEMPTS, MAX_FAILED_IN_A_ROW, retry_after};

const USER_AGENT: &str =
    concat!("click-processor/", env!("CARGO_PKG_VERSION"), " (Amazon Data Firehose transformation)");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The longest answers that are read: a list of some 40,000 mysfits, and an item of more than twice what DynamoDB holds in one
/// (400 KB; Amazon DynamoDB Developer Guide, "Quotas in Amazon DynamoDB").
const MAX_LIST_BYTES: usize = 8 * 1024 * 1024;
const MAX_ITEM_BYTES: usize = 1024 * 1024;
/// Bodies up to this length are read all at once, as many as requests are in flight: 256 at the most, so 8 MiB. Of longer ones,
/// and of those whose response has no length, [`LONG_BODIES`] are.
const SHORT_BODY_BYTES: usize = 32 * 1024;

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
    http: RefCell<Option<reqwest::Client>>,
    long_bodies: Semaphore,
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
            http: RefCell::default(),
            long_bodies: Semaphore::new(LONG_BODIES),
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

    /// `GET /mysfits/{id}`. `id` goes into the URL as it is.
    pub(super) async fn item(&self, id: &str) -> Result<Item, Failure> {
        self.get("/mysfits/", id, MAX_ITEM_BYTES, MAX_ATTEMPTS, |body| {
            let Some(body) = body else { return Ok(Item::Unknown) };
            match answer::item(body, id, &self.client.names) {
                Ok(attributes) => Ok(Item::Found(Arc::new(attributes))),
                // It is an answer, and the next one would be the same.
                Err(lacks @ BadAnswer::Lacks(_)) => {
                    self.note_first("/mysfits/", &Failure::Answer(lacks));
                    Ok(Item::Lacking)
                }
                Err(bad) => Err(bad),
            }
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
            self.requests.borrow_mut().failed += 1;
            self.note_first(path, &failure);
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

    /// Sends the request once. Its time-out is for the service alone: the wait for other bodies is none of its time.
    async fn attempt<T>(
        &self,
        url: &str,
        limit: usize,
        read: impl Fn(Option<&[u8]>) -> Result<T, BadAnswer>,
    ) -> Result<T, Failure> {
        self.requests.borrow_mut().sent += 1;
        let time = self.client.timeout.min(self.time_left());
        let mut left = time;
        let response = self
            .within(&mut left, time, async {
                let mut request = self.http()?.get(url);
                if let Some(trace_id) = &self.trace_id {
                    request = request.header(TRACE_ID, trace_id);
                }
                Ok(request.send().await?)
            })
            .await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(read(None)?),
            status => return Err(Failure::Status { status, retry_after: retry_after(response.headers()) }),
        }
        let length = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if length.is_some_and(|length| length > limit) {
            return Err(Failure::TooLong { limit });
        }
        let _permit = self.permit_to_read(length).await?;
        let body = self.within(&mut left, time, self.body(response, length, limit)).await?;
        Ok(read(Some(&*body).filter(|body| !body.is_empty()))?)
    }

    /// Runs a part of an attempt, and takes its time from what is `left` of `time`.
    async fn within<T>(
        &self,
        left: &mut Duration,
        time: Duration,
        part: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let result = tokio::time::timeout((*left).min(self.time_left()), part).await;
        *left = left.saturating_sub(started.elapsed());
        result.unwrap_or(Err(Failure::Timeout(time)))
    }

    /// Waits until a body of that length may be read, which may be a long one where it has none.
    async fn permit_to_read(&self, length: Option<usize>) -> Result<Option<SemaphorePermit<'_>>, Failure> {
        if length.is_some_and(|length| length <= SHORT_BODY_BYTES) {
            return Ok(None);
        }
        // The semaphore is never closed.
        let permit = tokio::time::timeout(self.time_left(), self.long_bodies.acquire()).await;
        Ok(permit.map_err(|_| Failure::Unread)?.ok())
    }

    /// The body of a response, which is held once: in a block of its length where it has one, else of the most that it may have.
    /// Memory that is not written to takes none.
    async fn body(&self, mut response: Response, length: Option<usize>, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::with_capacity(length.unwrap_or(SHORT_BODY_BYTES));
        if length.is_some_and(|length| length > SHORT_BODY_BYTES) {
            self.keep_no_connections();
        }
        while let Some(chunk) = response.chunk().await? {
            let read = body.len() + chunk.len();
            if read > limit {
                return Err(Failure::TooLong { limit });
            }
            if read > SHORT_BODY_BYTES && body.capacity() < limit && length.is_none() {
                self.keep_no_connections();
                body.reserve_exact(limit - body.len());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// After a long body no connection is kept for the next request: each has a buffer that grows with what it reads, to 408 KiB
    /// (hyper's `DEFAULT_MAX_BUFFER_SIZE`), and does not shrink. Those in flight end when they are read.
    fn keep_no_connections(&self) {
        self.http.take();
    }

    /// The connections, made when the first request needs them: most invocations send none.
    fn http(&self) -> Result<reqwest::Client, Failure> {
        if let Some(http) = &*self.http.borrow() {
            return Ok(http.clone());
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
        Ok(self.http.borrow_mut().insert(built).clone())
    }

    fn note_first(&self, path: &str, failure: &Failure) {
        self.requests.borrow_mut().first_failure.get_or_insert_with(|| format!("GET {path} {failure}"));
    }
}
