//! The files of a folder, each once. Symbolic links are followed, but not in a cycle.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use object_store::path::Path as StorePath;

use super::Found;
use super::names::unfinished;

/// The files of a folder; `found` has the others.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) files: Vec<PathBuf>,
    pub(super) found: Found,
    seen: HashSet<(u64, u64)>,
    links: VecDeque<PathBuf>,
}

/// Without hidden files. Links come last, so that a file is found at its own place. Errors below the folder are in the result.
pub(super) fn find(root: &Path) -> io::Result<Walk> {
    let mut walk = Walk::default();
    // A link to a parent folder would lead back to the folder.
    for folder in fs::canonicalize(root)?.ancestors().skip(1) {
        walk.seen.insert(identity(&fs::metadata(folder)?));
    }
    walk.folder(root)?;
    Ok(walk.finish())
}

impl Walk {
    fn finish(mut self) -> Self {
        while let Some(link) = self.links.pop_front() {
            self.link(link);
        }
        self
    }

    fn folder_below(&mut self, folder: PathBuf) {
        if let Err(error) = self.folder(&folder) {
            self.failed(folder, &error);
        }
    }

    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        if !self.seen.insert(identity(&fs::metadata(folder)?)) {
            self.skip(folder.to_owned(), "a folder that is already read");
            return Ok(());
        }
        // Entries keep their folder open, so none is left when the folders below are read.
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
        }
        paths.sort();
        for path in paths {
            if let Err(error) = self.entry(&path) {
                self.failed(path, &error);
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path) -> io::Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        let (path, kind) = (path.to_owned(), metadata.file_type());
        if kind.is_symlink() {
            self.links.push_back(path);
        } else if kind.is_dir() {
            self.folder_below(path);
        } else if kind.is_file() {
            self.seen.insert(identity(&metadata));
            self.files.push(path);
        } else {
            self.skip(path, "neither a file nor a folder");
        }
        Ok(())
    }

    fn link(&mut self, link: PathBuf) {
        match fs::metadata(&link) {
            Ok(target) if target.is_dir() && !self.seen.contains(&identity(&target)) => self.folder_below(link),
            Ok(target) if target.is_file() && self.seen.insert(identity(&target)) => self.files.push(link),
            Ok(target) if target.is_dir() || target.is_file() => {
                self.skip(link, "a link to a parent folder, or to a file or folder that is already read");
            }
            Ok(_) => self.skip(link, "a link to neither a file nor a folder"),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.failed(link, &error),
            Err(_) => self.skip(link, "a dangling link"),
        }
    }

    fn failed(&mut self, path: PathBuf, error: &io::Error) {
        if error.kind() == io::ErrorKind::NotFound {
            self.skip(path, "removed during the search");
        } else {
            self.found.unreadable.push((path, error.to_string()));
        }
    }

    fn skip(&mut self, path: PathBuf, why: &'static str) {
        self.found.skipped.push((path, why));
    }
}

/// The files that are objects, by their names.
pub(super) fn names(root: &Path, files: Vec<PathBuf>, skipped: &mut Vec<(PathBuf, &'static str)>) -> Vec<String> {
    let mut names = Vec::new();
    for file in files {
        match file.strip_prefix(root).ok().and_then(Path::to_str) {
            Some(name) if unfinished(name).is_some() => {
                skipped.push((file, "an unfinished object (`#` and a number at the end of its name)"));
            }
            Some(name) if StorePath::parse(name).is_ok() => names.push(name.to_owned()),
            _ => skipped.push((file, "its name is not UTF-8, or not that of an object")),
        }
    }
    names
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::symlink;

    use rustix::fs::{Mode, OFlags, mkdirat, openat};

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
        // Two links that lead to each other.
        symlink("../errors", outside.path().join("other/back")).unwrap();
        let Walk { files, found, .. } = find(&root).unwrap();
        let names = |paths: &mut dyn Iterator<Item = &PathBuf>| {
            let mut names: Vec<String> =
                paths.map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()).collect();
            names.sort();
            names
        };
        let files = names(&mut files.iter());
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

    #[test]
    fn an_error_below_the_root_does_not_stop_the_search() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["a", "z"] {
            fs::write(root.join(name), "x").unwrap();
        }
        // A path of more than 4,096 bytes (PATH_MAX) can't be read by any user.
        let (name, mut path) = ("d".repeat(255), root.join("deep"));
        fs::create_dir(&path).unwrap();
        let mut deep = File::open(&path).unwrap();
        while path.as_os_str().len() <= 4_096 {
            mkdirat(&deep, &*name, Mode::RWXU).unwrap();
            deep = openat(&deep, &*name, OFlags::DIRECTORY, Mode::empty()).unwrap().into();
            path.push(&name);
        }
        let mut walk = Walk::default();
        walk.folder(root).unwrap();
        walk.folder_below(root.join("removed"));
        let Walk { files, found, .. } = walk.finish();
        assert_eq!(files, [root.join("a"), root.join("z")]);
        assert_eq!(found.skipped, [(root.join("removed"), "removed during the search")]);
        let [(unreadable, why)] = &found.unreadable[..] else { panic!("{found:?}") };
        assert!(path.starts_with(unreadable) && why.starts_with("File name too long"), "{found:?}");
        assert_eq!(find(&root.join("removed")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn each_file_has_a_name_or_a_reason() {
        let files =
            ["a/x", "a/x#1", "x#y#12", "x#", "x#y", "a#1/x", "a\nb"].map(|name| Path::new("/errors").join(name));
        let mut unusable = Vec::new();
        let names = names(Path::new("/errors"), files.to_vec(), &mut unusable);
        assert_eq!(names, ["a/x", "x#", "x#y", "a#1/x"]);
        let skipped: Vec<_> =
            unusable.iter().map(|(path, why)| (path.to_str().unwrap(), why.split(' ').next_back())).collect();
        let unfinished = Some("name)");
        assert_eq!(
            skipped,
            [("/errors/a/x#1", unfinished), ("/errors/x#y#12", unfinished), ("/errors/a\nb", Some("object"))]
        );
    }
}
