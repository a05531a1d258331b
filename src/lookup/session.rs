//! Requests to the service: attempts, retries, and the limits of one invocation.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Request, Response, StatusCode, redirect};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::cache::{CacheInstant, Item};
use super::client::Client;
use super::request_error::{LONG_BODIES, MAX_ATTEMPTS, MAX_FAILED_IN_A_ROW, RequestError, retry_after};
use super::secret;
use super::service_response::{self, List, ServiceResponseError};
use crate::config::{Auth, Secret, StoredSecret};

const USER_AGENT: &str =
    concat!("click-processor/", env!("CARGO_PKG_VERSION"), " (Amazon Data Firehose transformation)");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The longest bodies: a list of about 40,000 items, and an item of more than twice the limit of DynamoDB (400 KB; Amazon DynamoDB
/// Developer Guide, "Quotas in Amazon DynamoDB").
const MAX_LIST_BYTES: usize = 8 * 1024 * 1024;
const MAX_ITEM_BYTES: usize = 1024 * 1024;
/// Up to this length, every request in flight reads its body: at most 256, so 8 MiB. Of others, [`LONG_BODIES`] are read at once.
const SHORT_BODY_BYTES: usize = 32 * 1024;
/// As many as requests are in flight by default. A client that [`Session::drop_connections`] has dropped keeps its connections while one
/// of its requests waits for a response, and each may have a buffer of 408 KiB: 13 MiB.
const MAX_IDLE_CONNECTIONS: usize = 32;

/// Statistics of an invocation's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Requests sent, including retries and those for the secret.
    pub sent: u64,
    /// Attempts without a usable response.
    pub failed: u64,
    /// The first error, without any key.
    pub first_failure: Option<String>,
}

/// The requests of one invocation. Connections live no longer, so that none goes stale while Lambda freezes the environment. TLS sessions
/// are still resumed across invocations.
#[derive(Debug)]
pub struct Session<'c> {
    client: &'c Client,
    http: RefCell<Option<reqwest::Client>>,
    long_bodies: Semaphore,
    deadline: Instant,
    trace_id: Option<HeaderValue>,
    requests: RefCell<Requests>,
    failed_in_a_row: Cell<u32>,
    /// Stays open, even if a request in flight then succeeds.
    circuit_open: Cell<bool>,
}

