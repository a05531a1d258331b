//! Forms of error objects, and other objects.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::firehose::Firehose;
use crate::run::{NAME, Numbers, Redrive, all, gzip, old};

#[test]
fn the_fixtures_are_put_as_they_came() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/error-objects");
    let names = ["processing-failed-older.jsonl", "processing-failed.jsonl"];
    let texts = names.map(|name| fs::read_to_string(folder.join(name)).unwrap());
    let data = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        STANDARD.decode(line["rawData"].as_str().unwrap()).unwrap()
    };
    let expected: Vec<Vec<u8>> = texts.iter().flat_map(|text| text.lines()).map(data).collect();
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    let exit = redrive.run(
        &firehose,
        &[folder.to_str().unwrap()],
        0,
        &json!({ "found": expected.len(), "selected": expected.len(), "put": expected.len() }),
    );
    exit.reports(&[]);
    assert_eq!(firehose.stored(), expected);
    assert_eq!(
        exit.report()["selected_by_function"],
        json!({ "arn:aws:lambda:us-east-1:123456789012:function:click-processor:$LATEST": expected.len() })
    );
}

#[test]
fn the_bytes_are_the_same_however_the_object_is_written() {
    let records: [&[u8]; 6] = [b"{}\n", b"", b"\x00\xff\n\"", b" a ", b"{}\n", &vec![7; 100_000]];
    let text = all(records);
    let (one, two) = text.split_at(text.len() / 3);
    let older = |text: &str| {
        let lines = text.lines().map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            for name in ["attemptsMade", "arrivalTimestamp", "attemptEndingTimestamp"] {
                line[name] = json!(line[name].to_string());
            }
            line["lambdaArn"] = line["lambdaARN"].take();
            format!("{line}\n")
        });
        lines.collect::<String>()
    };
    let pretty = |text: &str| {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| serde_json::to_string_pretty(&line).unwrap()).collect::<String>()
    };
    let ending = format!("errors/{NAME}.gz");
    for (source, name, content) in [
        ("errors", "a.jsonl", text.clone().into_bytes()),
        ("errors", "a.jsonl", text.trim_end().as_bytes().to_vec()),
        ("errors", "a.jsonl", text.replace('\n', "\r\n\n").into_bytes()),
        ("errors", "a.jsonl", older(&text).into_bytes()),
        ("errors", "a.jsonl", text.replace('\n', "").into_bytes()),
        ("errors", "a.jsonl", text.replace('\n', "\t ").into_bytes()),
        ("errors", "a.jsonl", format!("\u{feff}{text}").into_bytes()),
        ("errors", "a.jsonl", pretty(&text).into_bytes()),
        ("errors", "a.gz", gzip(text.replace('\n', ""))),
        ("errors", "a.gz", gzip(&text)),
        // By its content, not by its name.
        ("errors", NAME, gzip(&text)),
        ("errors", "a.gz", text.clone().into_bytes()),
        // Streams that end within a line.
        ("errors", "a.gz", [gzip(one), gzip(two)].concat()),
        ("errors/a.jsonl", "a.jsonl", text.clone().into_bytes()),
        (&ending, &ending["errors/".len()..], gzip(&text)),
        // A hidden file, by its name.
        ("errors/.a", ".a", text.clone().into_bytes()),
    ] {
        let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
        redrive.write(name, content);
        redrive
            .run(&firehose, &[source], 0, &json!({ "found": 6, "selected": 6, "put": 6 }))
            .objects(&json!({ "found": 1, "done": 1 }));
        assert_eq!(firehose.stored(), records, "{source} {name}");
        redrive.run(&firehose, &[source], 0, &json!({})).objects(&json!({ "found": 1, "done": 1 }));
        assert_eq!(firehose.stored().len(), 6, "{source} {name}");
    }
}

#[test]
fn codes_and_functions_are_those_of_all_kinds_of_error_output() {
    let redrive = Redrive::of(&[(
        "a",
        concat!(
            r#"{"lastErrorCode":"DataFormatConversion.ParseError","rawData":"YQ=="}"#,
            "\n",
            r#"{"errorCode":"S3.AccessDenied","rawData":"Yg==","lambdaArn":"arn:g","arrivalTimestamp":"1700000000000"}"#,
            "\n",
            r#"{"rawData":"Yw==","errorCode":"\u001b[31m"}"#,
        ),
    )]);
    let firehose = Firehose::start();
    let report = redrive.run(&firehose, &[], 0, &json!({ "found": 3, "selected": 3, "put": 3 })).report();
    assert_eq!(firehose.texts(), ["a", "b", "c"]);
    assert_eq!(
        report["selected_by_error_code"],
        json!({ "DataFormatConversion.ParseError": 1, "S3.AccessDenied": 1, "\\u{1b}[31m": 1 })
    );
    assert_eq!(report["selected_by_age"], json!({ "over_thirty_days": 1, "unknown": 2 }));
    assert_eq!(report["selected_by_function"], json!({ "arn:g": 1, "unknown": 2 }));
}

