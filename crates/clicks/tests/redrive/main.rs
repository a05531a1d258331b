//! The built `clicks redrive` against a Firehose in the test, and that of `clicks up`.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod again;
mod archive;
mod command_line;
mod damage;
mod firehose;
mod kills;
mod kinesis;
mod ledger;
mod limits;
mod links;
mod lost;
mod pipeline;
mod refusals;
mod run;
mod selection;
mod shapes;
mod storage;