impl<'c> Session<'c> {
    /// A session whose requests end at `deadline`. `trace_id` is sent for AWS X-Ray.
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
            circuit_open: Cell::new(false),
        }
    }

    /// The statistics so far.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests.borrow().clone()
    }

    pub(super) async fn list(&self, path: &str, max_attempts: u32) -> Result<List, RequestError> {
        self.get(path, "", MAX_LIST_BYTES, max_attempts, |body| match body {
            Some(body) => service_response::parse_list(body, &self.client.format),
            None => Err(ServiceResponseError::NoList),
        })
        .await
    }

    /// `key` is in the path as it is.
    pub(super) async fn item(&self, path: &str, key: &str) -> Result<Item, RequestError> {
        self.get(path, key, MAX_ITEM_BYTES, MAX_ATTEMPTS, |body| {
            let Some(body) = body else { return Ok(Item::Unknown) };
            match service_response::parse_item(body, key, &self.client.format) {
                Ok(attributes) => Ok(Item::Found(Arc::new(attributes))),
                // A retry would get the same response.
                Err(missing @ ServiceResponseError::MissingAttribute(_)) => {
                    self.record_error(Target::Service(path), &RequestError::Response(missing));
                    Ok(Item::Incomplete)
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// `parse` gets `None` for "not found".
    async fn get<T>(
        &self,
        path: &str,
        key: &str,
        limit: usize,
        max_attempts: u32,
        parse: impl Fn(Option<&[u8]>) -> Result<T, ServiceResponseError>,
    ) -> Result<T, RequestError> {
        let url = format!("{}{}", self.client.base, path.replace("{key}", key));
        let mut secret = self.secret(max_attempts).await?;
        self.retried(Target::Service(path), max_attempts, async || {
            let result = self.attempt(&url, secret.as_ref(), limit, &parse).await;
            let Some(rejection) = result.as_ref().err().filter(|error| error.is_rejection()) else { return result };
            self.record_error(Target::Service(path), rejection);
            let Some(newer) = self.newer_secret(secret.as_ref()).await else { return result };
            self.requests.borrow_mut().failed += 1;
            secret = Some(newer);
            self.attempt(&url, secret.as_ref(), limit, &parse).await
        })
        .await
    }

    async fn retried<T>(
        &self,
        target: Target<'_>,
        max_attempts: u32,
        mut send: impl AsyncFnMut() -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let mut attempt = 1;
        let mut last = None;
        loop {
            if let Err(error) = self.check_sendable() {
                return Err(last.unwrap_or(error));
            }
            let error = match send().await {
                Ok(value) => {
                    self.failed_in_a_row.set(0);
                    return Ok(value);
                }
                Err(error) => error,
            };
            self.requests.borrow_mut().failed += 1;
            self.record_error(target, &error);
            let delay = error.retry_delay(attempt).filter(|delay| attempt < max_attempts && *delay < self.time_left());
            let Some(delay) = delay else {
                self.failed_in_a_row.set(self.failed_in_a_row.get() + 1);
                self.circuit_open.set(self.circuit_open.get() || self.failed_in_a_row.get() >= MAX_FAILED_IN_A_ROW);
                return Err(error);
            };
            tokio::time::sleep(delay).await;
            last = Some(error);
            attempt += 1;
        }
    }

    /// Fetched by the first request that needs it; `None` without authentication by a secret.
    async fn secret(&self, max_attempts: u32) -> Result<Option<HeaderValue>, RequestError> {
        let stored = match &self.client.auth {
            Auth::None | Auth::Iam(_) => return Ok(None),
            Auth::Header { secret: Secret::Plain(value), .. } => return Ok(Some(value.clone())),
            Auth::Header { secret: Secret::Stored(stored), .. } => stored,
        };
        let mut cached = self.client.secret.lock().await;
        if cached.value.is_none() {
            let fetched = self.fetch(stored, max_attempts).await;
            // Other requests of this invocation would fetch it in vain, too.
            cached.value = Some(fetched.inspect_err(|_| self.circuit_open.set(true))?);
        }
        Ok(cached.value.clone())
    }

    /// `None` if it is still the rejected one.
    async fn newer_secret(&self, rejected: Option<&HeaderValue>) -> Option<HeaderValue> {
        let Auth::Header { secret: Secret::Stored(stored), .. } = &self.client.auth else { return None };
        let mut cached = self.client.secret.lock().await;
        let is_due = cached.value.as_ref() == rejected && self.check_sendable().is_ok();
        if is_due && cached.may_fetch_again(CacheInstant::now()) {
            match self.fetch(stored, MAX_ATTEMPTS).await {
                Ok(value) => cached.value = Some(value),
                Err(error) => tracing::warn!("the service rejected the secret, and GetSecretValue {error}"),
            }
        }
        cached.value.clone().filter(|value| Some(value) != rejected)
    }

    async fn fetch(&self, stored: &StoredSecret, max_attempts: u32) -> Result<HeaderValue, RequestError> {
        self.retried(Target::Secret, max_attempts, async || {
            let request = || {
                let mut request = secret::request(&self.http()?, stored)?;
                stored.signer.sign(&mut request, SystemTime::now())?;
                Ok(request)
            };
            let (status, body) = self.exchange(request, secret::MAX_RESPONSE_BYTES, |_| Ok(true)).await?;
            secret::read(status, &body, stored.field.as_deref())
        })
        .await
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn check_sendable(&self) -> Result<(), RequestError> {
        if self.circuit_open.get() {
            return Err(RequestError::CircuitOpen);
        }
        if self.time_left().is_zero() {
            return Err(RequestError::Deadline);
        }
        Ok(())
    }

    async fn attempt<T>(
        &self,
        url: &str,
        secret: Option<&HeaderValue>,
        limit: usize,
        parse: impl Fn(Option<&[u8]>) -> Result<T, ServiceResponseError>,
    ) -> Result<T, RequestError> {
        let request = || {
            let mut request = self.http()?.get(url).build()?;
            if let Some(trace_id) = &self.trace_id {
                request.headers_mut().insert(TRACE_ID, trace_id.clone());
            }
            match (&self.client.auth, secret) {
                (Auth::Header { name, .. }, Some(secret)) => {
                    request.headers_mut().insert(name, secret.clone());
                }
                (Auth::Iam(signer), _) => signer.sign(&mut request, SystemTime::now())?,
                _ => {}
            }
            Ok(request)
        };
        let has_body = |response: &Response| match response.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND | StatusCode::GONE => Ok(false),
            status => Err(RequestError::Status { status, retry_after: retry_after(response.headers()) }),
        };
        let (_, body) = self.exchange(request, limit, has_body).await?;
        Ok(parse(Some(&*body).filter(|body| !body.is_empty()))?)
    }

    /// The time-out does not include the wait for other bodies.
    async fn exchange(
        &self,
        request: impl FnOnce() -> Result<Request, RequestError>,
        limit: usize,
        has_body: impl FnOnce(&Response) -> Result<bool, RequestError>,
    ) -> Result<(StatusCode, Vec<u8>), RequestError> {
        self.requests.borrow_mut().sent += 1;
        let time = self.client.timeout.min(self.time_left());
        let mut left = time;
        let response = self.within(&mut left, time, async { Ok(self.http()?.execute(request()?).await?) }).await?;
        let status = response.status();
        if !has_body(&response)? {
            return Ok((status, Vec::new()));
        }
        let length = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if length.is_some_and(|length| length > limit) {
            return Err(RequestError::TooLong { limit });
        }
        let _permit = self.permit_to_read(length).await?;
        Ok((status, self.within(&mut left, time, self.body(response, length, limit)).await?))
    }

    /// Subtracts the duration of `part` from `left`.
    async fn within<T>(
        &self,
        left: &mut Duration,
        time: Duration,
        part: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        let started = Instant::now();
        let result = tokio::time::timeout((*left).min(self.time_left()), part).await;
        *left = left.saturating_sub(started.elapsed());
        result.unwrap_or(Err(RequestError::Timeout(time)))
    }

    /// A body of unknown length may be long.
    async fn permit_to_read(&self, length: Option<usize>) -> Result<Option<SemaphorePermit<'_>>, RequestError> {
        if length.is_some_and(|length| length <= SHORT_BODY_BYTES) {
            return Ok(None);
        }
        // The semaphore is never closed.
        let permit = tokio::time::timeout(self.time_left(), self.long_bodies.acquire()).await;
        Ok(permit.map_err(|_| RequestError::Unread)?.ok())
    }

    /// Reads a body into one allocation: of its length, or else of the limit. Untouched capacity takes no memory.
    async fn body(&self, mut response: Response, length: Option<usize>, limit: usize) -> Result<Vec<u8>, RequestError> {
        let mut body = Vec::with_capacity(length.unwrap_or(SHORT_BODY_BYTES));
        if length.is_some_and(|length| length > SHORT_BODY_BYTES) {
            self.drop_connections();
        }
        while let Some(chunk) = response.chunk().await? {
            let read = body.len() + chunk.len();
            if read > limit {
                return Err(RequestError::TooLong { limit });
            }
            if read > SHORT_BODY_BYTES && body.capacity() < limit && length.is_none() {
                self.drop_connections();
                body.reserve_exact(limit - body.len());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// After a long body: the buffer of each grows up to 408 KiB (hyper's `DEFAULT_MAX_BUFFER_SIZE`) and does not shrink.
    fn drop_connections(&self) {
        self.http.take();
    }

    /// Created by the first request: most invocations send none.
    fn http(&self) -> Result<reqwest::Client, RequestError> {
        if let Some(http) = &*self.http.borrow() {
            return Ok(http.clone());
        }
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.client.tls.clone())
            .user_agent(USER_AGENT)
            .default_headers(HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]))
            // A redirect would send the secret to another host.
            .redirect(redirect::Policy::none())
            // Only `get` retries.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS);
        if self.client.without_proxy {
            builder = builder.no_proxy();
        }
        Ok(self.http.borrow_mut().insert(builder.build()?).clone())
    }

    /// Records that the list at `path` is the only source, and lacks an attribute.
    pub(super) fn record_incomplete(&self, path: &str) {
        self.record_error(Target::Service(path), &RequestError::Response(ServiceResponseError::Incomplete));
    }

    /// Keeps only the first.
    fn record_error(&self, target: Target<'_>, error: &RequestError) {
        self.requests.borrow_mut().first_failure.get_or_insert_with(|| match target {
            // A query may have a secret.
            Target::Service(path) => format!("GET {} {error}", path.split(['?', '{']).next().unwrap_or_default()),
            Target::Secret => format!("GetSecretValue {error}"),
        });
    }
}

#[derive(Clone, Copy)]
enum Target<'p> {
    Service(&'p str),
    Secret,
}
