//! Sequence numbers of Kinesis' form: 56 digits that begin with 49, each greater than those before it in its shard.
//!
//! Real ones were taken apart by the kinesalite project. In hexadecimal digits:
//!
//! ```text
//! 2 | 9: the shard's creation, in seconds | 1: the shard's last digit | 16: a number that goes up | 2: zeros
//!   | 9: the record's arrival, in seconds | 8: the shard | 2
//! ```
//!
//! The creation counts before the number, so it is the same one for all streams here: a stream that is started again goes on.

use super::shard::Shard;

/// In seconds since 1970: the day of Kinesis' API version, which is before any clock here.
const CREATION: u128 = 1_385_942_400;

/// The sequence number of a shard's record, which has a number of its own.
#[must_use]
pub fn sequence_number(shard: Shard, number: u64, arrival_ms: i64) -> String {
    let seconds = u128::try_from(arrival_ms / 1000).unwrap_or_default();
    numbered(shard, number, seconds)
}

/// The sequence number that a shard begins with.
#[must_use]
pub fn first(shard: Shard) -> String {
    numbered(shard, 0, CREATION)
}

fn numbered(Shard(shard): Shard, number: u64, seconds: u128) -> String {
    let shard = u128::from(shard);
    // 108 and 80 of the 188 bits.
    let high = 2 << 104 | CREATION << 68 | (shard & 0xf) << 64 | u128::from(number);
    let low = (seconds & 0xf_ffff_ffff) << 36 | shard << 4 | 2;
    decimal(high.to_be_bytes()[2..].iter().chain(&low.to_be_bytes()[6..]))
}

/// A number, byte by byte, in decimal.
fn decimal<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    /// Eighteen digits at once, and room for them and a byte.
    const BASE: u128 = 1_000_000_000_000_000_000;
    // The lowest first.
    let mut digits = [0_u128; 4];
    for byte in bytes {
        let mut carry = u128::from(*byte);
        for eighteen in &mut digits {
            let sum = (*eighteen << 8) + carry;
            (*eighteen, carry) = (sum % BASE, sum / BASE);
        }
    }
    let [lowest, low, high, highest] = digits;
    format!("{highest}{high:018}{low:018}{lowest:018}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_of_kinesis_form() {
        for (bytes, digits) in [
            (&[0x12, 0x34][..], "4660"),
            (&[0xff; 23], "24519928653854221733733552434404946937899825954937634815"),
            (&[0x20; 23], "3077010654601314099919504619219444321618801688462762016"),
        ] {
            assert_eq!(decimal(bytes.iter()).trim_start_matches('0'), digits);
        }
        // 2 0529bcd80 1 00060a24181e4000 00 06553f100 00000001 2
        assert_eq!(
            sequence_number(Shard(1), 1_700_000_000_000_000, 1_700_000_000_000),
            "49534378080886586400803937685917316703421268516245864466"
        );
        assert_eq!(first(Shard(0)), "49534378080864283600431513717906183963067546217775890434");
    }

    proptest! {
        #[test]
        fn numbers_go_up_in_a_shard(shard in 0..1000_u32, numbers: [u32; 2], arrivals in prop::array::uniform2(0..4_000_000_000_000_i64)) {
            let shard = Shard(shard);
            let [number, later] = numbers.map(u64::from);
            let of = |number: u64, arrival| sequence_number(shard, number + 1_700_000_000_000_000, arrival);
            let (one, other) = (of(number, arrivals[0]), of(number + later + 1, arrivals[1]));
            prop_assert!(first(shard) < one && one < other, "{} {}", one, other);
            for text in [first(shard), one, other] {
                prop_assert!(text.len() == 56 && text.starts_with("49") && text.bytes().all(|byte| byte.is_ascii_digit()));
            }
        }

        #[test]
        fn shards_have_none_in_common(shards: [u32; 2], number: u64) {
            prop_assume!(shards[0] != shards[1]);
            let [one, other] = shards.map(|shard| sequence_number(Shard(shard), number, 0));
            prop_assert_ne!(one, other);
        }
    }
}
