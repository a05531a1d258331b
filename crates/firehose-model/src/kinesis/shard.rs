//! Shards, which are equal ranges of the hash keys, and the shard of a partition key.

use std::fmt::{self, Display, Formatter};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use md5::{Digest, Md5};
use serde::{Serialize, Serializer};

/// The initial shards of a stream on demand, for 4 MB a second (Kinesis developer guide, "Quotas and limits").
pub const ON_DEMAND: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// A shard, by its number. It is displayed as its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

impl ShardId {
    /// The shard of an id as Kinesis reads it: what is between the first two hyphens, or a text without them, is a number below 2^31
    /// (probed on Kinesis by the kinesalite project).
    #[must_use]
    pub fn of_id(text: &str) -> Option<Self> {
        let digits = text.split('-').nth(1).filter(|part| !part.is_empty()).unwrap_or(text);
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| is_number && *number < 1 << 31).map(Self)
    }

    /// A sequence number of Kinesis: 56 decimal digits that begin with 49 and increase within a shard. Clients must not rely on more.
    /// `number` increases with each record of the stream; 0 is the shard's start.
    #[must_use]
    pub fn sequence_number(self, number: u64) -> String {
        format!("49{number:020}{:010}{:024}", self.0, 0)
    }

    /// The shard and the number of a sequence number; `None` for a text of another form.
    #[must_use]
    pub fn of_sequence_number(text: &str) -> Option<(Self, u64)> {
        let number = text.get(2..22)?.parse().ok()?;
        let shard = Self(text.get(22..32)?.parse().ok()?);
        (shard.sequence_number(number) == text).then_some((shard, number))
    }
}

impl Display for ShardId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "shardId-{:012}", self.0)
    }
}

impl Serialize for ShardId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The shards of a stream. They are never split or merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards(pub NonZeroU32);

impl Shards {
    /// The number of shards.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0.get()
    }

    /// All shards, in order.
    pub fn iter(self) -> impl Iterator<Item = ShardId> {
        (0..self.count()).map(ShardId)
    }

    /// The shard that a hash key belongs to.
    #[must_use]
    pub fn of(self, hash_key: u128) -> ShardId {
        let part = hash_key.checked_div(self.width()).unwrap_or(0);
        // The remainder of the division belongs to the last shard.
        ShardId(u32::try_from(part).unwrap_or(u32::MAX).min(self.count() - 1))
    }

    /// The hash keys of a shard.
    #[must_use]
    pub fn range(self, ShardId(number): ShardId) -> RangeInclusive<u128> {
        let start = |number: u32| self.width() * u128::from(number);
        let end = if number + 1 == self.count() { u128::MAX } else { start(number + 1) - 1 };
        start(number)..=end
    }

    /// The hash keys of a shard: 2^128 divided by the number of shards, rounded down (probed on Kinesis by the kinesalite project).
    /// For one shard it is 2^128, which does not fit: 0.
    fn width(self) -> u128 {
        let count = u128::from(self.count());
        ((u128::MAX - (count - 1)) / count).wrapping_add(1)
    }
}

