//! The kind of a file, by its first line.

use serde::de::IgnoredAny;

use crate::excerpt::excerpt;
use crate::fields::Fields;

/// The longest beginning of unknown content that a message shows.
const PREVIEW_CHARS: usize = 40;

/// The most field names that a message shows.
const MOST_NAMES: usize = 5;

/// What a file's lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Firehose events.
    Events,
    /// The lines of a Firehose error object.
    Errors,
    /// Clicks, or what should be.
    Clicks,
}

/// What the first line tells.
#[derive(Debug, PartialEq)]
pub(super) enum First {
    /// The kind of the file.
    Line(Kind),
    /// JSON that goes on in the next line: perhaps one object over all lines.
    Unfinished,
    /// Nothing that is known.
    Unknown,
}

pub(super) fn of_first_line(line: &[u8]) -> First {
    match serde_json::from_slice(line) {
        Ok(fields) => First::Line(of_fields(&fields)),
        Err(_) if is_json(line).is_err_and(|error| error.is_eof()) => First::Unfinished,
        Err(_) => First::Unknown,
    }
}

fn is_json(content: &[u8]) -> serde_json::Result<IgnoredAny> {
    serde_json::from_slice(content)
}

/// One object over all lines: an event, or a line of an error object that was made readable. Clicks are lines.
pub(super) fn of_all_lines(content: &[u8]) -> Option<Kind> {
    let fields = serde_json::from_slice(content).ok()?;
    Some(of_fields(&fields)).filter(|kind| *kind != Kind::Clicks)
}

fn of_fields(fields: &Fields<'_>) -> Kind {
    if fields.get("records").is_some() {
        Kind::Events
    } else if fields.get("rawData").is_some() {
        Kind::Errors
    } else {
        Kind::Clicks
    }
}

/// Content in a few words.
pub(super) fn describe(content: &[u8]) -> String {
    let content = content.trim_ascii();
    if content.is_empty() {
        return "nothing".to_owned();
    }
    if let Ok(fields) = serde_json::from_slice::<Fields<'_>>(content) {
        let lines = if content.contains(&b'\n') { " over several lines" } else { "" };
        let names: Vec<String> =
            fields.names().take(MOST_NAMES).map(|name| format!("`{}`", excerpt(&name, PREVIEW_CHARS))).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        return format!("a JSON object{lines} with {names}");
    }
    match content.first().filter(|_| is_json(content).is_ok()) {
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
    fn the_first_line_tells_the_kind() {
        for (line, first) in [
            (r#"{"invocationId":"i","records":[]}"#, First::Line(Kind::Events)),
            (r#"{"rawData":"e30=","errorCode":"Lambda.FunctionError"}"#, First::Line(Kind::Errors)),
            (r#"{"userId":"u","mysfitId":"m"}"#, First::Line(Kind::Clicks)),
            ("{}", First::Line(Kind::Clicks)),
            ("{", First::Unfinished),
            (r#"{"records": ["#, First::Unfinished),
            (r#"{"userId":"#, First::Unfinished),
            (r#"{"a":1e400,"b":"\ud800"}"#, First::Line(Kind::Clicks)),
            ("[", First::Unfinished),
            ("[{},", First::Unfinished),
            ("[]", First::Unknown),
            ("7", First::Unknown),
            ("{}{}", First::Unknown),
            ("userId,mysfitId", First::Unknown),
        ] {
            assert_eq!(of_first_line(line.as_bytes()), first, "{line}");
        }
    }

    #[test]
    fn content_is_described() {
        for (content, description) in [
            (" \n", "nothing"),
            ("[1,\n2]", "a JSON array"),
            ("7", "a JSON value that is not an object"),
            ("{\"a\":\n1}", "a JSON object over several lines with `a`"),
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
