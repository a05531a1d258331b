//! Excerpts of foreign text for messages: on one line, without control characters, and bounded.

/// At most this many characters, with invisible ones escaped. Quotes and backslashes are kept, so that JSON stays readable.
#[must_use]
pub fn excerpt(text: &str, max_chars: usize) -> String {
    let mut excerpt = String::new();
    for char in text.chars().take(max_chars) {
        match char {
            '"' | '\'' | '\\' => excerpt.push(char),
            _ => excerpt.extend(char.escape_debug()),
        }
    }
    if text.chars().nth(max_chars).is_some() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_escaped_and_bounded() {
        for (text, most, expected) in [
            ("a \"b\" 'c' \\ é", 99, "a \"b\" 'c' \\ é"),
            ("a\n\u{1b}[31m\r\u{202e}", 99, r"a\n\u{1b}[31m\r\u{202e}"),
            ("abc", 3, "abc"),
            ("abcd", 3, "abc…"),
            ("\n\n", 1, r"\n…"),
        ] {
            assert_eq!(excerpt(text, most), expected, "{text:?}");
        }
    }
}
