//! Sequence numbers in the form of Kinesis: 56 decimal digits that begin with 49 and increase within a shard. Clients must not
//! rely on more.

use super::shard::ShardId;

/// The sequence number of a shard's record. `number` increases with each record of the stream.
#[must_use]
pub fn sequence_number(ShardId(shard): ShardId, number: u64) -> String {
    format!("49{number:020}{shard:010}{:024}", 0)
}

/// The starting sequence number of a shard.
#[must_use]
pub fn first(shard: ShardId) -> String {
    sequence_number(shard, 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_increase_in_a_shard(shard: u32, number in 1..u64::MAX, more in 1..u64::MAX) {
            let shard = ShardId(shard);
            let numbers = [first(shard), sequence_number(shard, number), sequence_number(shard, number.saturating_add(more))];
            prop_assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
            for text in numbers {
                prop_assert!(text.len() == 56 && text.starts_with("49") && text.bytes().all(|byte| byte.is_ascii_digit()));
            }
        }

        #[test]
        fn shards_have_none_in_common(shards: [u32; 2], number: u64) {
            prop_assume!(shards[0] != shards[1]);
            let [one, other] = shards.map(|shard| sequence_number(ShardId(shard), number));
            prop_assert_ne!(one, other);
        }
    }
}
