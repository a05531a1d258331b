//! Examples of a help text, before the options.

use std::fmt::Write;

use clap::builder::StyledStr;
use clap::builder::styling::Styles;

/// Clap's template, with the examples behind the description.
pub(crate) const TEMPLATE: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Each example has its purpose and a command.
pub(crate) fn examples(examples: &[(&str, &str)]) -> StyledStr {
    const STYLES: Styles = Styles::styled();
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let mut text = StyledStr::new();
    // Writing into memory does not fail, here and below.
    let _written = write!(text, "{header}Examples:{header:#}");
    for (purpose, command) in examples {
        let _written = write!(text, "\n  {purpose}\n    {literal}{command}{literal:#}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_a_purpose_and_a_command() {
        let text = examples(&[("The demo", "clicks up"), ("Two", "clicks up --a 'b'")]).to_string();
        assert_eq!(text, "Examples:\n  The demo\n    clicks up\n  Two\n    clicks up --a 'b'");
    }
}
