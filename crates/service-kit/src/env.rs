//! Reads environment variables. An empty value counts as not set, because templates write optional values that way.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fmt::Display;

/// What [`Env::list_of_names`] accepts.
pub const NAMES: &str = "a comma-separated list of up to 32 different names, each 1 to 64 characters of [A-Za-z0-9_-]";
/// What [`Env::name`] accepts.
pub const NAME: &str = "a name of 1 to 64 characters of [A-Za-z0-9_-]";
/// The most names of a list.
pub const MAX_NAMES: usize = 32;
const MAX_NAME_LEN: usize = 64;
const MAX_SHOWN_CHARS: usize = 200;

/// A variable has an invalid value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct VariableError(String);

impl VariableError {
    /// An error with a description of the value instead of the value itself.
    pub fn new(variable: impl Display, found: impl Display, accepted: impl Display) -> Self {
        Self(format!("{variable}: found {found}; accepted: {accepted}"))
    }

    /// An error that shows the start of the value.
    pub fn of_value(variable: &str, value: &str, accepted: impl Display) -> Self {
        Self::new(variable, format_args!("{:?}", shown(value)), accepted)
    }
}

/// The variables of a process.
#[derive(Debug, Default)]
pub struct Env(HashMap<String, OsString>);

impl Env {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value of a variable; `None` if it is not set or empty.
    pub fn text(&self, variable: &str) -> Result<Option<&str>, VariableError> {
        let Some(value) = self.0.get(variable) else { return Ok(None) };
        match value.to_str() {
            Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            None => Err(VariableError::new(variable, "a value that is not UTF-8", "UTF-8 text")),
        }
    }

    /// A whole number from `min` to `max`.
    pub fn number(&self, variable: &str, default: u64, min: u64, max: u64) -> Result<u64, VariableError> {
        let Some(text) = self.text(variable)? else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (min..=max).contains(number));
        number
            .ok_or_else(|| VariableError::of_value(variable, text, format_args!("a whole number from {min} to {max}")))
    }

    /// One of `choices`, the first of which is the default.
    pub fn choice<T: Copy>(&self, variable: &str, choices: &[(&str, T)]) -> Result<T, VariableError> {
        let wanted = self.text(variable)?.unwrap_or(choices[0].0);
        let chosen = choices.iter().find(|(name, _)| *name == wanted).map(|(_, choice)| *choice);
        chosen.ok_or_else(|| VariableError::of_value(variable, wanted, one_of(choices)))
    }

    /// A comma-separated list of `choices`.
    pub fn choices<T: Copy>(&self, variable: &str, choices: &[(&str, T)]) -> Result<Vec<T>, VariableError> {
        let Some(text) = self.text(variable)? else { return Ok(Vec::new()) };
        let choice = |name: &str| choices.iter().find(|(known, _)| *known == name.trim()).map(|(_, choice)| *choice);
        let chosen: Option<Vec<T>> = text.split(',').map(choice).collect();
        let accepted = || format!("a comma-separated list of {}", one_of(choices));
        chosen.ok_or_else(|| VariableError::of_value(variable, text, accepted()))
    }

    /// One name: see [`NAME`].
    pub fn name(&self, variable: &str, default: &str) -> Result<String, VariableError> {
        let name = self.text(variable)?.unwrap_or(default).trim();
        is_name(name).then(|| name.to_owned()).ok_or_else(|| VariableError::of_value(variable, name, NAME))
    }

    /// A list of names: see [`NAMES`].
    pub fn list_of_names(&self, variable: &str, default: &str) -> Result<Vec<String>, VariableError> {
        self.list(variable, default, NAMES, |text| is_name(text).then(|| text.to_owned()), String::as_str)
    }

    /// A comma-separated list of up to [`MAX_NAMES`] values. Their names must differ in more than case, because Athena and others fold
    /// case.
    pub fn list<T>(
        &self,
        variable: &str,
        default: &str,
        accepted: &str,
        parse: impl Fn(&str) -> Option<T>,
        name: impl Fn(&T) -> &str,
    ) -> Result<Vec<T>, VariableError> {
        let text = self.text(variable)?.unwrap_or(default);
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let values: Option<Vec<T>> = text.split(',').map(|value| parse(value.trim())).collect();
        let values = values.filter(|values| {
            let different: HashSet<String> = values.iter().map(|value| name(value).to_ascii_lowercase()).collect();
            values.len() <= MAX_NAMES && different.len() == values.len()
        });
        values.ok_or_else(|| VariableError::of_value(variable, text, accepted))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Env {
    /// The last of several variables with one name counts.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variable = |(name, value): (N, V)| (name.into().to_string_lossy().into_owned(), value.into());
        Self(variables.into_iter().map(variable).collect())
    }
}

