//! Error objects in S3.

use std::fs;
use std::process::Command;

use serde_json::json;
use test_support::exit::Exit;
use test_support::s3::{Gate, S3};
use test_support::until;

use crate::firehose::Firehose;
use crate::run::{NAME, Numbers, Redrive, all, each, gzip, numbered};

fn write(s3: &S3, name: &str, content: impl AsRef<[u8]>) {
    let path = s3.bucket().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Redrives from the bucket, with the default credentials.
fn command(redrive: &Redrive, s3: &S3, firehose: &Firehose, arguments: &[&str]) -> Command {
    let mut command =
        redrive.bare_command(&["s3://clicks/errors/", "--stream", "clicks", "--json", "--journal", "journal"]);
    command.args(["--endpoint", &firehose.url(), "--s3-endpoint", &s3.endpoint, "--rate", "100000"]).args(arguments);
    command
}

#[test]
fn objects_are_read_and_moved_in_a_bucket() {
    let (s3, redrive, firehose) = (S3::start(Gate::Open), Redrive::of(&[]), Firehose::start());
    write(&s3, "errors/2026/a", all(numbered(0, 600)));
    write(&s3, &format!("errors/2026/{NAME}.gz"), gzip(all(numbered(600, 700))));
    write(&s3, "errors/z", all(["bad"]) + "corrupt\n");
    write(&s3, "errors-of-others/x", all(["x"]));
    write(&s3, "firehose/x", "{}\n");
    let run = |arguments: &[&str], code, records| {
        let exit = Exit::from(command(&redrive, &s3, &firehose, arguments).output().unwrap());
        exit.comes_to(code, &records);
        exit
    };
    run(&["--dry-run"], 0, json!({ "found": 702, "selected": 701, "corrupt": 1 }));
    let archive = ["--archive", "redriven"];
    let exit = run(&archive, 1, json!({ "found": 702, "selected": 701, "put": 701, "corrupt": 1 }));
    exit.reports(&["s3://clicks/errors/z, line 2, byte 191: not a JSON object"]);
    exit.objects(&json!({ "found": 3, "done": 3, "archived": 3 }));
    assert_eq!(s3.objects("errors").0, 0);
    assert_eq!(s3.objects("redriven").1.len(), 702);
    assert!(s3.bucket().join(format!("redriven/2026/{NAME}.gz")).exists());
    // It is copied back.
    write(&s3, &format!("errors/{NAME}"), all(numbered(600, 700)));
    run(&archive, 0, json!({ "found": 100, "put_before": 100 }));
    let nothing = "no object in s3://clicks/errors: a prefix consists of whole parts between slashes";
    run(&archive, 0, json!({})).reports(&[nothing]);
    assert_eq!(firehose.counts(), each(numbered(0, 700).into_iter().chain(["bad".to_owned()]), 1));
}

#[test]
fn an_unreadable_object_does_not_delay_the_others() {
    let (s3, redrive, firehose) = (S3::start_for_readers(Gate::Refuses, "/bad"), Redrive::of(&[]), Firehose::start());
    for name in ["a", "bad", "c"] {
        write(&s3, &format!("errors/{name}"), all([name]));
    }
    let run = |code, records| {
        let exit = Exit::from(command(&redrive, &s3, &firehose, &["--archive", "errors/done"]).output().unwrap());
        exit.comes_to(code, &records);
        exit
    };
    let exit = run(1, json!({ "found": 2, "selected": 2, "put": 2 }));
    exit.objects(&json!({ "found": 3, "done": 2, "archived": 2, "unreadable": 1 }));
    exit.reports(&[
        "s3://clicks/errors/bad: could not read it to its end: 503 Service Unavailable: SlowDown: Please reduce \
                   your request rate.",
    ]);
    s3.gate.send_replace(Gate::Open);
    run(0, json!({ "found": 1, "selected": 1, "put": 1 })).objects(&json!({ "found": 1, "done": 1, "archived": 1 }));
    assert_eq!(firehose.texts(), ["a", "c", "bad"]);
    assert_eq!((s3.objects("errors/done").0, s3.objects("errors").0), (3, 3));
}

#[test]
fn an_interrupt_does_not_wait_for_an_object() {
    let (s3, redrive, firehose) = (S3::start_for_readers(Gate::Hangs, "/held"), Redrive::of(&[]), Firehose::start());
    write(&s3, "errors/a", all(["a"]));
    write(&s3, "errors/held", all(["held"]));
    let child = command(&redrive, &s3, &firehose, &[]).spawn().unwrap();
    until(|| s3.met(Gate::Hangs) == 1);
    let exit = Exit::after("-TERM", child);
    exit.comes_to(130, &json!({ "found": 1, "selected": 1, "left": 1 }));
    s3.gate.send_replace(Gate::Open);
    let exit = Exit::from(command(&redrive, &s3, &firehose, &[]).output().unwrap());
    exit.comes_to(0, &json!({ "found": 2, "selected": 2, "put": 2 }));
}

#[test]
fn a_bucket_that_can_not_be_listed_is_an_error() {
    let (s3, redrive, firehose) = (S3::start(Gate::Refuses), Redrive::of(&[]), Firehose::start());
    Exit::from(command(&redrive, &s3, &firehose, &[]).output().unwrap())
        .refuses(1, "error: could not list s3://clicks/errors: 503");
    s3.gate.send_replace(Gate::Open);
    let exit = Exit::from(command(&redrive, &s3, &firehose, &["--archive", "errors"]).output().unwrap());
    exit.refuses(
        2,
        "error: invalid --archive: errors: the source itself or its parent folder; accepted is another prefix\n",
    );
    // AWS has no default credentials.
    let arguments = ["s3://clicks/errors", "--stream", "clicks", "--journal", "journal", "--endpoint", &firehose.url()];
    Exit::from(redrive.bare_command(&arguments).output().unwrap()).refuses(2, "s3://clicks needs credentials");
}
