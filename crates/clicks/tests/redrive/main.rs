//! The built `clicks redrive` against a Firehose in the test, and that of `clicks up`.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod again;
mod archive;
mod command_line;
mod damage;
mod firehose;
#[allow(dead_code, reason = "the tests of `replay` use the rest")]
#[path = "../replay/folder.rs"]
mod folder;
#[allow(dead_code, reason = "the tests of `up` use the rest")]
#[path = "../up/http.rs"]
mod http;
mod kills;
mod kinesis;
mod ledger;
mod limits;
mod links;
mod lost;
mod pipeline;
mod refusals;
mod run;
#[allow(dead_code, reason = "the tests of `up` use the rest")]
#[path = "../up/s3.rs"]
mod s3;
mod selection;
mod shapes;
mod storage;
#[allow(dead_code, reason = "the tests of `up` use the rest")]
#[path = "../up/up.rs"]
mod up;
