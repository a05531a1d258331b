//! The mysfits service, which can be taken away and put back at its address.

use std::fmt::Debug;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use mysfits_service::LocalService;
use tokio::runtime::Runtime;

/// Where nobody else listens, so that the port is still free when the service comes back; only Linux has it of itself.
const ADDRESS: [u8; 4] = if cfg!(target_os = "linux") { [127, 0, 0, 2] } else { [127, 0, 0, 1] };

/// The service at one address, or what is there in its place.
pub(crate) struct Mysfits {
    runtime: Runtime,
    address: SocketAddr,
    on: Option<LocalService>,
    /// Takes connections, and never answers.
    hanging: Option<TcpListener>,
}

impl Mysfits {
    pub(crate) fn start() -> Self {
        let address = SocketAddr::from((ADDRESS, 0));
        let mut service = Self { runtime: Runtime::new().unwrap(), address, on: None, hanging: None };
        service.switch_on();
        service
    }

    pub(crate) fn switch_on(&mut self) {
        self.switch_off();
        let start = || self.runtime.block_on(LocalService::start_with_latency(self.address, Duration::ZERO));
        let on = patiently(start);
        self.address = on.address();
        self.on = Some(on);
    }

    pub(crate) fn switch_off(&mut self) {
        self.hanging = None;
        if let Some(on) = self.on.take() {
            self.runtime.block_on(on.stop());
        }
    }

    pub(crate) fn hang(&mut self) {
        self.switch_off();
        self.hanging = Some(patiently(|| TcpListener::bind(self.address)));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Until it works. A process that another test is starting has, for a moment, all that is open in this one: also a port that
/// was given up meanwhile.
fn patiently<T, E: Debug>(attempt: impl Fn() -> Result<T, E>) -> T {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < patience, "{error:?}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}
