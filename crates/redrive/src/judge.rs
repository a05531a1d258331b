//! What the pieces of an object are: records that failed, pieces without one, or something else altogether.

use super::failed::{Corrupt, Failed};
use super::ledger::Identity;
use super::lines::MAX_LINE_BYTES;
use firehose_model::values::{Found, Piece};

/// How many pieces without a record are kept until there is one with one, and how many bytes: before that, it may be no error
/// object.
const MOST_DOUBTFUL: usize = 100;
const MOST_DOUBTFUL_BYTES: usize = MAX_LINE_BYTES;

/// A piece without a record.
pub(super) struct Bad {
    /// By which the ledger knows it.
    pub(super) key: u128,
    /// Counted from one.
    pub(super) line: u64,
    /// Counted from zero.
    pub(super) offset: u64,
    /// Its bytes, or the start of too many.
    pub(super) bytes: Vec<u8>,
    /// What is wrong with it.
    pub(super) problem: Corrupt,
}

/// What is known of an object's pieces so far.
pub(super) enum Sight {
    /// One of them is a record of an error object, though perhaps not one that can be put.
    ErrorObject,
    /// None does: they may be of something else.
    Doubtful(Vec<Bad>),
    /// None does, and they are too many to keep.
    Unlikely,
}

impl Sight {
    /// What is known with some pieces more, and which bad ones are to be set aside now; none where it is not known yet, or only
    /// known now that too many are gone.
    pub(super) fn with(self, good: &[(u128, Failed)], mut bad: Vec<Bad>) -> (Self, Option<Vec<Bad>>) {
        match self {
            Self::ErrorObject => (Self::ErrorObject, Some(bad)),
            Self::Unlikely => (Self::Unlikely, None),
            Self::Doubtful(mut before) => {
                let is_error_object = is_error_object(good, &bad);
                before.append(&mut bad);
                let bytes: usize = before.iter().map(|bad| bad.bytes.len()).sum();
                match before.len() > MOST_DOUBTFUL || bytes > MOST_DOUBTFUL_BYTES {
                    _ if is_error_object => (Self::ErrorObject, Some(before)),
                    true => (Self::Unlikely, None),
                    false => (Self::Doubtful(before), None),
                }
            }
        }
    }
}

/// Whether one of these pieces is a record of an error object.
pub(super) fn is_error_object(good: &[(u128, Failed)], bad: &[Bad]) -> bool {
    !good.is_empty() || bad.iter().any(|bad| bad.problem.is_of_record())
}

/// The pieces with a record that the stream accepts by `check`, each with its key, and those without.
pub(super) fn judged(
    pieces: Vec<Piece>,
    identity: &mut Identity,
    check: impl Fn(&[u8]) -> Result<(), Corrupt>,
) -> (Vec<(u128, Failed)>, Vec<Bad>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for Piece { found, offset, line, bytes } in pieces {
        let key = identity.line_key(&bytes);
        let failed = match found {
            Found::Value => Failed::parse(&bytes).and_then(|failed| check(&failed.data).map(|()| failed)),
            Found::Other => Err(Corrupt::Json),
            Found::TooLong => Err(Corrupt::TooLong(MAX_LINE_BYTES)),
        };
        match failed {
            Ok(failed) => good.push((key, failed)),
            Err(problem) => bad.push(Bad { key, line, offset, bytes, problem }),
        }
    }
    (good, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(line: u64, text: &str, found: Found) -> Piece {
        Piece { found, offset: 10 * line, line, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn pieces_are_records_or_say_what_they_are() {
        let record = r#"{"rawData":"e30="}"#;
        let (good, bad) = judged(
            vec![
                piece(1, record, Found::Value),
                piece(2, "7", Found::Value),
                piece(3, record, Found::TooLong),
                piece(4, record, Found::Value),
                piece(5, record, Found::Other),
            ],
            &mut Identity::of("a"),
            |_| Ok(()),
        );
        let mut keys: Vec<u128> = good.iter().map(|(key, _)| *key).chain(bad.iter().map(|bad| bad.key)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((good.len(), keys.len()), (2, 5));
        let problems: Vec<(u64, u64, &Corrupt)> = bad.iter().map(|bad| (bad.line, bad.offset, &bad.problem)).collect();
        assert_eq!(
            problems,
            [(2, 20, &Corrupt::Json), (3, 30, &Corrupt::TooLong(MAX_LINE_BYTES)), (5, 50, &Corrupt::Json)]
        );
    }

    #[test]
    fn an_object_is_doubtful_until_there_is_a_record() {
        let judged = |text: &str, pieces: usize| {
            let pieces = (0..pieces).map(|line| piece(line as u64, text, Found::Value)).collect();
            judged(pieces, &mut Identity::of("a"), |_| Ok(()))
        };
        let bad = |pieces: usize| judged("{}", pieces).1;
        let good = judged(r#"{"rawData":"e30="}"#, 1).0;
        // Few pieces are kept until there is a record, and then set aside with the new ones.
        let (sight, now) = Sight::Doubtful(Vec::new()).with(&[], bad(MOST_DOUBTFUL - 1));
        assert!(now.is_none());
        let (sight, now) = sight.with(&good, bad(2));
        assert!(matches!(sight, Sight::ErrorObject));
        assert_eq!(now.map(|pieces| pieces.len()), Some(MOST_DOUBTFUL + 1));
        assert_eq!(sight.with(&[], bad(3)).1.map(|pieces| pieces.len()), Some(3));
        // Too many are not, so that they have to be read again should there be one.
        for bad in [bad(MOST_DOUBTFUL + 1), judged(&" ".repeat(MAX_LINE_BYTES), 5).1] {
            let (sight, now) = Sight::Doubtful(Vec::new()).with(&[], bad);
            assert!(matches!(sight, Sight::Unlikely) && now.is_none());
            assert!(sight.with(&good, Vec::new()).1.is_none());
        }
    }

    #[test]
    fn a_record_that_can_not_be_put_makes_an_error_object_as_well() {
        for (text, expected) in [
            (r#"{"rawData":"e30="}"#, true),
            (r#"{"rawData":"???"}"#, true),
            (r#"{"rawData":7}"#, false),
            (r#"{"errorCode":"Lambda.FunctionError"}"#, false),
            (r#""rawData""#, false),
        ] {
            let (good, bad) = judged(vec![piece(1, text, Found::Value)], &mut Identity::of("a"), |_| Ok(()));
            assert_eq!(is_error_object(&good, &bad), expected, "{text}");
            let (sight, _) = Sight::Doubtful(Vec::new()).with(&good, bad);
            assert_eq!(matches!(sight, Sight::ErrorObject), expected, "{text}");
        }
    }
}
