//! The executable `clicks redrive` with a scripted Firehose or Kinesis, and with `clicks up`.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod archive;
mod command_line;
mod damage;
mod failed_again;
mod firehose;
mod journal;
mod kills;
mod kinesis;
mod limits;
mod links;
mod pipeline;
mod refusals;
mod run;
mod selection;
mod shapes;
mod storage;
mod uncertain;
