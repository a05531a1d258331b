//! The processor with a warm cache.

use std::time::{Duration, Instant};

use click_processor::config::Config;
use click_processor::{Processor, Report};
use firehose_transform::{Invocation, RESPONSE_BUDGET_BYTES};
use service_kit::env::Env;
use tokio::runtime::Runtime;

use crate::batch::{ClickFormat, batch};
use crate::mysfits_service;

/// The processor with a warm cache.
pub struct WarmProcessor {
    processor: Processor,
    runtime: Runtime,
}

impl WarmProcessor {
    /// A processor of clicks in that format, whose service has `mysfits` mysfits.
    #[must_use]
    pub fn new(format: ClickFormat, mysfits: usize) -> Self {
        let url = mysfits_service::start(mysfits, Duration::ZERO);
        let variables = [("LOOKUP_API_URL", url.as_str()), ("LOOKUP_CACHE_SECONDS", "86400")];
        let config = Config::read(&variables.into_iter().chain(format.variables().iter().copied()).collect::<Env>());
        let processor = Processor::new(&config.unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let this = Self { processor, runtime };
        let _warm_up = this.run(&batch(1, 1));
        this
    }

    /// Handles an event.
    #[must_use]
    pub fn run(&self, event: &str) -> Vec<u8> {
        let invocation = Invocation::new("request", Instant::now() + Duration::from_secs(60));
        let mut report = Report::default();
        let response =
            self.runtime.block_on(self.processor.handle(event.as_bytes(), &invocation, &mut report)).unwrap();
        // Beyond the response's budget records fail; otherwise each click is delivered.
        assert!(report.ok == report.records || response.len() > RESPONSE_BUDGET_BYTES * 99 / 100);
        response
    }
}
