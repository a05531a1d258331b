//! `!{timestamp:PATTERN}`: the patterns of Java's `DateTimeFormatter`, in UTC and in English.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A letter that is none of Java's, or one that has no use in an object's name.
    #[error(
        "`{0}` is not known: the letters are y or u (year), M (month), d (day), D (day of the year), E (weekday), H or h \
         (hour), a (AM or PM), m (minute), s (second) and S (its fraction); other letters are written in single quotes"
    )]
    Letter(char),
    /// The week-based year is another one than the year in the days around the New Year.
    #[error("`Y` is the week-based year, which is not supported: the year is `y`")]
    WeekBasedYear,
    /// As Java: "Too many pattern letters".
    #[error("`{letter}` is there {count} times in a row, and can be {most} times at most")]
    TooMany {
        /// The letter.
        letter: char,
        /// How often it is there.
        count: usize,
        /// How often it could be.
        most: usize,
    },
    /// Java keeps these for itself.
    #[error("`{0}` must be in single quotes")]
    Reserved(char),
    /// A quote without its end.
    #[error("a single quote is not closed (a quote itself is written as two)")]
    Quote,
}

/// A pattern that has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(char),
    Field(Field, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    YearOfEra,
    Year,
    Month,
    Day,
    DayOfYear,
    Weekday,
    Hour,
    ClockHour,
    AmPm,
    Minute,
    Second,
    Fraction,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// As jiff counts them, from Monday.
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Pattern {
    /// No time of the years 0 to 9999 is longer in any pattern: a Wednesday in September, 2026-09-30T22:59:59.
    pub(super) const WIDEST: Timestamp = Timestamp::constant(1_790_809_199, 0);

    /// `yyyy/MM/dd/HH/`
    pub(super) fn hour_folders() -> Self {
        let folder = |field, count| [Piece::Field(field, count), Piece::Text('/')];
        let folders = [(Field::YearOfEra, 4), (Field::Month, 2), (Field::Day, 2), (Field::Hour, 2)];
        Self(folders.into_iter().flat_map(|(field, count)| folder(field, count)).collect())
    }

    /// The pattern's text as it is between `timestamp:` and the brace.
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
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
                    pieces.push(Piece::Field(field(first, count)?, count));
                }
                '[' | ']' | '{' | '}' | '#' => return Err(PatternError::Reserved(first)),
                other => pieces.push(Piece::Text(other)),
            }
        }
        Ok(Self(pieces))
    }

    /// Appends the time to `text`.
    pub(super) fn format(&self, time: Timestamp, text: &mut String) {
        let time = Offset::UTC.to_datetime(time);
        for piece in &self.0 {
            match piece {
                Piece::Text(character) => text.push(*character),
                Piece::Field(field, count) => field.format(time, *count, text),
            }
        }
    }
}

/// What is quoted, up to the quote's end; two quotes in it are one, and nothing in quotes is a quote itself.
fn quoted(rest: &mut Peekable<Chars<'_>>, pieces: &mut Vec<Piece>) -> Result<(), PatternError> {
    let before = pieces.len();
    loop {
        match rest.next() {
            None => return Err(PatternError::Quote),
            Some('\'') if rest.next_if_eq(&'\'').is_none() => break,
            Some(character) => pieces.push(Piece::Text(character)),
        }
    }
    if pieces.len() == before {
        pieces.push(Piece::Text('\''));
    }
    Ok(())
}

/// The field of `count` letters. Java's limits.
fn field(letter: char, count: usize) -> Result<Field, PatternError> {
    let (field, most) = match letter {
        'y' => (Field::YearOfEra, 19),
        'u' => (Field::Year, 19),
        'M' => (Field::Month, 5),
        'd' => (Field::Day, 2),
        'D' => (Field::DayOfYear, 3),
        'E' => (Field::Weekday, 5),
        'H' => (Field::Hour, 2),
        'h' => (Field::ClockHour, 2),
        'a' => (Field::AmPm, 1),
        'm' => (Field::Minute, 2),
        's' => (Field::Second, 2),
        'S' => (Field::Fraction, 9),
        'Y' => return Err(PatternError::WeekBasedYear),
        letter => return Err(PatternError::Letter(letter)),
    };
    if count > most {
        return Err(PatternError::TooMany { letter, count, most });
    }
    Ok(field)
}

impl Field {
    fn format(self, time: DateTime, count: usize, text: &mut String) {
        let number = match self {
            Self::YearOfEra if time.year() <= 0 => 1 - i32::from(time.year()),
            Self::YearOfEra | Self::Year => i32::from(time.year()),
            Self::Month if count > 2 => {
                return name(&MONTHS, time.month(), count - 2, text);
            }
            Self::Month => time.month().into(),
            Self::Day => time.day().into(),
            Self::DayOfYear => time.day_of_year().into(),
            // One, two and three letters are the same to Java.
            Self::Weekday => return name(&WEEKDAYS, time.weekday().to_monday_one_offset(), count.max(3) - 2, text),
            Self::Hour => time.hour().into(),
            Self::ClockHour => (i32::from(time.hour()) + 11) % 12 + 1,
            Self::AmPm => return text.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
            Self::Minute => time.minute().into(),
            Self::Second => time.second().into(),
            Self::Fraction => {
                let nanoseconds = format!("{:09}", time.subsec_nanosecond());
                return text.extend(nanoseconds.chars().take(count));
            }
        };
        let short_year = matches!(self, Self::YearOfEra | Self::Year) && count == 2;
        let digits = if short_year { number.unsigned_abs() % 100 } else { number.unsigned_abs() };
        if number < 0 && !short_year {
            text.push('-');
        }
        let _ = write!(text, "{digits:0count$}");
    }
}

/// A month or a day of the week as its first three letters (1), in full (2), or as its first letter (3).
fn name(names: &[&str], one_based: i8, form: usize, text: &mut String) {
    let index = usize::try_from(one_based).unwrap_or_default().saturating_sub(1);
    let name = names.get(index).copied().unwrap_or_default();
    let letters = match form {
        1 => 3,
        2 => name.len(),
        _ => 1,
    };
    text.extend(name.chars().take(letters));
}
