//! Excerpts of invalid input, for messages.

/// Enough to recognise the input, and too little to flood a response or a log.
const MAX_CHARS: usize = 64;

/// The start of a text, quoted and escaped.
pub(crate) fn excerpt(text: &str) -> String {
    format!("{:?}", text.chars().take(MAX_CHARS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_quoted_and_long_ones_truncated() {
        let long = "é".repeat(64);
        assert_eq!(excerpt("a\"b\n"), r#""a\"b\n""#);
        assert_eq!(excerpt(&long), format!("\"{long}\""));
        assert_eq!(excerpt(&"é".repeat(10_000)), format!("\"{long}\""));
    }
}
