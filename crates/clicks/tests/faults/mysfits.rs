//! The mysfits service, which can be stopped and started at its address.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use mysfits_service::LocalService;
use test_support::patiently;
use tokio::runtime::Runtime;

pub(crate) struct Mysfits {
    runtime: Runtime,
    address: SocketAddr,
    on: Option<LocalService>,
    /// Accepts connections, and never responds.
    hanging: Option<TcpListener>,
}

impl Mysfits {
    pub(crate) fn start() -> Self {
        // An address of its own, so that the port is still free when the service is started again.
        let address = SocketAddr::from((test_support::own_address(), 0));
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

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
