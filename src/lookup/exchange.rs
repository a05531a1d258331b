//! One request and its response, over connections of one invocation.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Client, Request, Response, StatusCode, redirect};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::connection::ServiceConnection;
use super::request_error::{LONG_BODIES, RequestError};

const USER_AGENT: &str =
    concat!("click-processor/", env!("CARGO_PKG_VERSION"), " (Amazon Data Firehose transformation)");
/// Up to this length, every request in flight reads its body: at most 256, so 8 MiB. Of others, [`LONG_BODIES`] are read at once.
const SHORT_BODY_BYTES: usize = 32 * 1024;
/// As many as requests are in flight by default. A client that [`Exchange::drop_connections`] has dropped keeps its connections while one
/// of its requests waits for a response, and each may have a buffer of 408 KiB: 13 MiB.
const MAX_IDLE_CONNECTIONS: usize = 32;

/// Sends requests and reads bodies until the deadline. Connections live no longer than an invocation, so that none goes stale while Lambda
/// freezes the environment. TLS sessions are still resumed across invocations.
#[derive(Debug)]
pub(super) struct Exchange<'c> {
    connection: &'c ServiceConnection,
    http: RefCell<Option<Client>>,
    long_bodies: Semaphore,
    deadline: Instant,
}

impl<'c> Exchange<'c> {
    pub(super) fn new(connection: &'c ServiceConnection, deadline: Instant) -> Self {
        Self { connection, http: RefCell::default(), long_bodies: Semaphore::new(LONG_BODIES), deadline }
    }

    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Sends a request, and reads the body of the response if it has one. The time-out does not include the wait for other bodies.
    pub(super) async fn run(
        &self,
        request: impl FnOnce(&Client) -> Result<Request, RequestError>,
        limit: usize,
        has_body: impl FnOnce(&Response) -> Result<bool, RequestError>,
    ) -> Result<(StatusCode, Vec<u8>), RequestError> {
        let time = self.connection.timeout.min(self.time_left());
        let mut left = time;
        let send = async {
            let http = self.http()?;
            Ok(http.execute(request(&http)?).await?)
        };
        let response = self.within(&mut left, time, send).await?;
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
    fn http(&self) -> Result<Client, RequestError> {
        if let Some(http) = &*self.http.borrow() {
            return Ok(http.clone());
        }
        let mut builder = Client::builder()
            .tls_backend_preconfigured(self.connection.tls.clone())
            .user_agent(USER_AGENT)
            .default_headers(HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]))
            // A redirect would send the secret to another host.
            .redirect(redirect::Policy::none())
            // Only `ServiceClient` retries.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS);
        if self.connection.without_proxy {
            builder = builder.no_proxy();
        }
        Ok(self.http.borrow_mut().insert(builder.build()?).clone())
    }
}
