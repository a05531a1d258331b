//! The functions that the ARNs of delivery streams mean.

use std::collections::BTreeMap;

use runtime_api::Settings;

/// Functions by their names or ARNs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionMap(BTreeMap<String, Settings>);

impl FunctionMap {
    /// Adds a function, or replaces the one of this name or ARN.
    pub fn insert(&mut self, name_or_arn: impl Into<String>, function: Settings) {
        self.0.insert(name_or_arn.into(), function);
    }

    /// The function of an ARN: that of the whole ARN, else that of the ARN without version or alias, else that of the name.
    pub(super) fn find(&self, arn: &str) -> Option<Settings> {
        let name = function_name(arn)?;
        let unqualified = arn.splitn(8, ':').take(7).collect::<Vec<_>>().join(":");
        let found = [arn, unqualified.as_str(), name].into_iter().find_map(|key| self.0.get(key))?;
        Some(Settings { function_name: name.to_owned(), arn: Some(arn.to_owned()), ..found.clone() })
    }
}

/// The name in a function's ARN (Lambda API reference, "Invoke", "FunctionName").
pub(super) fn function_name(arn: &str) -> Option<&str> {
    match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _partition, "lambda", _region, _account, "function", name]
        | ["arn", _partition, "lambda", _region, _account, "function", name, _]
            if !name.is_empty() =>
        {
            Some(name)
        }
        _ => None,
    }
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
            map.insert(key, Settings::new(command));
        }
        for (given, command) in [
            (arn("a:7"), Some("a-7")),
            (arn("a:live"), Some("a-any")),
            (arn("a"), Some("a-any")),
            (arn("a").replace("eu-west-1", "us-east-1"), Some("by-name")),
            (arn("b:$LATEST"), Some("b")),
            (arn("c"), None),
            (arn(""), None),
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
}
