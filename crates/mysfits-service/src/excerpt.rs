//! What someone sent that can't be used, as a message repeats it.

use std::fmt;

/// How much is repeated: enough to recognise it, and too little to flood an answer or a log.
const MAX_CHARS: usize = 64;

/// The start of a refused text. It shows itself in quotes, and what does not print escaped.
#[derive(Debug, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// The start of `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(text.chars().take(MAX_CHARS).collect())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_quoted_and_long_ones_truncated() {
        let long = "é".repeat(64);
        assert_eq!(Excerpt::of("a\"b\n").to_string(), r#""a\"b\n""#);
        assert_eq!(Excerpt::of(&long).to_string(), format!("\"{long}\""));
        assert_eq!(Excerpt::of(&"é".repeat(10_000)).to_string(), format!("\"{long}\""));
    }
}
