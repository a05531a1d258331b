//! Fills `corpus/TARGET/` with the fixtures, for libFuzzer to begin with.

#![allow(clippy::unwrap_used, reason = "what can't go on ends")]

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
