//! A server of S3 in the test, which refuses for a while, or is gone.

use std::fs;
use std::net::SocketAddr;
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
pub(crate) use test_support::patiently;
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
    /// The request waits until the gate is another, and is refused then.
    Hangs,
}

/// S3 with one bucket, `clicks`, as files in a folder; it checks signatures.
pub(crate) struct S3 {
    folder: TempDir,
    app: Router,
    address: SocketAddr,
    pub(crate) endpoint: String,
    pub(crate) gate: watch::Sender<Gate>,
    met: Arc<[AtomicUsize; 4]>,
    /// What it runs on, with its connections.
    on: Option<Runtime>,
}

impl S3 {
    pub(crate) fn start(gate: Gate) -> Self {
        Self::with(gate, |_| true)
    }

    /// With a gate for who reads objects with this in their name, while all other requests are answered.
    pub(crate) fn start_for_readers(gate: Gate, of: &'static str) -> Self {
        Self::with(gate, move |request| request.method() == Method::GET && request.uri().path().contains(of))
    }

    fn with(gate: Gate, is_about: impl Fn(&Request) -> bool + Clone + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("clicks")).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        // What is signed with where nobody set credentials.
        service.set_auth(SimpleAuth::from_single("test", "test"));
        let service = HandleError::new(service.build(), async |_| StatusCode::INTERNAL_SERVER_ERROR);

        let (gate, seen) = watch::channel(gate);
        let met = Arc::new([const { AtomicUsize::new(0) }; 4]);
        let count = Arc::clone(&met);
        let gated = from_fn(move |request: Request, next: Next| {
            let (gate, mut seen, count) = (*seen.borrow(), seen.clone(), Arc::clone(&count));
            let is_about = is_about.clone();
            async move {
                if !is_about(&request) {
                    return next.run(request).await;
                }
                count[gate as usize].fetch_add(1, Ordering::SeqCst);
                match gate {
                    Gate::Open => return next.run(request).await,
                    Gate::Forgets => drop(next.run(request).await),
                    Gate::Hangs => drop(seen.wait_for(|gate| *gate != Gate::Hangs).await),
                    Gate::Refuses => {}
                }
                let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
                (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
            }
        });
        let app = Router::new().fallback_service(service).layer(gated);
        // Of its own, so that the port is still free when the storage comes back.
        let address = SocketAddr::from((test_support::own_address(), 0));
        let mut s3 = Self { folder, app, address, endpoint: String::new(), gate, met, on: None };
        s3.switch_on();
        s3
    }

    /// Starts it where it is off, at the address that it had before.
    pub(crate) fn switch_on(&mut self) {
        if self.on.is_some() {
            return;
        }
        let runtime = Runtime::new().unwrap();
        let listener = patiently(|| runtime.block_on(TcpListener::bind(self.address)));
        self.address = listener.local_addr().unwrap();
        self.endpoint = format!("http://{}", self.address);
        let app = self.app.clone();
        runtime.spawn(async move { axum::serve(listener, app).await });
        self.on = Some(runtime);
    }

    /// Ends it in the middle of whatever it does: its connections break, and nobody takes new ones.
    pub(crate) fn switch_off(&mut self) {
        self.on = None;
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

    /// How many requests have met a gate like this.
    pub(crate) fn met(&self, gate: Gate) -> usize {
        self.met[gate as usize].load(Ordering::SeqCst)
    }

    /// The objects' names and lines.
    pub(crate) fn objects(&self, prefix: &str) -> (usize, Vec<String>) {
        let folder = self.bucket().join(prefix);
        let mut paths: Vec<PathBuf> = Vec::new();
        files(&folder, &mut paths);
        (paths.len(), objects(&folder).lines().map(ToOwned::to_owned).collect())
    }
}
