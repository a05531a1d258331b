//! Metrics in CloudWatch's embedded metric format (EMF): a line on standard output becomes metrics without a call to CloudWatch
//! ("Embedding metrics within logs", Amazon CloudWatch User Guide).

use metrique::emf::Emf;

/// A formatter for metrics in `namespace` with these dimensions.
#[must_use]
pub fn format(namespace: &str, dimensions: &[&str]) -> Emf {
    let dimensions = dimensions.iter().map(ToString::to_string).collect();
    Emf::builder(namespace.to_owned(), vec![dimensions]).build()
}
