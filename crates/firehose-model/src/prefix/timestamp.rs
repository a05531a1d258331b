//! `!{timestamp:PATTERN}`: the patterns of Java's `DateTimeFormatter`, in UTC and in English.

use std::iter::Peekable;
use std::str::Chars;

use jiff::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(char),
    /// A format of `strftime`.
    Field(String),
    /// The first letter of such a field.
    Initial(&'static str),
}

impl Pattern {
    /// No time of the years 0 to 9999 is longer in any pattern: a Wednesday in September, 2026-09-30T22:59:59.
    pub(super) const WIDEST: Timestamp = Timestamp::constant(1_790_809_199, 0);

    pub(super) fn hour_folders() -> Self {
        Self(vec![Piece::Field("%Y/%m/%d/%H/".to_owned())])
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(first) = rest.next() {
            match first {
                '\'' => quoted(&mut rest, &mut pieces)?,
                'A'..='Z' | 'a'..='z' => {
                    let mut count = 1;
                    while rest.next_if_eq(&first).is_some() {
                        count += 1;
                    }
                    pieces.push(field(first, count)?);
                }
                '[' | ']' | '{' | '}' | '#' => return Err(format!("`{first}` must be in single quotes")),
                other => pieces.push(Piece::Text(other)),
            }
        }
        Ok(Self(pieces))
    }

    pub(super) fn format(&self, time: Timestamp, text: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(character) => text.push(*character),
                Piece::Field(format) => text.push_str(&time.strftime(format).to_string()),
                Piece::Initial(format) => text.extend(time.strftime(format).to_string().chars().take(1)),
            }
        }
    }
}

/// Two quotes in it are one, and nothing in quotes is a quote itself.
fn quoted(rest: &mut Peekable<Chars<'_>>, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let before = pieces.len();
    loop {
        match rest.next() {
            None => return Err("a single quote is not closed (a quote itself is written as two)".to_owned()),
            Some('\'') if rest.next_if_eq(&'\'').is_none() => break,
            Some(character) => pieces.push(Piece::Text(character)),
        }
    }
    if pieces.len() == before {
        pieces.push(Piece::Text('\''));
    }
    Ok(())
}

/// Java's limits.
fn field(letter: char, count: usize) -> Result<Piece, String> {
    let (number, most) = match letter {
        'y' | 'u' => ('Y', 19),
        'M' => ('m', 5),
        'd' => ('d', 2),
        'D' => ('j', 3),
        'E' => ('u', 5),
        'H' => ('H', 2),
        'h' => ('I', 2),
        'a' => ('p', 1),
        'm' => ('M', 2),
        's' => ('S', 2),
        'S' => ('f', 9),
        // It differs from the year around the New Year.
        'Y' => return Err("`Y` is the week-based year, which is not supported: the year is `y`".to_owned()),
        letter => {
            return Err(format!(
                "`{letter}` is not known: the letters are y or u (year), M (month), d (day), D (day of the year), E (weekday), \
                 H or h (hour), a (AM or PM), m (minute), s (second) and S (its fraction); other letters are written in single \
                 quotes"
            ));
        }
    };
    if count > most {
        return Err(format!("`{letter}` is there {count} times in a row, and can be {most} times at most"));
    }
    let name = match (letter, count) {
        ('y' | 'u', 2) => "%y",
        ('M', 3) => "%b",
        ('M', 4) => "%B",
        ('M', 5) => return Ok(Piece::Initial("%B")),
        // One, two and three letters are the same to Java.
        ('E', ..=3) => "%a",
        ('E', 4) => "%A",
        ('E', 5) => return Ok(Piece::Initial("%A")),
        ('a', _) => "%p",
        _ => return Ok(Piece::Field(format!("%0{count}{number}"))),
    };
    Ok(Piece::Field(name.to_owned()))
}
