use std::collections::HashSet;

use fuzz::TARGETS;

use crate::case::check;

#[test]
fn every_property_holds_for_the_corpus() {
    for target in TARGETS {
        for (name, input) in fuzz::corpus::of(target.name) {
            check(target, &input, &name);
        }
    }
}

#[test]
fn every_property_holds_for_tiny_inputs() {
    for target in TARGETS {
        check(target, b"", "empty");
        for byte in 0..=u8::MAX {
            check(target, &[byte], &format!("byte-{byte}"));
        }
    }
}

#[test]
fn every_find_belongs_to_a_target() {
    let Ok(folders) = std::fs::read_dir(fuzz::corpus::fixtures().join("finds")) else { return };
    let names: HashSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    for folder in folders {
        let folder = folder.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(folder.as_str()), "{folder} is not a target");
    }
}
