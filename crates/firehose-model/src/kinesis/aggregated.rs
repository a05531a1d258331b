//! Aggregated records of the Kinesis Producer Library, KPL: one record with many of a producer's records, its user records.
//!
//! The format is in the library's `aggregation-format.md`: a magic number, the protobuf message `AggregatedRecord`, and its MD5. Data that has
//! the magic number and is otherwise not valid is an ordinary record, as for the Kinesis Client Library.

use md5::{Digest, Md5};

use super::MAX_PARTITION_KEY_CHARACTERS;

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
/// 30 of the magic number's 32 bits.
const MAGIC_AS_BASE64: &str = "84maw";
const MD5_BYTES: usize = 16;
/// The most user records of a record. Firehose processes a record with more as it is (Firehose API reference, "PutRecord", of multi-record
/// de-aggregation; that aggregated records have this limit is an assumption).
const MAX_USER_RECORDS: usize = 500;
/// Fields of the message, and of the messages in it, by their number and the type of their value.
const PARTITION_KEY: u64 = (1 << 3) | BYTES;
const PARTITION_KEY_INDEX: u64 = 1 << 3;
const RECORD: u64 = (3 << 3) | BYTES;
const DATA: u64 = (3 << 3) | BYTES;
const BYTES: u64 = 2;

/// Why a record has no user records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAggregated {
    /// It is an ordinary record.
    #[error("a record is not aggregated")]
    Ordinary,
    /// It has more than 500.
    #[error("an aggregated record has more than {} user records", MAX_USER_RECORDS)]
    TooMany,
}

/// Whether base64 may be that of an aggregated record.
pub(crate) fn has_magic(base64: &str) -> bool {
    base64.starts_with(MAGIC_AS_BASE64)
}

/// The partition keys and the data of the user records of an aggregated record, 1 to [`MAX_USER_RECORDS`].
///
/// Explicit hash keys select a shard only, which is that of the aggregated record.
pub(crate) fn user_records(data: &[u8]) -> Result<Vec<(&str, &[u8])>, NotAggregated> {
    let parts = data.strip_prefix(&MAGIC).and_then(|data| data.split_last_chunk::<MD5_BYTES>());
    let (message, md5) = parts.ok_or(NotAggregated::Ordinary)?;
    if Md5::digest(message)[..] != md5[..] {
        return Err(NotAggregated::Ordinary);
    }
    let (mut partition_keys, mut records) = (Vec::new(), Vec::new());
    let mut fields = Fields(message);
    while !fields.0.is_empty() {
        match fields.read().ok_or(NotAggregated::Ordinary)? {
            (PARTITION_KEY, _, key) => partition_keys.push(key),
            (RECORD, _, record) if records.len() < MAX_USER_RECORDS => records.push(record),
            (RECORD, ..) => return Err(NotAggregated::TooMany),
            _ => {}
        }
    }
    let records: Option<Vec<_>> = records.into_iter().map(|record| user_record(record, &partition_keys)).collect();
    records.filter(|records| !records.is_empty()).ok_or(NotAggregated::Ordinary)
}

fn user_record<'a>(message: &'a [u8], partition_keys: &[&'a [u8]]) -> Option<(&'a str, &'a [u8])> {
    let (mut index, mut data) = (None, None);
    let mut fields = Fields(message);
    while !fields.0.is_empty() {
        match fields.read()? {
            (PARTITION_KEY_INDEX, number, _) => index = usize::try_from(number).ok(),
            (DATA, _, bytes) => data = Some(bytes),
            _ => {}
        }
    }
    let partition_key = str::from_utf8(partition_keys.get(index?)?).ok()?;
    // Many records may name a key that is there once: what they take in memory is bounded.
    let is_short = partition_key.chars().nth(MAX_PARTITION_KEY_CHARACTERS).is_none();
    is_short.then_some((partition_key, data?))
}

