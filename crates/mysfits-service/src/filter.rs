//! What `GET /mysfits` may be narrowed to: one value of one index.

use serde::Deserialize;
use thiserror::Error;

/// How much of a refused parameter is repeated to whoever sent it.
const ECHOED_CHARS: usize = 64;

/// The query parameters of `GET /mysfits`, as sent.
#[derive(Debug, Default, Deserialize)]
pub struct Parameters {
    /// The attribute to filter by.
    pub filter: Option<String>,
    /// What the attribute must be.
    pub value: Option<String>,
}

/// An index of the table: its one attribute, and the values that the attribute takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// The index's name.
    pub name: &'static str,
    /// The index's hash key, which is also the `filter` parameter's value.
    pub attribute: &'static str,
    /// The values of the attribute.
    pub values: [&'static str; 3],
}

impl Index {
    fn accepted(&self) -> String {
        self.values.join(", ")
    }
}

/// The indexes of the table.
pub const INDEXES: [Index; 2] = [
    Index { name: "GoodEvilIndex", attribute: "GoodEvil", values: ["Good", "Neutral", "Evil"] },
    Index { name: "LawChaosIndex", attribute: "LawChaos", values: ["Lawful", "Neutral", "Chaotic"] },
];

/// One value of one index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    /// The index to query.
    pub index: Index,
    /// One of the index's values.
    pub value: &'static str,
}

/// Why the query parameters are no filter. The text is for whoever sent them.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FilterError {
    /// A `value` without a `filter`.
    #[error("query parameter 'filter' is missing beside 'value': send one of GoodEvil, LawChaos")]
    NoFilter,
    /// A `filter` that is no index.
    #[error("query parameter 'filter' is {0:?}: send one of GoodEvil, LawChaos")]
    UnknownFilter(String),
    /// A `filter` without a `value`.
    #[error("query parameter 'value' is missing beside 'filter={}': send one of {}", .0.attribute, .0.accepted())]
    NoValue(Index),
    /// A `value` that the attribute never takes.
    #[error(
        "query parameter 'value' is {value:?}: with 'filter={}' send one of {}",
        .index.attribute, .index.accepted()
    )]
    UnknownValue {
        /// The index of the `filter`.
        index: Index,
        /// The start of what was sent.
        value: String,
    },
}

impl Parameters {
    /// The filter that is asked for; `None` asks for every mysfit.
    pub fn filter(&self) -> Result<Option<Filter>, FilterError> {
        let (filter, value) = match (&self.filter, &self.value) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(FilterError::NoFilter),
            (Some(filter), value) => (filter, value),
        };
        let index = INDEXES
            .into_iter()
            .find(|index| index.attribute == filter)
            .ok_or_else(|| FilterError::UnknownFilter(echo(filter)))?;
        let value = value.as_ref().ok_or(FilterError::NoValue(index))?;
        index
            .values
            .into_iter()
            .find(|known| known == value)
            .map(|value| Some(Filter { index, value }))
            .ok_or_else(|| FilterError::UnknownValue { index, value: echo(value) })
    }
}

fn echo(sent: &str) -> String {
    sent.chars().take(ECHOED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(filter: Option<&str>, value: Option<&str>) -> Result<Option<(&'static str, &'static str)>, String> {
        let parameters = Parameters { filter: filter.map(Into::into), value: value.map(Into::into) };
        match parameters.filter() {
            Ok(filter) => Ok(filter.map(|filter| (filter.index.name, filter.value))),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_value_of_each_index() {
        assert_eq!(parse(None, None), Ok(None));
        for value in ["Good", "Neutral", "Evil"] {
            assert_eq!(parse(Some("GoodEvil"), Some(value)), Ok(Some(("GoodEvilIndex", value))));
        }
        for value in ["Lawful", "Neutral", "Chaotic"] {
            assert_eq!(parse(Some("LawChaos"), Some(value)), Ok(Some(("LawChaosIndex", value))));
        }
    }

    #[test]
    fn a_refusal_names_the_parameter_what_was_found_and_what_is_accepted() {
        let refusals = [
            (None, Some("Good"), "query parameter 'filter' is missing beside 'value': send one of GoodEvil, LawChaos"),
            (Some(""), Some("Good"), r#"query parameter 'filter' is "": send one of GoodEvil, LawChaos"#),
            (
                Some("goodevil"),
                Some("Good"),
                r#"query parameter 'filter' is "goodevil": send one of GoodEvil, LawChaos"#,
            ),
            (
                Some("GoodEvil"),
                None,
                "query parameter 'value' is missing beside 'filter=GoodEvil': send one of Good, Neutral, Evil",
            ),
            (
                Some("GoodEvil"),
                Some(""),
                r#"query parameter 'value' is "": with 'filter=GoodEvil' send one of Good, Neutral, Evil"#,
            ),
            (
                Some("LawChaos"),
                Some("Good"),
                r#"query parameter 'value' is "Good": with 'filter=LawChaos' send one of Lawful, Neutral, Chaotic"#,
            ),
        ];
        for (filter, value, message) in refusals {
            assert_eq!(parse(filter, value), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_refusal_repeats_a_bounded_part() {
        let message = parse(Some(&"é".repeat(10_000)), None).unwrap_err();
        assert!(message.contains(&"é".repeat(64)) && !message.contains(&"é".repeat(65)), "{message}");
    }
}
