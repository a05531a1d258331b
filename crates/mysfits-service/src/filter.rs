//! The filter of `GET /mysfits`: one value of one index.

/// The longest `value`, in bytes of UTF-8. The workshop's longest has 7.
const MAX_VALUE_BYTES: usize = 64;

/// Enough to recognise invalid input, and too little to flood a response or a log.
const EXCERPT_CHARS: usize = 64;

/// The attributes that have an index. Also the values of the parameter `filter`.
pub(crate) const INDEXED: [&str; 2] = ["GoodEvil", "LawChaos"];

pub(crate) fn index_name(attribute: &str) -> String {
    format!("{attribute}Index")
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) attribute: &'static str,
    /// One that no mysfit has gives an empty list.
    pub(crate) value: String,
}

impl Filter {
    /// `None` for every mysfit. Other parameters are ignored. The client sees the error.
    pub(crate) fn parse(parameters: &[(String, String)]) -> Result<Option<Self>, String> {
        let (filter, value) = (only(parameters, "filter")?, only(parameters, "value")?);
        if filter.is_none() && value.is_none() {
            return Ok(None);
        }
        let Some(attribute) = INDEXED.into_iter().find(|attribute| filter == Some(*attribute)) else {
            let found = filter.map_or_else(|| "none beside 'value'".to_owned(), excerpt);
            return Err(format!("query parameter 'filter': found {found}; accepted: {}", INDEXED.join(", ")));
        };
        match value {
            Some(value) if (1..=MAX_VALUE_BYTES).contains(&value.len()) => {
                Ok(Some(Self { attribute, value: value.to_owned() }))
            }
            _ => {
                let found = value.map_or_else(|| format!("none beside 'filter={attribute}'"), excerpt);
                Err(format!("query parameter 'value': found {found}; accepted: 1 to {MAX_VALUE_BYTES} bytes"))
            }
        }
    }
}

fn only<'a>(parameters: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, String> {
    let mut values = parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let first = values.next();
    if values.next().is_some() {
        return Err(format!("query parameter '{name}': found more than one; accepted: one"));
    }
    Ok(first)
}

pub(crate) fn excerpt(text: &str) -> String {
    format!("{:?}", text.chars().take(EXCERPT_CHARS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(parameters: &[(&str, &str)]) -> Result<Option<(&'static str, String)>, String> {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Filter::parse(&parameters)?.map(|filter| (filter.attribute, filter.value)))
    }

    #[test]
    fn any_value_of_each_index() {
        assert_eq!(parse(&[]), Ok(None));
        assert_eq!(parse(&[("utm_source", "mail"), ("utm_source", "page")]), Ok(None));
        for value in ["Good", "good", "Sleepy", "é ñ", &"x".repeat(64), &"é".repeat(32)] {
            for filter in ["GoodEvil", "LawChaos"] {
                assert_eq!(parse(&[("filter", filter), ("value", value)]), Ok(Some((filter, value.to_owned()))));
            }
        }
    }

    #[test]
    fn an_error_has_the_parameter_what_was_found_and_what_is_accepted() {
        let longer = "é".repeat(33);
        let longer_message = format!("query parameter 'value': found \"{longer}\"; accepted: 1 to 64 bytes");
        let errors: [(&[(&str, &str)], &str); 8] = [
            (&[("value", "Good")], "query parameter 'filter': found none beside 'value'; accepted: GoodEvil, LawChaos"),
            (
                &[("filter", ""), ("value", "Good")],
                r#"query parameter 'filter': found ""; accepted: GoodEvil, LawChaos"#,
            ),
            (
                &[("filter", "goodevil"), ("value", "Good")],
                r#"query parameter 'filter': found "goodevil"; accepted: GoodEvil, LawChaos"#,
            ),
            (
                &[("filter", "LawChaos")],
                "query parameter 'value': found none beside 'filter=LawChaos'; accepted: 1 to 64 bytes",
            ),
            (&[("filter", "GoodEvil"), ("value", "")], r#"query parameter 'value': found ""; accepted: 1 to 64 bytes"#),
            (&[("filter", "GoodEvil"), ("value", &longer)], &longer_message),
            (
                &[("filter", "GoodEvil"), ("filter", "GoodEvil"), ("value", "Good")],
                "query parameter 'filter': found more than one; accepted: one",
            ),
            (
                &[("value", "Good"), ("filter", "GoodEvil"), ("value", "Evil")],
                "query parameter 'value': found more than one; accepted: one",
            ),
        ];
        for (parameters, message) in errors {
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

    #[test]
    fn short_texts_are_quoted_and_long_ones_truncated() {
        let long = "é".repeat(64);
        assert_eq!(excerpt("a\"b\n"), r#""a\"b\n""#);
        assert_eq!(excerpt(&long), format!("\"{long}\""));
        assert_eq!(excerpt(&"é".repeat(10_000)), format!("\"{long}\""));
    }
}