/// The rest of a protobuf message (Protocol Buffers documentation, "Encoding").
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field, with the value of a number or of bytes. `None` if it is invalid, or a group, which no current message has.
    fn read(&mut self) -> Option<(u64, u64, &'a [u8])> {
        let field = self.varint()?;
        let (number, length) = match field & 7 {
            0 => (self.varint()?, 0),
            1 => (0, 8),
            BYTES => (0, self.varint()?),
            5 => (0, 4),
            _ => return None,
        };
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        // There is no field 0.
        (field >> 3 > 0).then_some((field, number, bytes))
    }

    /// Bits over 64 are discarded, as by protobuf's own readers.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    /// `RecordAggregator` of aws_kinesis_agg 1.2.3 (PyPI), with the records of the first test.
    const OF_PYTHON: &str = "84mawgoBYQoBYgoCw6kSJzE3MDE0MTE4MzQ2MDQ2OTIzMTczMTY4NzMwMzcxNTg4NDEwNTcyOBoLCAAaB3sibiI6MX0aDQgBEAAaB3sibiI6Mn0aBAgAGg\
                             AaBggCGgL/AOWDBMHhRhb3oURAHms6mgs=";

    /// A field of bytes.
    fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
        let mut field = vec![(number << 3) | 2];
        let mut length = value.len();
        while length >= 0x80 {
            field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        field.push(u8::try_from(length).unwrap());
        [&field, value].concat()
    }

    /// A user record with a key of an index.
    fn record(index: u8, data: &[u8]) -> Vec<u8> {
        bytes(3, &[&[8, index][..], &bytes(3, data)].concat())
    }

    fn aggregated(message: &[Vec<u8>]) -> Vec<u8> {
        let message = message.concat();
        let digest: [u8; MD5_BYTES] = Md5::digest(&message).into();
        [&MAGIC[..], &message, &digest].concat()
    }

    #[test]
    fn an_aggregate_of_another_library_is_read() {
        assert!(has_magic(OF_PYTHON));
        let data = STANDARD.decode(OF_PYTHON).unwrap();
        // The second one has an explicit hash key.
        let expected: [(&str, &[u8]); 4] = [("a", br#"{"n":1}"#), ("b", br#"{"n":2}"#), ("a", b""), ("é", b"\xff\0")];
        assert_eq!(user_records(&data), Ok(expected.to_vec()));
        // One bit of any byte.
        for index in 0..data.len() {
            let mut damaged = data.clone();
            damaged[index] ^= 1;
            assert_eq!(user_records(&damaged), Err(NotAggregated::Ordinary), "{index}");
        }
    }

    #[test]
    fn messages_are_read_as_protobuf_defines_them() {
        let (key, longest) = (bytes(1, b"k"), "é".repeat(256));
        let one = vec![("k", &b"x"[..])];
        for (what, message, expected) in [
            ("a key after its record", vec![record(0, b"x"), key.clone()], Some(one.clone())),
            // A varint, 64 bits, bytes and 32 bits.
            (
                "unknown fields",
                vec![
                    key.clone(),
                    vec![0x20, 0x96, 1, 0x21, 1, 2, 3, 4, 5, 6, 7, 8],
                    bytes(5, b"y"),
                    vec![0x25, 1, 2, 3, 4],
                    record(0, b"x"),
                ],
                Some(one.clone()),
            ),
            (
                "tags",
                vec![key.clone(), bytes(3, &[&[8, 0][..], &bytes(3, b"x"), &bytes(4, b"t")].concat())],
                Some(one.clone()),
            ),
            (
                "the last value of a field",
                vec![key.clone(), bytes(3, &[&[8, 9, 8, 0][..], &bytes(3, b"x")].concat())],
                Some(one),
            ),
            ("a long key", vec![bytes(1, longest.as_bytes()), record(0, b"")], Some(vec![(&*longest, &b""[..])])),
            ("a longer key", vec![bytes(1, format!("{longest}k").as_bytes()), record(0, b"")], None),
            ("no records", vec![key.clone()], None),
            ("nothing", vec![], None),
            ("no such key", vec![key.clone(), record(1, b"x")], None),
            ("no key", vec![key.clone(), bytes(3, &bytes(3, b"x"))], None),
            ("no data", vec![key.clone(), bytes(3, &[8, 0])], None),
            ("a key that is no text", vec![bytes(1, b"\xff"), record(0, b"x")], None),
            ("one invalid record of two", vec![key.clone(), record(0, b"x"), record(7, b"y")], None),
            ("a truncated field", vec![key.clone(), record(0, b"x"), vec![0x1a, 5, 8]], None),
            ("a length over all", vec![key.clone(), [&[0x1a][..], &[0xff; 9], &[1]].concat()], None),
            ("a varint without an end", vec![key.clone(), vec![0xff; 11]], None),
            ("a group", vec![key.clone(), record(0, b"x"), vec![0x23, 0x24]], None),
            ("the field 0", vec![key, record(0, b"x"), vec![0, 0]], None),
        ] {
            assert_eq!(user_records(&aggregated(&message)), expected.ok_or(NotAggregated::Ordinary), "{what}");
        }
    }

    #[test]
    fn a_record_has_at_most_500_user_records() {
        for (count, expected) in [(1, Ok(1)), (500, Ok(500)), (501, Err(NotAggregated::TooMany))] {
            let mut message = vec![record(0, b"x"); count];
            message.push(bytes(1, b"k"));
            let data = aggregated(&message);
            assert_eq!(user_records(&data).map(|records| records.len()), expected);
        }
    }

    proptest! {
        #[test]
        fn no_data_causes_a_panic(data: Vec<u8>, message: Vec<u8>) {
            prop_assert_eq!(user_records(&data), Err(NotAggregated::Ordinary));
            let message = aggregated(&[message]);
            prop_assert!(!user_records(&message).is_ok_and(|records| records.is_empty()));
        }

        #[test]
        fn base64_of_the_magic_number_is_recognized(data: Vec<u8>) {
            prop_assert!(has_magic(&STANDARD.encode([&MAGIC[..], &data].concat())));
            let has_30_bits = data.starts_with(&MAGIC[..3]) && data.get(3).is_some_and(|byte| byte >> 2 == MAGIC[3] >> 2);
            prop_assert_eq!(has_magic(&STANDARD.encode(&data)), has_30_bits);
        }
    }
}
