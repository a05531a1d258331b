//! Metrics in CloudWatch's embedded metric format (EMF).
//!
//! A line of EMF on standard output becomes metrics without a call to CloudWatch ("Embedding metrics within logs", Amazon
//! CloudWatch User Guide).

use metrique::emf::Emf;

/// A format whose metrics are in `namespace` and have these dimensions.
#[must_use]
pub fn format(namespace: &str, dimensions: &[&str]) -> Emf {
    let dimensions = dimensions.iter().map(ToString::to_string).collect();
    Emf::builder(namespace.to_owned(), vec![dimensions]).build()
}

/// A number as metrics take it.
#[must_use]
pub const fn count(number: usize) -> u64 {
    number as u64
}
