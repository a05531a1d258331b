//! The steps of `docs/guides/test-locally.md`, "A Python function of your own", as they are written there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use test_support::up::{Up, command};

const GUIDE: &str = include_str!("../../../../docs/guides/test-locally.md");

/// The fenced blocks of the section, in a language.
fn blocks(language: &str) -> Vec<String> {
    let (_, section) = GUIDE.split_once("\n## A Python function of your own\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let fence = format!("   ```{language}\n");
    let blocks = section.split(&fence).skip(1).map(|rest| rest.split("   ```\n").next().unwrap());
    blocks.map(|block| block.replace("\n   ", "\n").trim_start().to_owned()).collect()
}

#[test]
fn a_python_function_runs_behind_a_stream() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let path = format!("{}:/usr/bin:/bin", root.join(".venv/bin").display());
    let folder = tempfile::tempdir().unwrap();
    let [app, client] = blocks("python").try_into().unwrap();
    fs::write(folder.path().join("app.py"), app).unwrap();
    fs::write(folder.path().join("put.py"), client).unwrap();

    // The first block makes the virtual environment: that of the tests has the same packages.
    let [_, start, put, look] = blocks("sh").try_into().unwrap();
    let words = shell_words::split(&start).unwrap();
    let arguments: Vec<&str> = words[2..].iter().map(String::as_str).collect();
    let mut start = command(folder.path(), &arguments);
    start.env("PATH", &path);
    let up = Up::run(folder.path(), start);

    let run = |script: &str| {
        let script = script.replace(". .venv/bin/activate\n", "").replace("http://127.0.0.1:8001", up.firehose());
        let mut bash = Command::new("/bin/bash");
        bash.current_dir(folder.path()).env_clear().env("PATH", &path).env("AWS_CONFIG_FILE", "/dev/null");
        let Output { status, stdout, stderr } = bash.args(["-e", "-c", &script]).output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    };
    run(&put);
    up.until_processed(3);
    let found = run(&look);
    let [expected] = blocks("json").try_into().unwrap();
    let (first, error) = found.split_at(expected.len());
    assert_eq!(first, expected);
    assert!(error.contains("Lambda.ProcessingFailedStatus"), "{error}");
    assert!(up.log().contains("KeyError('quantity')"), "{}", up.log());
}
