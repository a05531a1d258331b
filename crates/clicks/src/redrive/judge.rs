//! What the lines of an object are: records that failed, lines without one, or something else altogether.

use super::failed::{Corrupt, Failed};
use super::ledger::Identity;
use super::lines::{Extent, Line, MAX_LINE_BYTES};

/// How many lines without a record are kept until there is one with one: before that, it may be no error object.
const MOST_DOUBTFUL: usize = 100;

/// A line without a record.
pub(super) struct Bad {
    /// By which the ledger knows it.
    pub(super) key: u128,
    /// Counted from one.
    pub(super) number: u64,
    /// Its bytes, or the start of too many.
    pub(super) bytes: Vec<u8>,
    /// What is wrong with it.
    pub(super) problem: Corrupt,
}

/// What is known of an object's lines so far.
pub(super) enum Sight {
    /// One of them holds a record.
    ErrorObject,
    /// None does: they may be of something else.
    Doubtful(Vec<Bad>),
    /// None does, and they are too many to keep.
    Unlikely,
}

impl Sight {
    /// What is known with some lines more, and which bad lines are to be set aside now; none where it is not known yet, or only
    /// known now that too many are gone.
    pub(super) fn with(self, good: &[(u128, Failed)], mut bad: Vec<Bad>) -> (Self, Option<Vec<Bad>>) {
        match self {
            Self::ErrorObject => (Self::ErrorObject, Some(bad)),
            Self::Unlikely => (Self::Unlikely, None),
            Self::Doubtful(mut before) => {
                before.append(&mut bad);
                match good {
                    [] if before.len() > MOST_DOUBTFUL => (Self::Unlikely, None),
                    [] => (Self::Doubtful(before), None),
                    _ => (Self::ErrorObject, Some(before)),
                }
            }
        }
    }
}

/// The lines with a record, each with its key, and those without.
pub(super) fn judged(lines: Vec<Line>, identity: &mut Identity) -> (Vec<(u128, Failed)>, Vec<Bad>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for Line { number, bytes, extent } in lines {
        let failed = match extent {
            Extent::Cut => Err(Corrupt::TooLong(MAX_LINE_BYTES)),
            Extent::Whole | Extent::BrokenOff => Failed::parse(&bytes),
        };
        // What is missing of a line that broke off may make it a record.
        if failed.is_err() && extent == Extent::BrokenOff {
            continue;
        }
        let key = identity.line_key(&bytes);
        match failed {
            Ok(failed) => good.push((key, failed)),
            Err(problem) => bad.push(Bad { key, number, bytes, problem }),
        }
    }
    (good, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, text: &str, extent: Extent) -> Line {
        Line { number, bytes: text.as_bytes().to_vec(), extent }
    }

    #[test]
    fn lines_are_records_or_say_what_they_are() {
        let record = r#"{"rawData":"e30="}"#;
        let (good, bad) = judged(
            vec![
                line(1, record, Extent::Whole),
                line(2, "x", Extent::Whole),
                line(3, record, Extent::Cut),
                line(4, record, Extent::Whole),
                line(5, record, Extent::BrokenOff),
                line(6, &record[..9], Extent::BrokenOff),
            ],
            &mut Identity::of("a"),
        );
        let mut keys: Vec<u128> = good.iter().map(|(key, _)| *key).chain(bad.iter().map(|line| line.key)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((good.len(), keys.len()), (3, 5));
        let problems: Vec<(u64, &Corrupt)> = bad.iter().map(|line| (line.number, &line.problem)).collect();
        assert_eq!(problems, [(2, &Corrupt::Json), (3, &Corrupt::TooLong(MAX_LINE_BYTES))]);
    }

    #[test]
    fn an_object_is_doubtful_until_there_is_a_record() {
        let bad = |lines: usize| {
            let lines = (0..lines).map(|number| line(number as u64, "x", Extent::Whole)).collect();
            judged(lines, &mut Identity::of("a")).1
        };
        let good = judged(vec![line(1, r#"{"rawData":"e30="}"#, Extent::Whole)], &mut Identity::of("a")).0;
        // Few lines are kept until there is a record, and then set aside with the new ones.
        let (sight, now) = Sight::Doubtful(Vec::new()).with(&[], bad(MOST_DOUBTFUL - 1));
        assert!(now.is_none());
        let (sight, now) = sight.with(&good, bad(2));
        assert!(matches!(sight, Sight::ErrorObject));
        assert_eq!(now.map(|lines| lines.len()), Some(MOST_DOUBTFUL + 1));
        assert_eq!(sight.with(&[], bad(3)).1.map(|lines| lines.len()), Some(3));
        // Too many are not, so that they have to be read again should there be one.
        let (sight, now) = Sight::Doubtful(Vec::new()).with(&[], bad(MOST_DOUBTFUL + 1));
        assert!(matches!(sight, Sight::Unlikely) && now.is_none());
        assert!(sight.with(&good, Vec::new()).1.is_none());
    }
}
