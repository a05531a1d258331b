//! Checks one input, and keeps it if it violates a property.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fuzz::Target;

/// The folder that cargo-fuzz uses, too.
const FINDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/artifacts");

/// The most bytes of an input that a message shows.
const SHOWN: usize = 400;

pub(crate) fn target(name: &str) -> Target {
    fuzz::TARGETS.into_iter().find(|target| target.name == name).unwrap()
}

/// Checks an input. `name` identifies its origin, so that it can be reproduced.
pub(crate) fn check(target: Target, input: &[u8], name: &str) {
    if !breaks(target, input) {
        return;
    }
    let small = smaller(target, input);
    let folder = Path::new(FINDS).join(target.name);
    let path = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(&path, &small).unwrap();
    panic!(
        "{name} violates a property of {target}, see above; its minimised form is {path}, for fixtures/finds/{target}/:\n{shown}",
        target = target.name,
        path = path.display(),
        shown = small[..small.len().min(SHOWN)].escape_ascii(),
    );
}

fn breaks(target: Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.check)(input))).is_err()
}

/// Minimises an input that violates a property: removes parts while it still does.
fn smaller(target: Target, input: &[u8]) -> Vec<u8> {
    let mut input = input.to_vec();
    let mut piece = input.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < input.len() {
            let after = input.len().min(at + piece);
            let without = [&input[..at], &input[after..]].concat();
            if breaks(target, &without) {
                input = without;
            } else {
                at = after;
            }
        }
        piece /= 2;
    }
    input
}