/// The start of a text, for messages.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARS).collect()
}

fn one_of<T>(choices: &[(&str, T)]) -> String {
    choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Whether a text is a name: see [`NAME`].
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Env {
        Env::from_iter([("A", value)])
    }

    #[test]
    fn values_are_read() {
        assert_eq!(Env::default().text("A").unwrap(), None);
        assert_eq!(of("").text("A").unwrap(), None);
        assert_eq!(of("x").text("A").unwrap(), Some("x"));
        assert_eq!(of("7").number("A", 1, 0, 7).unwrap(), 7);
        assert_eq!(of("").number("A", 1, 0, 7).unwrap(), 1);
        assert_eq!(of("b").choice("A", &[("a", 1), ("b", 2)]).unwrap(), 2);
        assert_eq!(of("").choice("A", &[("a", 1), ("b", 2)]).unwrap(), 1);
        assert_eq!(of("b, a").choices("A", &[("a", 1), ("b", 2)]).unwrap(), [2, 1]);
        assert_eq!(of(" n-1 ").name("A", "d").unwrap(), "n-1");
        assert_eq!(of("a, b").list_of_names("A", "d").unwrap(), ["a", "b"]);
        assert_eq!(of("").list_of_names("A", "").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_invalid_value_is_reported_with_what_is_accepted() {
        let long = "n".repeat(65);
        let many = (0..33).map(|index| format!("n{index}")).collect::<Vec<_>>().join(",");
        for (error, message) in [
            (of("8").number("A", 1, 0, 7).unwrap_err(), r#"A: found "8"; accepted: a whole number from 0 to 7"#),
            (of("-1").number("A", 1, 0, 7).unwrap_err(), r#"A: found "-1"; accepted: a whole number from 0 to 7"#),
            (of("c").choice("A", &[("a", 1), ("b", 2)]).unwrap_err(), r#"A: found "c"; accepted: a, b"#),
            (
                of("a,c").choices("A", &[("a", 1)]).unwrap_err(),
                r#"A: found "a,c"; accepted: a comma-separated list of a"#,
            ),
            (of("a b").name("A", "d").unwrap_err(), &*format!(r#"A: found "a b"; accepted: {NAME}"#)),
            (of(&long).name("A", "d").unwrap_err(), &*format!(r#"A: found "{long}"; accepted: {NAME}"#)),
            (of("a,A").list_of_names("A", "").unwrap_err(), &*format!(r#"A: found "a,A"; accepted: {NAMES}"#)),
            (
                of(&many).list_of_names("A", "").unwrap_err(),
                &*format!("A: found {:?}; accepted: {NAMES}", shown(&many)),
            ),
        ] {
            assert_eq!(error.to_string(), message);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_must_be_utf_8() {
        use std::os::unix::ffi::OsStringExt;
        let env = Env::from_iter([(OsString::from("A"), OsString::from_vec(vec![0xff]))]);
        assert_eq!(env.text("A").unwrap_err().to_string(), "A: found a value that is not UTF-8; accepted: UTF-8 text");
    }
}
