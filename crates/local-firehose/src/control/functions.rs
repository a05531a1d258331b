//! The functions that the ARNs of delivery streams mean.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fancy_regex::Regex;
use runtime_api::FunctionSettings;

/// The ARN of a function (Lambda API reference, "Invoke", "FunctionName"), here never without region, account or `function`.
static ARN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let region = r"(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d";
    Regex::new(&format!(
        r"^arn:aws[a-zA-Z-]*:lambda:{region}:\d{{12}}:function:([a-zA-Z0-9_-]+)(?::(?:\$LATEST|[a-zA-Z0-9_-]+))?$"
    ))
    .ok()
});

/// The key of a function in a [`FunctionMap`] is neither a name nor an ARN, so no stream could use it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "found `{0}`; accepted is the name of a function, of the characters a-z A-Z 0-9 _ -, or its ARN, \
     arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]"
)]
pub struct InvalidFunctionName(pub String);

/// Functions by their names or ARNs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionMap(BTreeMap<String, FunctionSettings>);

impl FunctionMap {
    /// Adds a function, or replaces the one of this name or ARN. It gets its name, and its ARN, if that is given.
    pub fn insert(&mut self, name_or_arn: &str, function: FunctionSettings) -> Result<(), InvalidFunctionName> {
        let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let (function_name, arn) = match function_name(name_or_arn) {
            Some(name) => (name.to_owned(), Some(name_or_arn.to_owned())),
            None if !name_or_arn.is_empty() && name_or_arn.bytes().all(is_in_name) => (name_or_arn.to_owned(), None),
            None => return Err(InvalidFunctionName(name_or_arn.to_owned())),
        };
        self.0.insert(name_or_arn.to_owned(), FunctionSettings { function_name, arn, ..function });
        Ok(())
    }

    /// The function that has exactly this name or ARN as its key.
    #[must_use]
    pub fn get(&self, name_or_arn: &str) -> Option<&FunctionSettings> {
        self.0.get(name_or_arn)
    }

    /// The function of an ARN: that of the whole ARN, else that of the ARN without version or alias, else that of the name.
    pub(super) fn find(&self, arn: &str) -> Option<FunctionSettings> {
        let name = function_name(arn)?;
        let unqualified = arn.splitn(8, ':').take(7).collect::<Vec<_>>().join(":");
        let found = [arn, unqualified.as_str(), name].into_iter().find_map(|key| self.0.get(key))?;
        Some(FunctionSettings { function_name: name.to_owned(), arn: Some(arn.to_owned()), ..found.clone() })
    }
}

pub(super) fn function_name(arn: &str) -> Option<&str> {
    let captures = ARN.as_ref()?.captures(arn).ok()??;
    captures.get(1).map(|name| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_arn_or_its_name() {
        let arn = |rest: &str| format!("arn:aws:lambda:eu-west-1:123456789012:function:{rest}");
        let mut map = FunctionMap::default();
        for (key, command) in
            [(arn("a:7"), "a-7"), (arn("a"), "a-any"), ("a".to_owned(), "by-name"), ("b".to_owned(), "b")]
        {
            map.insert(&key, FunctionSettings::new(command)).unwrap();
        }
        for (given, command) in [
            (arn("a:7"), Some("a-7")),
            (arn("a:live"), Some("a-any")),
            (arn("a"), Some("a-any")),
            (arn("a").replace("eu-west-1", "us-east-1"), Some("by-name")),
            (arn("b:$LATEST"), Some("b")),
            (arn("c"), None),
            (arn(""), None),
            (arn("a:b:c"), None),
            (arn("a/b"), None),
            (arn("a\n"), None),
            (arn("a").replace("123456789012", "1"), None),
            (arn("a").replace("eu-west-1", "nowhere"), None),
            ("a".to_owned(), None),
            ("arn:aws:sqs:eu-west-1:123456789012:a".to_owned(), None),
        ] {
            let found = map.find(&given);
            assert_eq!(found.as_ref().map(|found| found.command.display().to_string()).as_deref(), command, "{given}");
            if let Some(found) = found {
                assert_eq!((found.function_arn(), found.function_name.len()), (given, 1));
            }
        }
    }

    #[test]
    fn a_key_is_a_name_or_an_arn() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:a_B-1:live";
        for (key, name, expected_arn) in
            [("a_B-1", "a_B-1", "arn:aws:lambda:us-east-1:000000000000:function:a_B-1"), (arn, "a_B-1", arn)]
        {
            let mut map = FunctionMap::default();
            map.insert(key, FunctionSettings::new("/bin/cat")).unwrap();
            let found = map.get(key).unwrap();
            assert_eq!((found.function_name.as_str(), found.function_arn().as_str()), (name, expected_arn));
            assert_eq!(map.get("b"), None);
        }
        for key in
            ["", "a b", "a.b", "a:b", "arn:aws:lambda:eu-west-1:1:function:a", "arn:aws:sqs:eu-west-1:123456789012:a"]
        {
            let error = FunctionMap::default().insert(key, FunctionSettings::new("/bin/cat")).unwrap_err();
            assert_eq!(error, InvalidFunctionName(key.to_owned()));
        }
    }
}
