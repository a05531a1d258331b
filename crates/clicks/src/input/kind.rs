//! The kind of a file, by its first line.

use serde_json::{Map, Value};

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
    match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(fields)) => First::Line(of_fields(&fields)),
        Err(error) if error.is_eof() => First::Unfinished,
        _ => First::Unknown,
    }
}

/// One object over all lines: an event, or a line of an error object that was made readable. Clicks are lines.
pub(super) fn of_all_lines(content: &[u8]) -> Option<Kind> {
    let fields: Map<String, Value> = serde_json::from_slice(content).ok()?;
    Some(of_fields(&fields)).filter(|kind| *kind != Kind::Clicks)
}

fn of_fields(fields: &Map<String, Value>) -> Kind {
    if fields.contains_key("records") {
        Kind::Events
    } else if fields.contains_key("rawData") {
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
    match serde_json::from_slice::<Value>(content) {
        Ok(Value::Array(_)) => "a JSON array".to_owned(),
        Ok(Value::Object(fields)) => {
            let lines = if content.contains(&b'\n') { " over several lines" } else { "" };
            let names: Vec<String> = fields.keys().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
            let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            format!("a JSON object{lines} with {names}")
        }
        Ok(_) => "a JSON value that is not an object".to_owned(),
        Err(_) => {
            let text = String::from_utf8_lossy(content);
            let start: String = text.chars().take(PREVIEW_CHARS).flat_map(char::escape_debug).collect();
            let more = if text.chars().nth(PREVIEW_CHARS).is_some() { "…" } else { "" };
            format!("what is not JSON: `{start}{more}`")
        }
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
            ("[", First::Unfinished),
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
            ("{\"b\":1,\"a\":1}", "a JSON object with `a`, `b`"),
            ("{}", "a JSON object with nothing"),
            ("a,b\nc", r"what is not JSON: `a,b\nc`"),
            (
                "0123456789012345678901234567890123456789x",
                "what is not JSON: `0123456789012345678901234567890123456789…`",
            ),
        ] {
            assert_eq!(describe(content.as_bytes()), description);
        }
    }
}
