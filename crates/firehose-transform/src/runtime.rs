//! The Lambda runtime, on raw bytes.
//!
//! `lambda_runtime::run` parses each event into a value, and serialises and copies each response, although a transformation reads and
//! writes the JSON itself. Here a layer of the runtime handles the whole invocation instead: it gets the event's bytes, and posts the
//! response's bytes. Everything else is `lambda_runtime`'s: polling, contexts, tracing spans, SnapStart.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method};
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{
    Context, Diagnostic, Error, LambdaEvent, LambdaInvocation, Runtime, SnapStartResource, service_fn,
};
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{PooledClient, build_request};
use serde::de::IgnoredAny;

use crate::deadline::handler_timeout;
use crate::event::{Event, EventError, Record};
use crate::transform::{Outcome, RecordError, Summary, Transformed, shortened};

/// Ties a response to its invocation: the Runtime API refuses a response to an earlier one that timed out.
const INVOCATION_ID: &str = "lambda-runtime-invocation-id";

/// The context of an invocation: see [`run_batch`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Invocation {
    /// The id of the request, as in Lambda's own log lines.
    pub request_id: String,
    /// Until when a handler may wait: [`handler_timeout`] from the start of the invocation.
    pub deadline: Instant,
    /// The AWS X-Ray trace, as requests to other services carry it in the header `X-Amzn-Trace-Id`.
    pub trace_id: Option<String>,
}

impl Invocation {
    /// An invocation, for tests of handlers.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let invocation = firehose_transform::Invocation::new("request-1", Instant::now() + Duration::from_secs(30));
    /// assert!(invocation.time_left() > Duration::from_secs(29));
    /// ```
    pub fn new(request_id: impl Into<String>, deadline: Instant) -> Self {
        Self { request_id: request_id.into(), deadline, trace_id: None }
    }

    /// The time until the deadline.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn of(context: Context, event_bytes: usize) -> Self {
        let timeout = handler_timeout(context.deadline, SystemTime::now(), event_bytes);
        Self { request_id: context.request_id, deadline: Instant::now() + timeout, trace_id: context.xray_trace_id }
    }
}

