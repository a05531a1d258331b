//! What somebody else wrote, in a message: on one line, without what a terminal would obey, and not too long.

/// At most so many characters, with what can't be seen escaped. Quotes and backslashes are left, so that JSON stays what it is.
#[must_use]
pub fn excerpt(text: &str, most_chars: usize) -> String {
    let mut excerpt = String::new();
    for char in text.chars().take(most_chars) {
        match char {
            '"' | '\'' | '\\' => excerpt.push(char),
            _ => excerpt.extend(char.escape_debug()),
        }
    }
    if text.chars().nth(most_chars).is_some() {
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