#[test]
fn corrupt_lines_are_quarantined_once_and_the_rest_is_put() {
    let large = json!({ "rawData": STANDARD.encode(vec![b'x'; 1_024_001]) }).to_string();
    let long = "x".repeat(16 * 1024 * 1024 + 1);
    let largest = old(vec![b'x'; 1_024_000]);
    let corrupt = [
        ("no JSON\u{1b}", "not a JSON object"),
        (r#"{"errorCode":"Lambda.FunctionError"}"#, "a JSON object without a text as `rawData`"),
        (r#"{"rawData":"???"}"#, "`rawData` is not base64"),
        (&large, "a record of 1024001 bytes; Firehose accepts at most 1024000"),
        (&long, "a line or a value of more than 16777216 bytes"),
        // Two equal lines are two.
        ("no JSON\u{1b}", "not a JSON object"),
    ];
    let text = corrupt.map(|(line, _)| format!("{line}\n{}", old("good"))).concat() + &largest;
    let (redrive, firehose) = (Redrive::of(&[("2026/a", &text)]), Firehose::start());
    let place = redrive.errors().canonicalize().unwrap().join("2026/a").display().to_string();
    let mut offset = 0;
    let offsets = corrupt.map(|(line, _)| {
        offset += line.len() + 1 + old("good").len();
        offset - line.len() - 1 - old("good").len()
    });
    let messages: Vec<String> = (0..)
        .zip(corrupt)
        .map(|(index, (_, problem))| format!("{place}, line {}, byte {}: {problem}", 2 * index + 1, offsets[index]))
        .collect();

    let numbers = json!({ "found": 13, "selected": 7, "put": 7, "corrupt": 6 });
    let exit = redrive.run(&firehose, &[], 1, &numbers);
    exit.reports(&messages.iter().map(String::as_str).collect::<Vec<_>>());
    exit.objects(&json!({ "found": 1, "done": 1 }));
    assert_eq!(exit.report()["quarantine"], "state/journal.corrupt.jsonl");
    let stored = firehose.stored();
    assert_eq!((stored.len(), stored[5].as_slice(), stored[6].len()), (7, &b"good"[..], 1_024_000));
    let copies = fs::read_to_string(redrive.quarantine()).unwrap();
    for (index, (copy, (line, problem))) in copies.lines().zip(corrupt).enumerate() {
        let copy: Value = serde_json::from_str(copy).unwrap();
        let start = &line.as_bytes()[..line.len().min(16 * 1024 * 1024)];
        let expected = json!({
            "object": place, "line": 2 * index + 1, "offset": offsets[index], "problem": problem,
            "content": STANDARD.encode(start),
        });
        assert!(copy == expected, "{problem}");
    }
    assert_eq!(copies.lines().count(), 6);
    assert_eq!(fs::metadata(redrive.quarantine()).unwrap().permissions().mode() & 0o777, 0o600);

    // With one more line, the object is read again; known lines are neither put nor quarantined again.
    redrive.write("2026/a", text + "new\n");
    let exit =
        redrive.run(&firehose, &[], 1, &json!({ "found": 14, "put_before": 7, "corrupt": 1, "corrupt_before": 6 }));
    let end = offset + largest.len();
    exit.reports(&[&format!("{place}, line 14, byte {end}: not a JSON object")]);
    assert_eq!((firehose.stored().len(), fs::read_to_string(redrive.quarantine()).unwrap().lines().count()), (7, 7));
    redrive.run(&firehose, &[], 0, &json!({}));
}

#[test]
fn bytes_between_concatenated_values_are_corrupt_and_no_record_is_lost() {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|data| old(data).trim_end().to_owned());
    let cut = &b[..b.len() - 20];
    let text = format!("{a}\0{b}{cut}{c}{{\"x\":\"\u{e9}\"}}{d}");
    let (redrive, firehose) = (Redrive::of(&[("a", &text)]), Firehose::start());
    let exit = redrive.run(&firehose, &[], 1, &json!({ "found": 7, "selected": 4, "put": 4, "corrupt": 3 }));
    exit.objects(&json!({ "found": 1, "done": 1 }));
    assert_eq!(firehose.texts(), ["a", "b", "c", "d"]);
    let copies = fs::read_to_string(redrive.quarantine()).unwrap();
    let offsets: Vec<Value> =
        copies.lines().map(|copy| serde_json::from_str::<Value>(copy).unwrap()["offset"].take()).collect();
    assert_eq!(json!(offsets), json!([a.len(), a.len() + 1 + b.len(), text.find("{\"x\"").unwrap()]));
    // Another run puts nothing.
    redrive.write("a", format!("{text}\n"));
    redrive.run(&firehose, &[], 0, &json!({ "found": 7, "put_before": 4, "corrupt_before": 3 }));
}

#[test]
fn a_record_is_the_same_with_and_without_a_line_of_its_own() {
    let text = all(["a", "b", "a", ""]);
    for (first, then) in [(text.clone(), text.replace('\n', "")), (text.replace('\n', ""), text.clone())] {
        let (redrive, firehose) = (Redrive::of(&[(NAME, &first)]), Firehose::start());
        redrive.run(&firehose, &[], 0, &json!({ "found": 4, "selected": 4, "put": 4 }));
        redrive.write(NAME, then);
        redrive.run(&firehose, &[], 0, &json!({ "found": 4, "put_before": 4 }));
        assert_eq!(firehose.texts(), ["a", "b", "a", ""]);
    }
}

#[test]
fn an_object_with_only_a_corrupt_record_is_an_error_object() {
    for line in [json!({ "rawData": STANDARD.encode(vec![b'x'; 1_024_001]) }), json!({ "rawData": "???" })] {
        let (redrive, firehose) = (Redrive::of(&[("a", &line.to_string())]), Firehose::start());
        let exit = redrive.run(&firehose, &[], 1, &json!({ "found": 1, "corrupt": 1 }));
        exit.objects(&json!({ "found": 1, "done": 1 }));
        assert!(redrive.quarantine().exists());
    }
}

#[test]
fn a_truncated_gzip_loses_only_its_end() {
    let noise = |number: u64| (number * 7_919 % 10_007).to_string().repeat(20);
    let text = all((0..2_000).map(|number| format!("{number} {}", noise(number))));
    let mut cut = gzip(&text);
    cut.truncate(cut.len() / 2);
    let (redrive, firehose) = (Redrive::of(&[("b", &old("next"))]), Firehose::start());
    redrive.write("a.gz", cut);
    let exit = redrive.end(&firehose, &[]);
    let report = exit.report();
    let put = report["records"]["put"].as_u64().unwrap();
    assert!((500..1_999).contains(&put), "{report}");
    exit.comes_to(1, &json!({ "found": put, "selected": put, "put": put }));
    exit.objects(&json!({ "found": 2, "done": 1, "unreadable": 1 }));
    let messages = format!("/a.gz: could not read it to its end: after line {}: ", put - 1);
    assert!(exit.stderr.contains(&messages), "{}", exit.stderr);
    let texts = firehose.texts();
    assert_eq!((texts.len() as u64, texts.last().unwrap().as_str()), (put, "next"));
    assert!((0..).zip(&texts[..texts.len() - 1]).all(|(number, text)| *text == format!("{number} {}", noise(number))));
}

#[test]
fn other_objects_are_left_as_they_are() {
    let (redrive, firehose) = (
        Redrive::of(&[
            ("a.txt", "some\ntext\n"),
            ("b.json", "{\"records\":[]}"),
            ("empty", ""),
            ("blank", "\n \n"),
            (".hidden/c", &old("hidden")),
            ("2026/.d", &old("hidden")),
            ("long", &"{}\n".repeat(1_000)),
            ("z", &old("good")),
        ]),
        Firehose::start(),
    );
    redrive.write("c.gz", gzip(""));
    redrive.write("cut.gz", &gzip("text")[..12]);
    let exit = redrive.run(&firehose, &["--archive", "done"], 1, &json!({ "found": 1, "selected": 1, "put": 1 }));
    exit.objects(&json!({ "found": 7, "done": 3, "archived": 3, "foreign": 3, "unreadable": 1 }));
    assert_eq!(exit.stderr.matches("not an error object; it is left as it is").count(), 3);
    assert_eq!(firehose.texts(), ["good"]);
    assert!(!redrive.quarantine().exists());
    let names =
        [".hidden/c", "2026/.d", "a.txt", "b.json", "cut.gz", "done/blank", "done/c.gz", "done/z", "empty", "long"];
    assert_eq!(redrive.names(), names);
}
