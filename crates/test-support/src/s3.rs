//! An S3 server that refuses requests, forgets to answer them, or is down.

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
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::files::{self, files};
use crate::patiently;
use crate::up::Up;

/// How requests are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Executed and answered.
    Open,
    /// Not executed, and answered with 503.
    Refuses,
    /// Executed, and answered with 503.
    Forgets,
    /// Held until the gate changes; then not executed, and answered with 503.
    Hangs,
}

/// S3 with one bucket, `clicks`, which is a folder. It checks signatures.
#[derive(Debug)]
pub struct S3 {
    folder: TempDir,
    app: Router,
    address: SocketAddr,
    /// As `http://ADDRESS:PORT`.
    pub endpoint: String,
    /// Sets how requests are handled.
    pub gate: watch::Sender<Gate>,
    met: Arc<[AtomicUsize; 4]>,
    /// The server's tasks with their connections, while it is up.
    runtime: Option<Runtime>,
}

impl S3 {
    /// Starts a server with a gate for all requests.
    #[must_use]
    pub fn start(gate: Gate) -> Self {
        Self::with(gate, |_| true)
    }

    /// Starts a server with a gate for reads of objects with `name_part` in their names. All other requests are executed.
    #[must_use]
    pub fn start_for_readers(gate: Gate, name_part: &'static str) -> Self {
        Self::with(gate, move |request| request.method() == Method::GET && request.uri().path().contains(name_part))
    }

    fn with(gate: Gate, is_gated: impl Fn(&Request) -> bool + Clone + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("clicks")).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        // The credentials that `clicks` uses for a custom endpoint by default.
        service.set_auth(SimpleAuth::from_single("test", "test"));
        let service = HandleError::new(service.build(), async |_| StatusCode::INTERNAL_SERVER_ERROR);

        let (gate, seen) = watch::channel(gate);
        let met = Arc::new([const { AtomicUsize::new(0) }; 4]);
        let count = Arc::clone(&met);
        let gated = from_fn(move |request: Request, next: Next| {
            let (gate, mut seen, count) = (*seen.borrow(), seen.clone(), Arc::clone(&count));
            let is_gated = is_gated.clone();
            async move {
                if !is_gated(&request) {
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
        // At an address of its own, the port stays free while the server is down.
        let address = SocketAddr::from((crate::own_address(), 0));
        let mut s3 = Self { folder, app, address, endpoint: String::new(), gate, met, runtime: None };
        s3.switch_on();
        s3
    }

    /// Starts the server again at its address, unless it is up.
    pub fn switch_on(&mut self) {
        if self.runtime.is_some() {
            return;
        }
        let runtime = Runtime::new().unwrap();
        let listener = patiently(|| runtime.block_on(TcpListener::bind(self.address)));
        self.address = listener.local_addr().unwrap();
        self.endpoint = format!("http://{}", self.address);
        let app = self.app.clone();
        runtime.spawn(async move { axum::serve(listener, app).await });
        self.runtime = Some(runtime);
    }

    /// Stops the server at once: its connections break, and it refuses new ones.
    pub fn switch_off(&mut self) {
        self.runtime = None;
    }

    /// Starts `clicks up`, which delivers to this server.
    #[must_use]
    pub fn up(&self, more: &[&str]) -> Up {
        Up::start(&[&self.options(), more].concat())
    }

    /// The options of `clicks up` for delivery to this server.
    #[must_use]
    pub fn options(&self) -> [&str; 4] {
        ["--destination", "s3://clicks", "--s3-endpoint", &self.endpoint]
    }

    /// The bucket's folder.
    #[must_use]
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join("clicks")
    }

    /// The number of requests that met this gate.
    #[must_use]
    pub fn met(&self, gate: Gate) -> usize {
        self.met[gate as usize].load(Ordering::SeqCst)
    }

    /// The number of objects under a prefix, and their lines.
    #[must_use]
    pub fn objects(&self, prefix: &str) -> (usize, Vec<String>) {
        let folder = self.bucket().join(prefix);
        (files(&folder).len(), files::objects(&folder).lines().map(ToOwned::to_owned).collect())
    }
}
