//! Writes the fixtures into `corpus/TARGET/` for libFuzzer.

#![allow(clippy::unwrap_used, reason = "an example may panic")]

use std::fs;
use std::path::Path;

fn main() {
    for target in fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        fs::create_dir_all(&folder).unwrap();
        for (name, input) in fuzz::corpus::of(target.name) {
            fs::write(folder.join(name), input).unwrap();
        }
    }
}
