//! A server of S3 in the test, which refuses for a while.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::error_handling::HandleError;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::up::{Up, files, objects};

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Gate {
    Open,
    /// The request is not looked at.
    Refuses,
    /// The request is done, and nobody is told.
    Forgets,
    /// Objects with this in their name are found, and not read.
    Hides(&'static str),
    /// Objects with this in their name are found, and whoever reads one waits for ever.
    Holds(&'static str),
}

/// S3 with one bucket, `clicks`, as files in a folder; it checks signatures.
pub(crate) struct S3 {
    folder: TempDir,
    pub(crate) endpoint: String,
    pub(crate) gate: watch::Sender<Gate>,
    refused: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl S3 {
    pub(crate) fn start(gate: Gate) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("clicks")).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        // What is signed with where nobody set credentials.
        service.set_auth(SimpleAuth::from_single("test", "test"));
        let service = HandleError::new(service.build(), async |_| StatusCode::INTERNAL_SERVER_ERROR);

        let (gate, seen) = watch::channel(gate);
        let refused = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&refused);
        let gated = from_fn(move |request: Request, next: Next| {
            let (gate, count) = (*seen.borrow(), Arc::clone(&count));
            async move {
                let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                let is_about = |name| method == Method::GET && path.contains(name);
                if let Gate::Holds(name) = gate
                    && is_about(name)
                {
                    count.fetch_add(1, Ordering::SeqCst);
                    std::future::pending::<()>().await;
                }
                let is_shut = match gate {
                    Gate::Refuses => true,
                    Gate::Hides(name) => is_about(name),
                    Gate::Open | Gate::Forgets | Gate::Holds(_) => false,
                };
                let answer = if is_shut { None } else { Some(next.run(request).await) };
                if let (Gate::Open | Gate::Hides(_) | Gate::Holds(_), Some(answer)) = (gate, answer) {
                    return answer;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
                (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
            }
        });
        let app = Router::new().fallback_service(service).layer(gated);
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { folder, endpoint, gate, refused, _runtime: runtime }
    }

    pub(crate) fn up(&self, more: &[&str]) -> Up {
        Up::start(&[&self.options(), more].concat())
    }

    /// So that `clicks up` delivers to it.
    pub(crate) fn options(&self) -> [&str; 4] {
        ["--destination", "s3://clicks", "--s3-endpoint", &self.endpoint]
    }

    /// What is in the bucket.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.folder.path().join("clicks")
    }

    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// The objects' names and lines.
    pub(crate) fn objects(&self, prefix: &str) -> (usize, Vec<String>) {
        let folder = self.bucket().join(prefix);
        let mut paths: Vec<PathBuf> = Vec::new();
        files(&folder, &mut paths);
        (paths.len(), objects(&folder).lines().map(ToOwned::to_owned).collect())
    }
}
