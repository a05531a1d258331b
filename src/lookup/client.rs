//! Requests to the service: attempts, retries, authentication, and the circuit breaker of one invocation.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Request, Response, StatusCode};

use super::cache::Item;
use super::connection::ServiceConnection;
use super::exchange::Exchange;
use super::request_error::{MAX_ATTEMPTS, MAX_FAILED_IN_A_ROW, RequestError, retry_after};
use super::service_response::{self, List, ServiceResponseError};
use crate::config::Auth;

const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The longest bodies: a list of about 40,000 items, and an item of more than twice the limit of DynamoDB (400 KB; Amazon DynamoDB
/// Developer Guide, "Quotas in Amazon DynamoDB").
const MAX_LIST_BYTES: usize = 8 * 1024 * 1024;
const MAX_ITEM_BYTES: usize = 1024 * 1024;

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

/// The requests of one invocation, with its limits.
#[derive(Debug)]
pub struct ServiceClient<'c> {
    pub(super) connection: &'c ServiceConnection,
    exchange: Exchange<'c>,
    trace_id: Option<HeaderValue>,
    requests: RefCell<Requests>,
    failed_in_a_row: Cell<u32>,
    /// Stays open, even if a request in flight then succeeds.
    pub(super) circuit_open: Cell<bool>,
}

impl<'c> ServiceClient<'c> {
    /// A client whose requests end at `deadline`. `trace_id` is sent for AWS X-Ray.
    #[must_use]
    pub fn new(connection: &'c ServiceConnection, deadline: Instant, trace_id: Option<&str>) -> Self {
        Self {
            connection,
            exchange: Exchange::new(connection, deadline),
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
            Some(body) => service_response::parse_list(body, &self.connection.format),
            None => Err(ServiceResponseError::NoList),
        })
        .await
    }

    /// `key` is in the path as it is.
    pub(super) async fn item(&self, path: &str, key: &str) -> Result<Item, RequestError> {
        self.get(path, key, MAX_ITEM_BYTES, MAX_ATTEMPTS, |body| {
            let Some(body) = body else { return Ok(Item::Unknown) };
            match service_response::parse_item(body, key, &self.connection.format) {
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
        let url = format!("{}{}", self.connection.base, path.replace("{key}", key));
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

    pub(super) async fn retried<T>(
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
            let delay =
                error.retry_delay(attempt).filter(|delay| attempt < max_attempts && *delay < self.exchange.time_left());
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

    pub(super) fn check_sendable(&self) -> Result<(), RequestError> {
        if self.circuit_open.get() {
            return Err(RequestError::CircuitOpen);
        }
        if self.exchange.time_left().is_zero() {
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
        let request = |http: &reqwest::Client| {
            let mut request = http.get(url).build()?;
            if let Some(trace_id) = &self.trace_id {
                request.headers_mut().insert(TRACE_ID, trace_id.clone());
            }
            match (&self.connection.auth, secret) {
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
        let (_, body) = self.send(request, limit, has_body).await?;
        Ok(parse(Some(&*body).filter(|body| !body.is_empty()))?)
    }

    pub(super) async fn send(
        &self,
        request: impl FnOnce(&reqwest::Client) -> Result<Request, RequestError>,
        limit: usize,
        has_body: impl FnOnce(&Response) -> Result<bool, RequestError>,
    ) -> Result<(StatusCode, Vec<u8>), RequestError> {
        self.requests.borrow_mut().sent += 1;
        self.exchange.run(request, limit, has_body).await
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
pub(super) enum Target<'p> {
    Service(&'p str),
    Secret,
}
