//! A service with a given behaviour, on a runtime of its own.

use std::ops::Deref;

use serde_json::Value;
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService};
use test_support::up::{PROCESSOR, Up};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Misbehaving {
    service: ScriptedMysfitsService,
    _runtime: Runtime,
}

impl Misbehaving {
    pub(crate) fn start(behaviour: impl FnMut(&Request) -> Response + Send + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        Self { service: runtime.block_on(ScriptedMysfitsService::start(behaviour)), _runtime: runtime }
    }

    pub(crate) fn with_tls(tls: TlsAcceptor) -> Self {
        let runtime = Runtime::new().unwrap();
        Self { service: runtime.block_on(ScriptedMysfitsService::with_tls(tls)), _runtime: runtime }
    }
}

impl Deref for Misbehaving {
    type Target = ScriptedMysfitsService;

    fn deref(&self) -> &ScriptedMysfitsService {
        &self.service
    }
}

/// The options of the processor with the service at `url`, and with these variables.
pub(crate) fn with_service<'a>(url: &'a str, variables: &[&'a str]) -> Vec<&'a str> {
    let variables = variables.iter().flat_map(|variable| ["--env", variable]);
    [PROCESSOR, "--service", url].into_iter().chain(variables).collect()
}

/// The last summary lines in the functions' log.
pub(crate) fn summaries(up: &Up, last: usize) -> Vec<Value> {
    let log = up.log();
    let lines = log.lines().filter(|line| line.contains(r#""message":"invocation""#));
    let mut summaries: Vec<_> = lines.rev().take(last).map(|line| serde_json::from_str(line).unwrap()).collect();
    summaries.reverse();
    summaries
}
