use test_support::damage::write;

use super::commits::count_of;
use super::*;

#[test]
fn a_damaged_number_is_detected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d");
    assert_eq!(count_of(&path).unwrap(), None);
    write(&path, b"", Some(7));
    let commits = folder.path().join("d.commits");
    let text = fs::read(&commits).unwrap();
    assert_eq!(count_of(&path).unwrap(), Some(7));
    for byte in 0..text.len() {
        for bit in 0..8 {
            let mut damaged = text.clone();
            damaged[byte] ^= 1 << bit;
            fs::write(&commits, damaged).unwrap();
            assert_eq!(count_of(&path).unwrap(), None, "{byte} {bit}");
        }
        fs::write(&commits, &text[..byte]).unwrap();
        assert_eq!(count_of(&path).unwrap(), None, "{byte}");
    }
}

#[test]
fn missing_and_empty_files_have_different_conditions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d");
    for (count, missing, empty) in [
        (None, Condition::New, Condition::Empty),
        // Killed between the two files.
        (Some(0), Condition::New, Condition::New),
        (Some(3), Condition::Missing(3), Condition::Empty),
        (None, Condition::New, Condition::Empty),
    ] {
        assert_eq!(check(&path, count).unwrap(), missing, "{count:?}");
        fs::write(&path, "").unwrap();
        assert_eq!(check(&path, count).unwrap(), empty, "{count:?}");
        fs::remove_file(&path).unwrap();
    }
    assert!(matches!(check(folder.path(), None), Err(OpenError::File(_))));
}

#[test]
fn files_and_folders_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let private = folder.path().join("a/b");
    make_folder(&private).unwrap();
    let path = private.join("d");
    drop(open_file(&path).unwrap());
    assert_eq!([mode(&private), mode(&path)], [0o700, 0o600]);
    assert!(!is_open_to_others(&private));
    // So are copies of a file that others could read.
    for how in [How::Repair, How::New] {
        let damaged = folder.path().join("damaged");
        fs::write(&damaged, "of a user").unwrap();
        fs::set_permissions(&damaged, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(mode(&keep_damaged(&damaged, how).unwrap()), 0o600);
    }
    for (path, mode) in [(&path, 0o664), (&private, 0o755)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    make_folder(&private).unwrap();
    drop(open_file(&path).unwrap());
    // Other programs may use the folder.
    assert_eq!([mode(&private), mode(&path)], [0o755, 0o600]);
    assert!(is_open_to_others(&private) && !is_open_to_others(&folder.path().join("no/such")));
}
