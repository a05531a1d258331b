use std::collections::BTreeMap;

use super::*;

/// Where redb says which of its two last commits counts (redb's design.md, "Database header").
const GOD_BYTE: usize = 9;

/// Its header ends there.
const HEADER_BYTES: usize = 320;

/// A file whose last commit cannot be read, so that redb goes on with the one before: a bit of its slot is another one.
pub(crate) fn without_the_last_commit(whole: &[u8]) -> Vec<u8> {
    // Where the two slots are, and in each the number of its transaction.
    let slots = [64, 192];
    let transaction = |slot: usize| u64::from_le_bytes(whole[slot + 104..slot + 112].try_into().unwrap());
    let newest = slots.into_iter().max_by_key(|slot| transaction(*slot)).unwrap();
    let mut bytes = whole.to_vec();
    bytes[newest + 104] ^= 1;
    bytes
}

/// What may happen to a file, each with a name: always the same ones.
pub(crate) fn damages(whole: &[u8]) -> BTreeMap<String, Vec<u8>> {
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
pub(crate) fn copies(path: &Path) -> Vec<PathBuf> {
    let name = format!("{}.damaged-", path.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&name)).collect()
}

/// A file, and the number of its last commit, as another process may have left them.
pub(crate) fn write(path: &Path, bytes: &[u8], count: Option<u64>) {
    fs::write(path, bytes).unwrap();
    let commits = path.with_file_name(format!("{}.commits", path.file_name().unwrap().to_str().unwrap()));
    match count {
        Some(count) => fs::write(commits, format!("{count:020} {count:020}\n")).unwrap(),
        None => drop(fs::remove_file(commits)),
    }
}

pub(crate) fn count_beside(path: &Path) -> Option<u64> {
    match count_of(path).unwrap() {
        Count::Known(count) => Some(count),
        Count::Absent | Count::Unreadable => None,
    }
}

#[test]
fn a_number_that_is_damaged_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d");
    assert_eq!(count_of(&path).unwrap(), Count::Absent);
    write(&path, b"", Some(7));
    let commits = folder.path().join("d.commits");
    let text = fs::read(&commits).unwrap();
    assert_eq!(count_of(&path).unwrap(), Count::Known(7));
    for byte in 0..text.len() {
        for bit in 0..8 {
            let mut damaged = text.clone();
            damaged[byte] ^= 1 << bit;
            fs::write(&commits, damaged).unwrap();
            assert_eq!(count_of(&path).unwrap(), Count::Unreadable, "{byte} {bit}");
        }
        fs::write(&commits, &text[..byte]).unwrap();
        assert_eq!(count_of(&path).unwrap(), Count::Unreadable, "{byte}");
    }
}

#[test]
fn what_is_not_there_or_empty_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d");
    for (count, missing, empty) in [
        (Count::Absent, Condition::New, Condition::Empty),
        // Killed between the two files.
        (Count::Known(0), Condition::New, Condition::New),
        (Count::Known(3), Condition::Missing(3), Condition::Empty),
        (Count::Unreadable, Condition::New, Condition::Empty),
    ] {
        assert_eq!(check(&path, count).unwrap(), missing, "{count:?}");
        fs::write(&path, "").unwrap();
        assert_eq!(check(&path, count).unwrap(), empty, "{count:?}");
        fs::remove_file(&path).unwrap();
    }
    assert!(matches!(check(folder.path(), Count::Absent), Err(OpenError::File(_))));
}

#[test]
fn files_and_folders_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let private = folder.path().join("a/b");
    make_folder(&private).unwrap();
    let path = private.join("d");
    drop(open_file(&path).unwrap());
    assert_eq!([mode(&private), mode(&path)], [0o700, 0o600]);
    assert!(!is_open_to_others(&private));
    // Nor are the copies of one that others could read.
    for keep in [keep_copy, rename_damaged] {
        let damaged = folder.path().join("damaged");
        fs::write(&damaged, "of a visitor").unwrap();
        fs::set_permissions(&damaged, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(mode(&keep(&damaged).unwrap()), 0o600);
    }
    for (path, mode) in [(&path, 0o664), (&private, 0o755)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    make_folder(&private).unwrap();
    drop(open_file(&path).unwrap());
    // The folder may be of more than this program.
    assert_eq!([mode(&private), mode(&path)], [0o755, 0o600]);
    assert!(is_open_to_others(&private) && !is_open_to_others(&folder.path().join("no/such")));
}
