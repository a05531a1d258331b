//! The processor, warm: it has asked the service before.

use std::time::{Duration, Instant};

use click_processor::config::Config;
use click_processor::firehose::RESPONSE_BUDGET_BYTES;
use click_processor::{Invocation, Processor, Report};
use service_kit::env::Env;
use tokio::runtime::Runtime;

use crate::batch::batch;
use crate::service;

pub(crate) struct Ours {
    processor: Processor,
    runtime: Runtime,
}

impl Ours {
    pub(crate) fn new(mysfits: usize) -> Self {
        let url = service::start(mysfits, Duration::ZERO);
        let variables = [("MYSFITS_API_URL", url.as_str()), ("MYSFITS_CACHE_SECONDS", "86400")];
        let config = Config::read(&Env::from_iter(variables));
        let processor = Processor::new(&config.unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ours = Self { processor, runtime };
        ours.run(&batch(1, 1));
        ours
    }

    pub(crate) fn run(&self, event: &str) -> Vec<u8> {
        let invocation = Invocation { lookup_deadline: Instant::now() + Duration::from_secs(60), trace_id: None };
        let mut report = Report::default();
        let reply = self.runtime.block_on(self.processor.handle(event, &invocation, &mut report)).unwrap();
        // Past the reply's budget records fail; otherwise each click is delivered.
        assert!(report.ok == report.records || reply.len() > RESPONSE_BUDGET_BYTES * 99 / 100);
        reply
    }
}
