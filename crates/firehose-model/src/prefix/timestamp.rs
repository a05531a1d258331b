//! `!{timestamp:PATTERN}`: the patterns of Java's `DateTimeFormatter`, in its US locale.

use std::iter::{self, Peekable};
use std::str::Chars;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, Zoned};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(char),
    /// A format of `strftime`.
    Field(String),
    /// The first letter of such a field.
    Initial(&'static str),
    /// A format of the week's Saturday.
    OfSaturday(String),
    /// The week of the week-based year, with at least this many digits.
    Week(usize),
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
                    let more = iter::from_fn(|| rest.next_if_eq(&first)).count();
                    pieces.push(field(first, 1 + more)?);
                }
                '[' | ']' | '{' | '}' | '#' => return Err(format!("`{first}` must be in single quotes")),
                other => pieces.push(Piece::Text(other)),
            }
        }
        Ok(Self(pieces))
    }

    pub(super) fn format(&self, time: &Zoned) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(character) => character.to_string(),
            Piece::Field(format) => time.strftime(format).to_string(),
            Piece::Initial(format) => time.strftime(format).to_string().chars().take(1).collect(),
            Piece::OfSaturday(format) => saturday(time).strftime(format).to_string(),
            &Piece::Week(digits) => format!("{:0digits$}", (saturday(time).day_of_year() + 6) / 7),
        };
        self.0.iter().map(piece).collect()
    }
}

/// The last day of a week, which has the week-based year and its week, by Java's `WeekFields` of the US: a week begins on Sunday, and
/// week 1 has January 1. After the last Saturday of the year 9999, it is the last day of that year.
fn saturday(time: &Zoned) -> Date {
    let date = time.date();
    date.saturating_add((6 - date.weekday().to_sunday_zero_offset()).days())
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
    let name = |format: &str| Piece::Field(format.to_owned());
    let number = |letter: char| Piece::Field(format!("%0{count}{letter}"));
    let (most, piece) = match (letter, count) {
        ('Y', 2) => (19, Piece::OfSaturday("%y".to_owned())),
        ('Y', _) => (19, Piece::OfSaturday(format!("%0{count}Y"))),
        ('y' | 'u', 2) => (19, name("%y")),
        ('y' | 'u', _) => (19, number('Y')),
        ('M', ..=2) => (5, number('m')),
        ('M', 3) => (5, name("%b")),
        ('M', 4) => (5, name("%B")),
        ('M', _) => (5, Piece::Initial("%B")),
        // Weeks in C are others.
        ('w', _) => (2, Piece::Week(count)),
        ('d', _) => (2, number('d')),
        ('D', _) => (3, number('j')),
        // One, two and three letters are the same to Java.
        ('E', ..=3) => (5, name("%a")),
        ('E', 4) => (5, name("%A")),
        ('E', _) => (5, Piece::Initial("%A")),
        ('H', _) => (2, number('H')),
        ('h', _) => (2, number('I')),
        ('a', _) => (1, name("%p")),
        ('m', _) => (2, number('M')),
        ('s', _) => (2, number('S')),
        ('S', _) => (9, number('f')),
        _ => {
            return Err(format!(
                "`{letter}` is not known: the letters are y or u (year), Y (week-based year), M (month), w (week), d (day), \
                 D (day of the year), E (weekday), H or h (hour), a (AM or PM), m (minute), s (second) and S (its fraction); \
                 other letters are written in single quotes"
            ));
        }
    };
    if count > most {
        return Err(format!("`{letter}` is there {count} times in a row, and can be {most} times at most"));
    }
    Ok(piece)
}
