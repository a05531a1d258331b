//! One event through the function, and its records on to the destination.

use std::fmt::Display;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::destination::{Failure, Item};
use super::ledger::Ledger;
use super::receipt::Receipt;
use super::watched::Watched;
use crate::attempts::{self, Seen, Settled, describe, last_lines, with_cause};
use crate::functions::Functions;
use firehose_model::delivery::{Attempt, Fate, Fault};
use firehose_model::event::Event;
use firehose_model::prefix::Prefix;

/// An event, and a receipt for each of its records, in their order.
pub(super) struct Batch {
    pub(super) event: Event,
    pub(super) receipts: Vec<Receipt>,
}

/// Between the buffer and the destination.
pub(super) struct Transform {
    /// None where records are delivered as they came.
    pub(super) functions: Option<Arc<Functions>>,
    /// As error objects name it.
    pub(super) function_arn: String,
    pub(super) retries: u32,
    /// What records are partitioned by.
    pub(super) prefix: Prefix,
    pub(super) ledger: Arc<Ledger>,
    pub(super) watched: Arc<Watched>,
    pub(super) destination: mpsc::UnboundedSender<Vec<Item>>,
}

impl Transform {
    /// Puts one event through, to its end.
    pub(super) async fn run(&self, batch: Batch) {
        let Batch { event, receipts } = batch;
        let Settled { fates, attempts } = match &self.functions {
            None => untransformed(&event),
            Some(functions) => self.attempt(functions, &event).await,
        };
        let end_ms = Timestamp::now().as_millisecond();
        let failure = |fault| Failure { fault, attempts, end_ms, function_arn: &self.function_arn };
        let (mut items, mut dropped) = (Vec::with_capacity(receipts.len()), Vec::new());
        for ((record, fate), receipt) in event.into_records().into_iter().zip(fates).zip(receipts) {
            match fate {
                Fate::Dropped => dropped.push(receipt),
                Fate::Failed(fault) => items.push(Item::failed(&record, failure(fault), receipt)),
                Fate::Delivered { data, keys } => items.push(match self.prefix.partition(&keys) {
                    Ok(partition) => Item::delivered(record, data, partition, receipt),
                    Err(_) => Item::failed(&record, failure(Fault::NoPartition), receipt),
                }),
            }
        }
        self.watched.transformed(items.len(), Item::bytes_of(&items), dropped.len());
        self.ledger.settle(dropped);
        self.deliver(items);
    }

    /// Hands records over to the destination, which outlives all that deliver to it.
    pub(super) fn deliver(&self, items: Vec<Item>) {
        if !items.is_empty() {
            let _gone = self.destination.send(items);
        }
    }

    async fn attempt(&self, functions: &Functions, event: &Event) -> Settled {
        let records = event.records().len();
        let failed = |why: &dyn Display| {
            tracing::error!("an event was not put through: {why}");
            Settled { fates: vec![Fate::Failed(Fault::FunctionError); records], attempts: 1 }
        };
        let mut function = match functions.take() {
            Ok(function) => function,
            Err(error) => return failed(&error),
        };
        self.watched.functions(functions.processes());
        let see = |seen: Seen<'_>| {
            self.see(functions, records, &seen);
            Ok::<(), serde_json::Error>(())
        };
        let settled = attempts::put_through(&mut function, event, self.retries, see, functions.shortage());
        let settled = settled.await;
        functions.give_back(function);
        settled.unwrap_or_else(|error| failed(&error))
    }

    /// Tells of an attempt: in the log, in the view, and, where it failed, on the terminal.
    fn see(&self, functions: &Functions, records: usize, seen: &Seen<'_>) {
        if let Ok(invocation) = &seen.invocation {
            functions.log().write(&invocation.logs);
        }
        self.watched.invoked(records, seen);
        let how = match (&seen.invocation, seen.judged) {
            (_, Attempt::Settled(_)) => return,
            (_, Attempt::Spoiled(_, why)) => return tracing::warn!("a reply can't be used: {why}"),
            (Ok(invocation), Attempt::Failed(_)) if !invocation.received => {
                let (how, wrote) = (describe(&invocation.outcome), last_lines(&invocation.logs));
                format!("{how} before it asked for an event, {wrote}")
            }
            (Ok(invocation), Attempt::Failed(_)) => describe(&invocation.outcome),
            (Err(error), Attempt::Failed(_)) => format!("was not reached: {}", with_cause(error)),
        };
        let last = self.retries + 1;
        tracing::warn!("attempt {} of {last} failed: the function {how}", seen.attempt);
    }
}

/// Records as they came, for a stream without a function.
fn untransformed(event: &Event) -> Settled {
    let fates = event.records().iter().map(|record| match STANDARD.decode(&record.data) {
        Ok(data) => Fate::delivered(data),
        // It was checked when it was accepted.
        Err(_) => Fate::Failed(Fault::FunctionError),
    });
    Settled { fates: fates.collect(), attempts: 1 }
}
