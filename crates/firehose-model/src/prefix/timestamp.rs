//! `!{timestamp:PATTERN}`: the patterns of Java's `DateTimeFormatter`, in its US locale.

use std::iter::Peekable;
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
    /// The last two digits of the week-based year.
    ShortWeekYear,
    /// The week-based year, with at least this many digits.
    WeekYear(usize),
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

    pub(super) fn format(&self, time: &Zoned, text: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(character) => text.push(*character),
                Piece::Field(format) => text.push_str(&time.strftime(format).to_string()),
                Piece::Initial(format) => text.extend(time.strftime(format).to_string().chars().take(1)),
                Piece::ShortWeekYear => text.push_str(&padded(week(time).0.rem_euclid(100), 2)),
                Piece::WeekYear(digits) => text.push_str(&padded(week(time).0, *digits)),
                Piece::Week(digits) => text.push_str(&padded(week(time).1, *digits)),
            }
        }
    }
}

fn padded(number: i16, digits: usize) -> String {
    format!("{number:0digits$}")
}

/// The week-based year and its week, by Java's `WeekFields` of the US: a week begins on Sunday, and week 1 has January 1. So the year is
/// that of the week's Saturday. After the last Saturday of the year 9999, both are those of the day itself.
fn week(time: &Zoned) -> (i16, i16) {
    let date: Date = time.date();
    let saturday = date.saturating_add((6 - date.weekday().to_sunday_zero_offset()).days());
    (saturday.year(), (saturday.day_of_year() + 6) / 7)
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
        // They have no format of `strftime`: weeks in C are others.
        'Y' => (' ', 19),
        'w' => (' ', 2),
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
        letter => {
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
    let name = match (letter, count) {
        ('Y', 2) => return Ok(Piece::ShortWeekYear),
        ('Y', digits) => return Ok(Piece::WeekYear(digits)),
        ('w', digits) => return Ok(Piece::Week(digits)),
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