/// Runs a Lambda function that transforms each record by `transform`: see [`Event::transform`].
///
/// Each invocation is logged through `tracing`, with its counts by outcome and reason.
///
/// ```no_run
/// use firehose_transform::Outcome;
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), firehose_transform::RuntimeError> {
///     firehose_transform::run(|record| Ok(Outcome::Ok(record.data().to_ascii_uppercase()))).await
/// }
/// ```
///
/// # Errors
/// The Runtime API can't be reached.
///
/// # Panics
/// The environment lacks the variables that Lambda sets, such as `AWS_LAMBDA_RUNTIME_API`.
pub async fn run(transform: impl Fn(&Record<'_>) -> Result<Outcome, RecordError>) -> Result<(), Error> {
    run_batch(async |event: &Event<'_>, _: &Invocation| Ok::<_, Error>(event.transform(&transform))).await
}

/// Runs a Lambda function whose `handler` gets whole batches, so that it can wait once for all records, for look-ups say. It returns what
/// [`Event::transform`] returns.
///
/// An error or a panic fails the invocation. Firehose then invokes the function again with the same records, up to its number of retries.
///
/// ```no_run
/// use firehose_transform::{Event, Invocation, Outcome, RecordError, RuntimeError, Transformed};
///
/// async fn enrich(event: &Event<'_>, invocation: &Invocation) -> Result<Transformed, RuntimeError> {
///     let names = tokio::time::timeout(invocation.time_left(), look_up()).await?;
///     Ok(event.transform(|record| {
///         let name = names.get(record.data()).ok_or_else(|| RecordError::new("unknown", "no such key"))?;
///         Ok(Outcome::Ok(format!("{name}\n").into()))
///     }))
/// }
/// # async fn look_up() -> std::collections::HashMap<Vec<u8>, String> { Default::default() }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), RuntimeError> {
///     firehose_transform::run_batch(enrich).await
/// }
/// ```
///
/// # Errors
/// As [`run`].
///
/// # Panics
/// As [`run`].
pub async fn run_batch<E: Into<Diagnostic>>(
    handler: impl AsyncFn(&Event<'_>, &Invocation) -> Result<Transformed, E>,
) -> Result<(), Error> {
    run_bytes(async |payload: &[u8], invocation: &Invocation| {
        let event = Event::parse(payload)?;
        let Transformed { response, summary } = handler(&event, invocation).await.map_err(E::into)?;
        log(&event, &summary);
        Ok::<_, Diagnostic>(response)
    })
    .await
}

/// Runs a Lambda function whose `handler` makes the response of the payload, both as JSON, without a copy of either.
///
/// An error or a panic fails the invocation, and its type and message are reported to Lambda.
///
/// ```no_run
/// use firehose_transform::{Event, EventError, Invocation, Response, RuntimeError};
///
/// async fn drop_all(payload: &[u8], _: &Invocation) -> Result<Vec<u8>, EventError> {
///     let event = Event::parse(payload)?;
///     let mut response = Response::new(&event);
///     event.records().for_each(|_| response.push_dropped());
///     Ok(response.finish())
/// }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), RuntimeError> {
///     firehose_transform::run_bytes(drop_all).await
/// }
/// ```
///
/// # Errors
/// As [`run`].
///
/// # Panics
/// As [`run`].
pub async fn run_bytes<E: Into<Diagnostic>>(
    handler: impl AsyncFn(&[u8], &Invocation) -> Result<Vec<u8>, E>,
) -> Result<(), Error> {
    if cfg!(panic = "abort") {
        tracing::warn!(
            "a panic ends the process and fails its whole batch: set `panic = \"unwind\"` in [profile.release], \
             because cargo-lambda sets \"abort\""
        );
    }
    let function = Rc::new(Function { handler, client: Arc::new(PooledClient::builder().with_pool_size(1).build()) });
    let connections = Arc::new(Connections(Arc::clone(&function.client)));
    // The layer replaces this service, which is never called.
    let replaced = service_fn(async |_: LambdaEvent<IgnoredAny>| Ok::<_, Error>(()));
    let service = |_| {
        let function = Rc::clone(&function);
        service_fn(move |invocation| {
            let function = Rc::clone(&function);
            async move { function.respond(invocation).await }
        })
    };
    Runtime::new(replaced)
        .layer(layer_fn(service))
        .layer(TracingLayer::new())
        .register_snapstart_resource(connections)
        .run()
        .await
}

struct Function<H> {
    handler: H,
    client: Arc<PooledClient>,
}

impl<H> Function<H> {
    async fn respond<E: Into<Diagnostic>>(&self, invocation: LambdaInvocation) -> Result<(), Error>
    where
        H: AsyncFn(&[u8], &Invocation) -> Result<Vec<u8>, E>,
    {
        let LambdaInvocation { parts, body, context } = invocation;
        if !parts.status.is_success() {
            return Err(format!("the Runtime API responded {} to the request for an invocation", parts.status).into());
        }
        let invocation = Invocation::of(context, body.len());
        let id = invocation_id(&parts.headers);
        let path = format!("/2018-06-01/runtime/invocation/{}", invocation.request_id);
        // The handler's own state is all that a panic could leave broken. A closure may panic before it returns a future.
        let handled = async { (self.handler)(&body, &invocation).await.map_err(E::into) };
        let outcome = AssertUnwindSafe(handled).catch_unwind().await;
        drop(body);
        let diagnostic = match outcome {
            Ok(Ok(response)) => return self.post(&format!("{path}/response"), id, None, response.into()).await,
            Ok(Err(diagnostic)) => diagnostic,
            Err(panic) => of_panic(&*panic),
        };
        tracing::error!(error_type = diagnostic.error_type, "{}", diagnostic.error_message);
        let error_type = HeaderValue::from_str(&diagnostic.error_type).ok();
        let body = serde_json::to_vec(&diagnostic)?;
        self.post(&format!("{path}/error"), id, error_type, body.into()).await
    }

    async fn post(
        &self,
        path: &str,
        id: Option<HeaderValue>,
        error_type: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<(), Error> {
        let mut request = build_request().method(Method::POST).uri(path).body(Body::from(body))?;
        let headers = [(INVOCATION_ID, id), ("lambda-runtime-function-error-type", error_type)];
        for (name, value) in headers {
            if let Some(value) = value {
                request.headers_mut().insert(name, value);
            }
        }
        let status = self.client.call(request).await?.status();
        if !status.is_success() {
            // Lambda has given up on this invocation, with 410 because of its time-out. The next one may succeed.
            tracing::error!(%status, "the Runtime API refused the response");
        }
        Ok(())
    }
}

/// A malformed id is left out, because the response counts without it.
fn invocation_id(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(INVOCATION_ID).filter(|id| id.to_str().is_ok()).cloned()
}

fn of_panic(panic: &(dyn Any + Send)) -> Diagnostic {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Diagnostic {
        error_type: "Panic".to_owned(),
        error_message: message
            .map_or_else(|| "the function panicked".to_owned(), |message| format!("the function panicked: {message}")),
    }
}

impl From<EventError> for Diagnostic {
    fn from(error: EventError) -> Self {
        Self { error_type: error.error_type().to_owned(), error_message: error.to_string() }
    }
}

/// The client's connections do not survive a snapshot.
struct Connections(Arc<PooledClient>);

impl SnapStartResource for Connections {
    fn after_restore(&self) -> futures_util::future::BoxFuture<'_, Result<(), Error>> {
        self.0.reset_pool();
        Box::pin(async { Ok(()) })
    }
}

fn log(event: &Event<'_>, summary: &Summary) {
    for failure in &summary.failures {
        tracing::warn!(record_id = failure.record_id, reason = failure.error.reason, "record failed");
        tracing::debug!(record_id = failure.record_id, "{}", failure.error.message);
    }
    let reasons = serde_json::to_string(&summary.failed).ok().filter(|_| !summary.failed.is_empty());
    tracing::info!(
        invocation_id = event.invocation_id().map(|id| shortened(&id)),
        records = event.len(),
        ok = summary.ok,
        dropped = summary.dropped,
        failed = summary.failed_count(),
        reasons,
        "invocation"
    );
}
