//! The limits of one call of Kinesis.

use crate::record::Record;

/// The most records of a call ("PutRecords", Amazon Kinesis Data Streams API Reference).
const MAX_RECORDS: usize = 500;
/// The most bytes of a call with partition keys. Kinesis accepts 10 MiB since it supports large records. 5 MiB is the original limit, which
/// emulators have, and a smaller call loses less.
const MAX_BYTES: usize = 5 << 20;

/// Splits the records with the indices `left` into as few calls as possible, in order.
pub(super) fn calls<'l>(records: &[Record], left: &'l [usize]) -> Vec<&'l [usize]> {
    let mut calls = Vec::new();
    let mut rest = left;
    while !rest.is_empty() {
        let (call, after) = rest.split_at(fitting(records, rest));
        calls.push(call);
        rest = after;
    }
    calls
}

/// How many of the first records fit into one call: at least one, of any size.
fn fitting(records: &[Record], indices: &[usize]) -> usize {
    let mut bytes = 0;
    let fits = indices.iter().take(MAX_RECORDS).take_while(|index| {
        bytes += records[**index].size();
        bytes <= MAX_BYTES
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(sizes: &[usize]) -> Vec<Record> {
        sizes.iter().map(|size| Record { data: vec![b'x'; size - 1], partition_key: "k".to_owned() }).collect()
    }

    #[test]
    fn calls_keep_the_limits_and_the_order() {
        const MIB: usize = 1 << 20;
        for (sizes, lengths) in [
            (vec![], vec![]),
            (vec![9], vec![1]),
            (vec![9; 500], vec![500]),
            (vec![9; 1_001], vec![500, 500, 1]),
            (vec![MIB; 5], vec![5]),
            (vec![MIB; 11], vec![5, 5, 1]),
            (vec![MIB, MIB, MIB, MIB, MIB - 1, 1, 1], vec![6, 1]),
            (vec![6 * MIB, 9], vec![1, 1]),
        ] {
            let left: Vec<usize> = (0..sizes.len()).collect();
            let records = records(&sizes);
            let calls = calls(&records, &left);
            assert_eq!(calls.iter().map(|call| call.len()).collect::<Vec<_>>(), lengths, "{} records", sizes.len());
            assert_eq!(calls.concat(), left);
        }
    }

    #[test]
    fn only_remaining_records_count() {
        let records = records(&[1 << 20; 8]);
        assert_eq!(calls(&records, &[1, 3, 4, 5, 6, 7]), [&[1, 3, 4, 5, 6][..], &[7][..]]);
    }
}
