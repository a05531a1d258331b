//! Which records are put.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::record::FailedRecord;

/// Which records are selected.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Such as `Lambda.FunctionError`; empty for all.
    pub error_codes: Vec<String>,
    /// The earliest arrival, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// The latest arrival, exclusive.
    pub until_ms: Option<i64>,
}

impl Selection {
    /// A record without an arrival time is outside every time range.
    pub(super) fn includes(&self, record: &FailedRecord) -> bool {
        (self.error_codes.is_empty() || self.error_codes.contains(&record.code))
            && self.since_ms.is_none_or(|since| record.arrival_ms.is_some_and(|arrival| arrival >= since))
            && self.until_ms.is_none_or(|until| record.arrival_ms.is_some_and(|arrival| arrival < until))
    }
}

/// Parses a point in time: a time, the start of a day in UTC, or how long before now. Returns it in milliseconds since 1970.
pub fn parse_time_ms(text: &str, now: Timestamp) -> Result<i64, String> {
    const UNITS: [(char, i64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86400)];
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    // `Date` also parses a time without a zone, as its day.
    let day = text.parse::<Date>().ok().filter(|day| day.to_string() == text);
    if let Some(midnight) = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok()) {
        return Ok(midnight.timestamp().as_millisecond());
    }
    let age = UNITS.iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(*unit)?.parse::<u64>().ok()?;
        i64::try_from(number).ok()?.checked_mul(seconds * 1000)
    });
    age.map(|age| now.as_millisecond().saturating_sub(age)).ok_or_else(|| {
        "accepted is a time such as 2026-11-26T10:00:00Z, a day such as 2026-11-26 (UTC), or how long ago, \
         such as 90m, 12h or 3d"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_times_days_and_ages() {
        let now: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-25T10:00:00Z", "2026-11-25T10:00:00Z"),
            ("2026-11-25T10:00:00.5+02:00", "2026-11-25T08:00:00.5Z"),
            ("2026-11-25", "2026-11-25T00:00:00Z"),
            ("90m", "2026-11-26T08:30:00Z"),
            ("12h", "2026-11-25T22:00:00Z"),
            ("3d", "2026-11-23T10:00:00Z"),
            ("0s", "2026-11-26T10:00:00Z"),
        ] {
            let expected = expected.parse::<Timestamp>().unwrap().as_millisecond();
            assert_eq!(parse_time_ms(text, now), Ok(expected), "{text}");
        }
        // Before all times.
        assert!(parse_time_ms("100000000000d", now).unwrap() < Timestamp::MIN.as_millisecond());
        for text in ["", "h", "-1h", "1.5h", "1w", "yesterday", "2026-11-25T10:00:00", "18446744073709551615d"] {
            assert!(parse_time_ms(text, now).unwrap_err().starts_with("accepted is a time"), "{text}");
        }
    }

    #[test]
    fn records_are_selected_by_code_and_arrival() {
        let failed = |code: &str, arrival_ms| FailedRecord {
            data: Vec::new(),
            code: code.to_owned(),
            function: String::new(),
            arrival_ms,
        };
        let all = Selection::default();
        let codes = Selection { error_codes: vec!["A".to_owned(), "B".to_owned()], ..Selection::default() };
        let since = Selection { since_ms: Some(10), ..Selection::default() };
        let until = Selection { until_ms: Some(10), ..Selection::default() };
        for (failed, expected) in [
            (failed("A", Some(9)), [true, true, false, true]),
            (failed("B", Some(10)), [true, true, true, false]),
            (failed("C", None), [true, false, false, false]),
        ] {
            assert_eq!(
                [&all, &codes, &since, &until].map(|selection| selection.includes(&failed)),
                expected,
                "{failed:?}"
            );
        }
    }
}
