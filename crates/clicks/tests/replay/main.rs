//! The executable `clicks replay` on real files, with a stand-in for the function.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod command_line;
mod examples;
mod function;
mod inputs;
mod interrupts;
mod orders;
mod processor;
mod records;
mod workshop;
