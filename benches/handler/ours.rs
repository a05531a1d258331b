//! The processor, warm: it has asked the service before.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use click_processor::config::Config;
use click_processor::firehose::RESPONSE_BUDGET_BYTES;
use click_processor::{Invocation, Processor, Report};
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
        let config = Config::from_lookup(|name| match name {
            "MYSFITS_API_URL" => Some(OsString::from(&url)),
            "MYSFITS_CACHE_SECONDS" => Some(OsString::from("86400")),
            _ => None,
        });
        let processor = Processor::new(&config.unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ours = Self { processor, runtime };
        ours.run(&batch(1, 1));
        ours
    }

    pub(crate) fn run(&self, event: &str) -> Vec<u8> {
        let invocation = Invocation { look_ups_end: Instant::now() + Duration::from_secs(60), trace_id: None };
        let mut report = Report::default();
        let reply = self.runtime.block_on(self.processor.handle(event, &invocation, &mut report)).unwrap();
        // Past the reply's budget records fail; otherwise each click is delivered.
        assert!(report.ok == report.records || reply.len() > RESPONSE_BUDGET_BYTES * 99 / 100);
        reply
    }
}
