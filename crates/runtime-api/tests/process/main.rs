//! A real process with the real protocol, which misbehaves in every way that Lambda handles.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod exits;
mod function;
mod invocations;
mod logs;
mod protocol;
