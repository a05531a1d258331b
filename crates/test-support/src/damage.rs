//! Damage to redb files, as a disk or an operator does it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where redb says which of its two last commits counts (redb's design.md, "Database header").
const GOD_BYTE: usize = 9;

/// Its header ends there.
const HEADER_BYTES: usize = 320;

/// A file whose last commit cannot be read, so that redb goes on with the one before: a bit of its slot is another one.
#[must_use]
pub fn without_the_last_commit(whole: &[u8]) -> Vec<u8> {
    // Where the two slots are, and in each the number of its transaction.
    let slots = [64, 192];
    let transaction = |slot: usize| u64::from_le_bytes(whole[slot + 104..slot + 112].try_into().unwrap());
    let newest = slots.into_iter().max_by_key(|slot| transaction(*slot)).unwrap();
    let mut bytes = whole.to_vec();
    bytes[newest + 104] ^= 1;
    bytes
}

/// What may happen to a file, each with a name: always the same ones.
#[must_use]
pub fn damages(whole: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut damages = BTreeMap::new();
    let mut add = |name: String, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.to_vec();
        change(&mut bytes);
        assert!(damages.insert(name, bytes).is_none());
    };
    add("garbage".to_owned(), &|bytes| *bytes = b"{\"userId\":\"guest\"}\n".repeat(999));
    add("zeros".to_owned(), &|bytes| bytes.fill(0));
    for length in [1, 9, 64, 319, 320, 4096, 8192, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        add(format!("cut at {length}"), &|bytes| bytes.truncate(length));
    }
    for byte in (0..HEADER_BYTES).step_by(5) {
        add(format!("bit {} of byte {byte}", byte % 8), &|bytes| bytes[byte] ^= 1 << (byte % 8));
    }
    for bit in 0..8 {
        add(format!("bit {bit} of the god byte"), &|bytes| bytes[GOD_BYTE] ^= 1 << bit);
    }
    let used =
        (0..whole.len() / PAGE).filter(|page| whole[page * PAGE..(page + 1) * PAGE].iter().any(|byte| *byte != 0));
    for page in used {
        add(format!("page {page} of zeros"), &|bytes| bytes[page * PAGE..(page + 1) * PAGE].fill(0));
        for offset in [0, 2, 17, 1000] {
            add(format!("a bit in page {page} at {offset}"), &|bytes| bytes[page * PAGE + offset] ^= 0x10);
        }
    }
    damages
}

const PAGE: usize = 4096;

/// The copies that were kept of a damaged file.
#[must_use]
pub fn copies(path: &Path) -> Vec<PathBuf> {
    let name = format!("{}.damaged-", path.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&name)).collect()
}

/// A file, and the number of its last commit, as another process may have left them.
pub fn write(path: &Path, bytes: &[u8], count: Option<u64>) {
    fs::write(path, bytes).unwrap();
    let commits = path.with_file_name(format!("{}.commits", path.file_name().unwrap().to_str().unwrap()));
    match count {
        Some(count) => fs::write(commits, format!("{count:020} {count:020}\n")).unwrap(),
        None => drop(fs::remove_file(commits)),
    }
}

/// The number of the last commit in the file beside it, where it can be read.
#[must_use]
pub fn count_beside(path: &Path) -> Option<u64> {
    let commits = path.with_file_name(format!("{}.commits", path.file_name().unwrap().to_str().unwrap()));
    let text = fs::read_to_string(commits).ok()?;
    let (first, second) = text.trim().split_once(' ')?;
    first.parse().ok().filter(|_| first == second)
}
