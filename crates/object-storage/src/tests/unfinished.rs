//! What a killed process leaves in a folder.

use std::time::{Duration, SystemTime};

use super::*;

#[test]
fn unfinished_files_of_a_killed_process_are_removed() {
    let place = Place::folder();
    // Another process may be writing it.
    let fresh = format!("{NAME}#2");
    let kept = [
        fresh.clone(),
        format!("{NAME}.gz"),
        NAME.to_owned(),
        "a#1".to_owned(),
        format!("{}#1", "a".repeat(60)),
        format!("{NAME}#"),
        format!("{NAME}#x"),
    ];
    let removed =
        [format!("{NAME}#1"), format!("{NAME}.gz#12"), format!("{NAME}.json.v2#1"), format!("a.b-{NAME}.x#1")];
    let folder = place.objects.join("firehose/2026");
    fs::create_dir_all(&folder).unwrap();
    for name in kept.iter().chain(&removed) {
        let file = fs::File::create(folder.join(name)).unwrap();
        let age = Duration::from_mins(if *name == fresh { 59 } else { 61 });
        file.set_modified(SystemTime::now() - age).unwrap();
    }
    Bucket::open(&Destination::Folder(place.objects.clone()), false).unwrap();
    let mut expected: Vec<String> = kept.iter().map(|name| format!("firehose/2026/{name}")).collect();
    expected.sort();
    assert_eq!(place.names(), expected);
}
