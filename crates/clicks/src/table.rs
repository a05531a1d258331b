//! Reports as tables, for a terminal.

use std::fmt::{self, Display, Formatter};

/// Rows of a name and a value. The values are aligned.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<(String, String)>);

impl Table {
    pub(crate) fn row(&mut self, name: &str, value: impl Display) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    pub(crate) fn non_zero(&mut self, numbers: &[(&str, u64)]) {
        for (name, number) in numbers.iter().filter(|(_, number)| *number > 0) {
            self.row(name, number);
        }
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        self.0.iter().try_for_each(|(name, value)| {
            let row = format!("{name:width$}  {value}");
            writeln!(formatter, "{}", row.trim_end())
        })
    }
}
