//! Tables on a terminal.

use std::fmt::{self, Formatter};

/// Names and values below each other.
pub(crate) fn table(f: &mut Formatter<'_>, rows: &[(String, String)]) -> fmt::Result {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    rows.iter().try_for_each(|(name, value)| writeln!(f, "{}", format!("{name:width$}  {value}").trim_end()))
}
