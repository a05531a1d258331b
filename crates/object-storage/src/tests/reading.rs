//! The contents of objects, compressed or not.

use super::*;

/// Incompressible bytes.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[tokio::test]
async fn the_start_of_an_object_is_read_and_decompressed() {
    let (line, noisy) = (b"{\"mysfit\":1}\n".repeat(1000), noise(300_000));
    let gzip = |bytes: &[u8]| super::gzip(bytes).unwrap();
    let two_members = [gzip(b"one,"), gzip(b"two")].concat();
    let mut cut = gzip(&line).to_vec();
    cut.truncate(60);
    let mut broken = gzip(&noisy).to_vec();
    broken[200_000..].fill(0);
    let not_gzip = b"\x1f\x8bnot".to_vec();
    let (s3, _) = Place::s3().await;
    for place in [Place::folder(), s3] {
        for (case, stored, at_most, expected, truncated) in [
            ("plain", Bytes::from(line.clone()), 20_000, &line[..], false),
            ("plain to the byte", line.clone().into(), 13_000, &line[..], false),
            ("plain start", line.clone().into(), 5, b"{\"mys", true),
            ("plain start of much", noisy.clone().into(), 5, &noisy[..5], true),
            ("empty", Bytes::new(), 5, b"", false),
            ("gzip", gzip(&line), 20_000, &line[..], false),
            ("gzip to the byte", gzip(&line), 13_000, &line[..], false),
            ("gzip start", gzip(&line), 12_999, &line[..12_999], true),
            ("gzip start of much", gzip(&noisy), 200_000, &noisy[..200_000], true),
            ("gzip of nothing", gzip(b""), 5, b"", false),
            ("gzip members", two_members.clone().into(), 20, b"one,two", false),
            ("gzip magic alone", not_gzip.clone().into(), 20, &not_gzip[..], false),
        ] {
            place.bucket.put("x", stored, Compression::None).await.unwrap();
            let contents = place.bucket.get("x", at_most).await.unwrap().unwrap();
            assert_eq!((contents.bytes == expected, contents.truncated), (true, truncated), "{case}");
        }
        for (case, stored, whole) in [("cut", &cut, &line), ("broken", &broken, &noisy)] {
            place.bucket.put("x", stored.clone().into(), Compression::None).await.unwrap();
            let contents = place.bucket.get("x", 1_000_000).await.unwrap().unwrap();
            assert!(contents.truncated && !contents.bytes.is_empty(), "{case}");
            assert!(case == "broken" || whole.starts_with(&contents.bytes), "{case}");
        }
    }
}

#[tokio::test]
async fn a_gzip_bomb_is_read_up_to_the_limit() {
    let bomb = gzip(&vec![b'0'; 32 << 20]).unwrap();
    assert!(bomb.len() < 1 << 20);
    let contents = start(bomb.to_vec(), true, 1000);
    assert_eq!(contents, ObjectStart { bytes: vec![b'0'; 1000], truncated: true });
    assert_eq!(contents.bytes.capacity() >> 20, 0);
}

#[test]
fn compression_is_the_same_each_time() {
    let bytes = b"{\"mysfit\":1}\n".repeat(100);
    let first = gzip(&bytes).unwrap();
    assert!(first.len() < bytes.len() / 5);
    assert_eq!(first, gzip(&bytes).unwrap());
}
