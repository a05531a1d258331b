//! Which pieces of an object are records that can be put, and which are corrupt.

use firehose_model::error_object::NoErrorRecord;
use firehose_model::values::{Found, Piece};

use crate::journal::Identity;
use crate::lines::MAX_LINE_BYTES;
use crate::record::{Corrupt, FailedRecord};

pub(super) struct CorruptPiece {
    pub(super) key: u128,
    /// Counted from one.
    pub(super) line: u64,
    /// Counted from zero.
    pub(super) offset: u64,
    /// Its bytes; only the start of one that is too long.
    pub(super) bytes: Vec<u8>,
    pub(super) problem: Corrupt,
}

/// The pieces with a record that the stream accepts according to `check`, each with its key in the journal, and the others.
pub(super) fn classify(
    pieces: Vec<Piece>,
    identity: &mut Identity,
    check: impl Fn(&[u8]) -> Result<(), Corrupt>,
) -> (Vec<(u128, FailedRecord)>, Vec<CorruptPiece>) {
    let (mut records, mut corrupt) = (Vec::new(), Vec::new());
    for Piece { found, offset, line, bytes } in pieces {
        let key = identity.line_key(&bytes);
        let record = match found {
            Found::Value => FailedRecord::parse(&bytes).and_then(|record| check(&record.data).map(|()| record)),
            Found::Other => Err(NoErrorRecord::Json.into()),
            Found::TooLong => Err(Corrupt::TooLong(MAX_LINE_BYTES)),
        };
        match record {
            Ok(record) => records.push((key, record)),
            Err(problem) => corrupt.push(CorruptPiece { key, line, offset, bytes, problem }),
        }
    }
    (records, corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(line: u64, text: &str, found: Found) -> Piece {
        Piece { found, offset: 10 * line, line, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn pieces_are_records_or_corrupt() {
        let record = r#"{"rawData":"e30="}"#;
        let (records, corrupt) = classify(
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
        let keys = records.iter().map(|(key, _)| *key).chain(corrupt.iter().map(|piece| piece.key));
        let mut keys: Vec<u128> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((records.len(), keys.len()), (2, 5));
        let problems: Vec<(u64, u64, &Corrupt)> =
            corrupt.iter().map(|piece| (piece.line, piece.offset, &piece.problem)).collect();
        assert_eq!(
            problems,
            [
                (2, 20, &NoErrorRecord::Json.into()),
                (3, 30, &Corrupt::TooLong(MAX_LINE_BYTES)),
                (5, 50, &NoErrorRecord::Json.into())
            ]
        );
    }
}
