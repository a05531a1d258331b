//! Counts in sentences.

/// `1 record`, or `2 records`: the count and the word for it. The words may have a verb: `1 record was`, `2 records were`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A number of records.
#[must_use]
pub fn records(count: u64) -> String {
    counted(count, "record", "records")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!([0, 1, 2].map(records), ["0 records", "1 record", "2 records"]);
        assert_eq!(counted(1, "record was", "records were"), "1 record was");
    }
}
