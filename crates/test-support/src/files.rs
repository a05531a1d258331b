//! A folder that `clicks` writes objects to.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// The content of a folder's objects, decompressed and joined in the order of their names.
#[must_use]
pub fn objects(folder: &Path) -> String {
    let mut joined = String::new();
    for path in files(folder) {
        let file = File::open(&path).unwrap();
        let read = match path.extension() {
            Some(extension) if extension == "gz" => MultiGzDecoder::new(file).read_to_string(&mut joined),
            _ => { &file }.read_to_string(&mut joined),
        };
        read.unwrap();
    }
    joined
}

/// The files below a folder, sorted, without those of interrupted uploads. Empty where the folder does not exist.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    add_files(folder, &mut found);
    found.sort();
    found
}

fn add_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            add_files(&path, found);
        } else if !path.to_string_lossy().contains('#') {
            found.push(path);
        }
    }
}
