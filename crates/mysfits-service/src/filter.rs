//! What `GET /mysfits` may be narrowed to: one value of one index.

use thiserror::Error;

use crate::excerpt::Excerpt;

/// The longest `value`, in bytes of UTF-8. The workshop's longest has 7, and a table may have others.
const MAX_VALUE_BYTES: usize = 64;

/// An index of the table, and its one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// The index's name.
    pub name: &'static str,
    /// The index's hash key, which is also the `filter` parameter's value.
    pub attribute: &'static str,
}

/// The indexes of the table.
pub const INDEXES: [Index; 2] =
    [Index { name: "GoodEvilIndex", attribute: "GoodEvil" }, Index { name: "LawChaosIndex", attribute: "LawChaos" }];

/// One value of one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The index to query.
    pub index: Index,
    /// What the index's attribute must be. A value that no mysfit has gives an empty list.
    pub value: String,
}

/// Why the query parameters are no filter. The text is for whoever sent them.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FilterError {
    /// A parameter of which only one can count.
    #[error("query parameter '{0}' is there more than once: send it once")]
    Repeated(&'static str),
    /// A `value` without a `filter`.
    #[error("query parameter 'filter' is missing beside 'value': send one of GoodEvil, LawChaos")]
    NoFilter,
    /// A `filter` that is no index.
    #[error("query parameter 'filter' is {0}: send one of GoodEvil, LawChaos")]
    UnknownFilter(Excerpt),
    /// A `filter` without a `value`.
    #[error("query parameter 'value' is missing beside 'filter={}': send 1 to {MAX_VALUE_BYTES} bytes", .0.attribute)]
    NoValue(Index),
    /// A `value` that is empty or too long.
    #[error("query parameter 'value' is {0}: send 1 to {MAX_VALUE_BYTES} bytes")]
    BadValue(Excerpt),
}

impl Filter {
    /// The filter that query parameters ask for; `None` asks for every mysfit. Parameters of other names don't count.
    pub fn parse(parameters: &[(String, String)]) -> Result<Option<Self>, FilterError> {
        let (filter, value) = match (only(parameters, "filter")?, only(parameters, "value")?) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(FilterError::NoFilter),
            (Some(filter), value) => (filter, value),
        };
        let index = INDEXES
            .into_iter()
            .find(|index| index.attribute == filter)
            .ok_or_else(|| FilterError::UnknownFilter(Excerpt::of(filter)))?;
        let value = value.ok_or(FilterError::NoValue(index))?;
        if !(1..=MAX_VALUE_BYTES).contains(&value.len()) {
            return Err(FilterError::BadValue(Excerpt::of(value)));
        }
        Ok(Some(Self { index, value: value.to_owned() }))
    }
}

/// The value of the parameter `name`, which may be there once.
fn only<'a>(parameters: &'a [(String, String)], name: &'static str) -> Result<Option<&'a str>, FilterError> {
    let mut values = parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let first = values.next();
    if values.next().is_some() { Err(FilterError::Repeated(name)) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(parameters: &[(&str, &str)]) -> Result<Option<(&'static str, String)>, String> {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match Filter::parse(&parameters) {
            Ok(filter) => Ok(filter.map(|filter| (filter.index.name, filter.value))),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn any_value_of_each_index() {
        assert_eq!(parse(&[]), Ok(None));
        assert_eq!(parse(&[("utm_source", "mail"), ("utm_source", "page")]), Ok(None));
        for value in ["Good", "good", "Sleepy", "é ñ", &"x".repeat(64), &"é".repeat(32)] {
            for (filter, index) in [("GoodEvil", "GoodEvilIndex"), ("LawChaos", "LawChaosIndex")] {
                assert_eq!(parse(&[("filter", filter), ("value", value)]), Ok(Some((index, value.to_owned()))));
            }
        }
    }

    #[test]
    fn an_error_has_the_parameter_what_was_found_and_what_is_accepted() {
        let longer = "é".repeat(33);
        let longer_message = format!("query parameter 'value' is \"{longer}\": send 1 to 64 bytes");
        let refusals: [(&[(&str, &str)], &str); 8] = [
            (
                &[("value", "Good")],
                "query parameter 'filter' is missing beside 'value': send one of GoodEvil, LawChaos",
            ),
            (&[("filter", ""), ("value", "Good")], r#"query parameter 'filter' is "": send one of GoodEvil, LawChaos"#),
            (
                &[("filter", "goodevil"), ("value", "Good")],
                r#"query parameter 'filter' is "goodevil": send one of GoodEvil, LawChaos"#,
            ),
            (
                &[("filter", "LawChaos")],
                "query parameter 'value' is missing beside 'filter=LawChaos': send 1 to 64 bytes",
            ),
            (&[("filter", "GoodEvil"), ("value", "")], r#"query parameter 'value' is "": send 1 to 64 bytes"#),
            (&[("filter", "GoodEvil"), ("value", &longer)], &longer_message),
            (
                &[("filter", "GoodEvil"), ("filter", "GoodEvil"), ("value", "Good")],
                "query parameter 'filter' is there more than once: send it once",
            ),
            (
                &[("value", "Good"), ("filter", "GoodEvil"), ("value", "Evil")],
                "query parameter 'value' is there more than once: send it once",
            ),
        ];
        for (parameters, message) in refusals {
            assert_eq!(parse(parameters), Err(message.to_owned()));
        }
    }

    #[test]
    fn an_error_repeats_a_limited_part() {
        let long = "x".repeat(10_000);
        for parameters in [[("filter", long.as_str()), ("value", "Good")], [("filter", "GoodEvil"), ("value", &long)]] {
            let message = parse(&parameters).unwrap_err();
            assert!(message.contains(&"x".repeat(64)) && !message.contains(&"x".repeat(65)), "{message}");
        }
    }
}
