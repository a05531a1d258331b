//! A description of unknown content, for messages.

use serde::de::IgnoredAny;

use firehose_model::excerpt::excerpt;
use firehose_model::fields::Fields;

/// The length of unknown content in a message.
const PREVIEW_CHARS: usize = 40;

/// The number of field names in a message.
const MOST_NAMES: usize = 5;

/// Content in a few words, for a message.
pub(super) fn describe(content: &[u8]) -> String {
    let content = content.trim_ascii();
    if content.is_empty() {
        return "nothing".to_owned();
    }
    if let Ok(fields) = serde_json::from_slice::<Fields<'_>>(content) {
        let names: Vec<String> =
            fields.names().take(MOST_NAMES).map(|name| format!("`{}`", excerpt(&name, PREVIEW_CHARS))).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        return format!("a JSON object with {names}");
    }
    match content.first().filter(|_| serde_json::from_slice::<IgnoredAny>(content).is_ok()) {
        Some(b'{') => "a JSON object that is not UTF-8".to_owned(),
        Some(b'[') => "a JSON array".to_owned(),
        Some(_) => "a JSON value that is not an object".to_owned(),
        None => format!("what is not JSON: `{}`", excerpt(&String::from_utf8_lossy(content), PREVIEW_CHARS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_described() {
        for (content, description) in [
            (" \n", "nothing"),
            ("[1,\n2]", "a JSON array"),
            ("7", "a JSON value that is not an object"),
            ("{\"a\":\n1}", "a JSON object with `a`"),
            ("{\"b\":1,\"a\":1}", "a JSON object with `b`, `a`"),
            ("[1e400]", "a JSON array"),
            ("{}", "a JSON object with nothing"),
            ("{\"\\u001b\":1}", r"a JSON object with `\u{1b}`"),
            ("a,b\nc", r"what is not JSON: `a,b\nc`"),
            (
                "0123456789012345678901234567890123456789x",
                "what is not JSON: `0123456789012345678901234567890123456789…`",
            ),
        ] {
            assert_eq!(describe(content.as_bytes()), description);
        }
        assert_eq!(describe(b"{\"a\":\"\xff\"}"), "a JSON object that is not UTF-8");
    }
}
