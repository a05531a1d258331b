//! A real process on the real wire, misbehaving in every way that Lambda has an answer to.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod ends;
mod function;
mod invocations;
mod logs;
mod protocol;