/// The hash key of a partition key: its MD5 as a number (Kinesis API reference, "PutRecord").
#[must_use]
pub fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shards(count: u32) -> Shards {
        Shards(NonZeroU32::new(count).unwrap())
    }

    #[test]
    fn a_hash_key_is_the_md5_of_a_partition_key() {
        for (partition_key, md5) in [
            // RFC 1321, "Test suite".
            ("", 0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e),
            ("a", 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661),
            ("abc", 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72),
            ("message digest", 0xf96b_697d_7cb7_938d_525a_2f31_aaf1_61d0),
            ("é", 0x66dd_cd97_cfde_abb2_f6fb_8a99_9b4b_c76f),
        ] {
            assert_eq!(hash_key(partition_key), md5, "{partition_key}");
        }
    }

    #[test]
    fn shards_are_equal_parts() {
        let third = 113_427_455_640_312_821_154_458_202_477_256_070_485;
        let quarter = 1 << 126;
        for (count, ranges) in [
            (1, &[(0, u128::MAX)][..]),
            (2, &[(0, (1 << 127) - 1), (1 << 127, u128::MAX)]),
            // As Kinesis was seen to list them.
            (3, &[(0, third - 1), (third, 2 * third - 1), (2 * third, u128::MAX)]),
            (
                4,
                &[
                    (0, quarter - 1),
                    (quarter, 2 * quarter - 1),
                    (2 * quarter, 3 * quarter - 1),
                    (3 * quarter, u128::MAX),
                ],
            ),
        ] {
            let shards = shards(count);
            let ranges_of: Vec<(u128, u128)> =
                shards.iter().map(|shard| shards.range(shard)).map(|range| (*range.start(), *range.end())).collect();
            assert_eq!(ranges_of, ranges, "{count}");
        }
    }

    #[test]
    fn an_id_has_twelve_digits() {
        assert_eq!(ShardId(0).to_string(), "shardId-000000000000");
        assert_eq!(serde_json::to_string(&ShardId(123)).unwrap(), r#""shardId-000000000123""#);
    }

    #[test]
    fn an_id_is_read_as_by_kinesis() {
        for (text, number) in [
            ("shardId-000000000007", Some(7)),
            ("shardId-7", Some(7)),
            ("7", Some(7)),
            ("-7", Some(7)),
            ("anything-007-8", Some(7)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", None),
            ("99999999999999999999", None),
            ("shardId", None),
            ("shardId-", None),
            ("+7", None),
            ("", None),
        ] {
            assert_eq!(ShardId::of_id(text), number.map(ShardId), "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_hash_key_is_in_the_range_of_its_shard(count in 1_u32..200, hash_key: u128) {
            let shards = shards(count);
            for hash_key in [hash_key, 0, u128::MAX] {
                prop_assert!(shards.range(shards.of(hash_key)).contains(&hash_key));
            }
            for shard in shards.iter() {
                let range = shards.range(shard);
                prop_assert_eq!((shards.of(*range.start()), shards.of(*range.end())), (shard, shard));
            }
        }
    }

    #[test]
    fn another_text_is_no_sequence_number() {
        let number = ShardId(7).sequence_number(5);
        for text in [
            "",
            "0",
            "49",
            &number[1..],
            &format!("{number}0"),
            &number.replace('7', "x"),
            &format!("{}1", &number[..55]),
        ] {
            assert_eq!(ShardId::of_sequence_number(text), None, "{text}");
        }
        // 20 digits of a number may be more than 64 bits, and 10 of a shard more than 32.
        for text in [format!("49{}", "9".repeat(54)), format!("49{:020}{}{:024}", 1, "9".repeat(10), 0)] {
            assert_eq!(ShardId::of_sequence_number(&text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_sequence_number_is_read_as_it_is_written(shard: u32, number: u64) {
            let shard = ShardId(shard);
            prop_assert_eq!(ShardId::of_sequence_number(&shard.sequence_number(number)), Some((shard, number)));
        }
    }

    proptest! {
        #[test]
        fn numbers_increase_in_a_shard(shard: u32, number in 1..u64::MAX, more in 1..u64::MAX) {
            let shard = ShardId(shard);
            let numbers = [0, number, number.saturating_add(more)].map(|number| shard.sequence_number(number));
            prop_assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
            for text in numbers {
                prop_assert!(text.len() == 56 && text.starts_with("49") && text.bytes().all(|byte| byte.is_ascii_digit()));
            }
        }

        #[test]
        fn shards_have_none_in_common(shards: [u32; 2], number: u64) {
            prop_assume!(shards[0] != shards[1]);
            let [one, other] = shards.map(|shard| ShardId(shard).sequence_number(number));
            prop_assert_ne!(one, other);
        }
    }
}
