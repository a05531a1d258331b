//! The files of a folder, each once: symbolic links are followed, but neither in a circle nor to what is found anyway.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is below a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Paths of files.
    pub(super) files: Vec<PathBuf>,
    /// What is left out, and why.
    pub(super) skipped: Vec<(PathBuf, &'static str)>,
}

/// Looks for files below a folder, without hidden ones. What is no link comes first, so that an object is found at its own place.
pub(super) fn find(root: &Path) -> io::Result<Found> {
    let (mut found, mut seen) = (Found::default(), HashSet::new());
    // A link to what the folder is in would lead back to it.
    for folder in fs::canonicalize(root)?.ancestors().skip(1) {
        seen.insert(identity(&fs::metadata(folder)?));
    }
    let (mut folders, mut links) = (VecDeque::from([root.to_owned()]), VecDeque::new());
    loop {
        if let Some(folder) = folders.pop_front() {
            if !seen.insert(identity(&fs::metadata(&folder)?)) {
                found.skipped.push((folder, "it is a folder that is read already"));
                continue;
            }
            let mut entries = fs::read_dir(&folder)?.collect::<io::Result<Vec<_>>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                if entry.file_name().as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let (path, kind) = (entry.path(), entry.file_type()?);
                if kind.is_symlink() {
                    links.push_back(path);
                } else if kind.is_dir() {
                    folders.push_back(path);
                } else if kind.is_file() {
                    seen.insert(identity(&entry.metadata()?));
                    found.files.push(path);
                } else {
                    found.skipped.push((path, "it is neither a file nor a folder"));
                }
            }
            continue;
        }
        let Some(link) = links.pop_front() else { return Ok(found) };
        match fs::metadata(&link) {
            Ok(target) if target.is_dir() && !seen.contains(&identity(&target)) => folders.push_back(link),
            Ok(target) if target.is_file() && seen.insert(identity(&target)) => found.files.push(link),
            Ok(target) if target.is_dir() || target.is_file() => {
                found.skipped.push((link, "it is a link to what is read already, or to what it is in"));
            }
            Ok(_) => found.skipped.push((link, "it is a link to what is neither a file nor a folder")),
            Err(_) => found.skipped.push((link, "it is a link that leads nowhere")),
        }
    }
}

/// What is the same by whatever path it is reached.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_file_is_found_once_whatever_links_there_are() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("errors");
        fs::create_dir_all(root.join("z/below")).unwrap();
        fs::create_dir(outside.path().join("other")).unwrap();
        for file in ["errors/z/real", "errors/z/below/real", "errors/.hidden", "other/far", "other/near", "sibling"] {
            fs::write(outside.path().join(file), "x").unwrap();
        }
        fs::hard_link(root.join("z/real"), root.join("z/same")).unwrap();
        for (link, target) in [
            ("a-folder", "z"),
            ("b-root", "."),
            ("c-above", "../.."),
            ("d-file", "z/real"),
            ("e-itself", "e-itself"),
            ("f-nowhere", "no/such"),
            ("g-outside", "../other"),
            ("h-outside", "../other"),
            ("i-far", "../other/far"),
            ("j-device", "/dev/null"),
            ("k-sibling", "../sibling"),
            ("z/l-up", ".."),
            ("z/m-down", "below"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        // Of two that lead to each other.
        symlink("../errors", outside.path().join("other/back")).unwrap();
        let found = find(&root).unwrap();
        let names = |paths: &mut dyn Iterator<Item = &PathBuf>| {
            let mut names: Vec<String> =
                paths.map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()).collect();
            names.sort();
            names
        };
        let files = names(&mut found.files.iter());
        assert_eq!(files, ["g-outside/far", "g-outside/near", "k-sibling", "z/below/real", "z/real", "z/same"]);
        let skipped = names(&mut found.skipped.iter().map(|(path, _)| path));
        let expected = [
            "a-folder",
            "b-root",
            "c-above",
            "d-file",
            "e-itself",
            "f-nowhere",
            "g-outside/back",
            "h-outside",
            "i-far",
            "j-device",
            "z/l-up",
            "z/m-down",
        ];
        assert_eq!(skipped, expected);
    }
}
