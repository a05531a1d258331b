//! The executable `clicks up` over the network, with a stand-in for the function unless a test has another one.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod browser;
mod client;
mod collect;
mod command_line;
mod contract;
mod created;
mod data_streams;
mod descriptors;
mod disk;
mod edge;
mod guide;
mod help;
mod identity;
mod installed;
mod json;
mod keys;
mod kinesis;
mod kinesis_api;
mod monitoring;
mod objects;
mod orders;
mod records;
mod refusals;
mod shown_objects;
mod site;
mod slow_clients;
mod sql;
mod stop;
mod storage;
mod streams;
mod terminal;
mod version;
mod whole_objects;
