//! Examples in the documents: each command of `clicks` and each configuration is accepted. Other tests run them; these find what they
//! do not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Parser as _;
use serde_json::Value;

use super::root;
use crate::command::Cli;
use crate::up::options::File;

/// Folders of others, and of what was built.
const SKIPPED: [&str; 5] = ["node_modules", "target", "out", "cdk.out", "dist"];

struct Example {
    page: PathBuf,
    language: String,
    text: String,
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                pages(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The fenced blocks of all documents, without their indentation.
fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    pages(&root(), &mut found);
    let mut examples = Vec::new();
    for page in found {
        let text = fs::read_to_string(&page).unwrap();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some((indentation, language)) = line.split_once("```") else { continue };
            if !indentation.trim().is_empty() {
                continue;
            }
            let block = lines.by_ref().take_while(|line| line.trim() != "```");
            let block = block.map(|line| line.strip_prefix(indentation).unwrap_or(line).to_owned() + "\n").collect();
            examples.push(Example { page: page.clone(), language: language.to_owned(), text: block });
        }
    }
    assert!(examples.len() > 50, "{}", examples.len());
    examples
}

fn of(language: &str) -> impl Iterator<Item = Example> {
    examples().into_iter().filter(move |example| example.language == language)
}

/// The commands of a shell's text, word by word, with the names of variables as their values.
fn commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let words = joined.lines().filter_map(|line| shell_words::split(line).ok());
    let simple = words.flat_map(|words| {
        let parts = words.split(|word| matches!(word.as_str(), "|" | "&&" | "||" | ";" | "&" | ">"));
        parts.map(<[String]>::to_vec).collect::<Vec<_>>()
    });
    let is_assignment = |word: &String| word.split_once('=').is_some_and(|(name, _)| !name.contains(['-', '/']));
    simple
        .map(|words| words.into_iter().skip_while(is_assignment).map(|word| word.replace('$', "")).collect())
        .collect()
}

#[test]
fn the_command_line_accepts_each_documented_command() {
    let mut accepted = 0;
    for Example { page, text, .. } in of("sh") {
        for words in commands(&text) {
            let words = if words.first().is_some_and(|word| word == "cargo") { &words[1..] } else { &words };
            if words.first().is_none_or(|word| word != "clicks") {
                continue;
            }
            if let Err(error) = Cli::try_parse_from(words) {
                let is_help = matches!(
                    error.kind(),
                    clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
                );
                assert!(is_help, "{}: {words:?}: {error}", page.display());
            }
            accepted += 1;
        }
    }
    assert!(accepted > 20, "{accepted}");
}

#[test]
fn a_shell_can_read_each_documented_script() {
    for Example { page, text, .. } in of("sh") {
        let mut shell = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut shell.stdin.take().unwrap(), text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success(), "{}: {text}", page.display());
    }
}

#[test]
fn each_documented_configuration_is_accepted() {
    for Example { page, text, .. } in of("toml") {
        let of_clicks = ["[pipeline]", "[streams.", "[functions."].iter().any(|table| text.contains(table));
        let result = if of_clicks {
            File::parse(&text).map(|_| ())
        } else {
            text.parse::<toml::Table>().map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(result, Ok(()), "{}: {text}", page.display());
    }
}

/// A value, several values, or members of an object.
#[test]
fn each_documented_json_is_valid() {
    let is_valid =
        |text: &str| serde_json::Deserializer::from_str(text).into_iter::<Value>().all(|value| value.is_ok());
    for Example { page, text, .. } in of("json") {
        assert!(is_valid(&text) || is_valid(&format!("{{{text}}}")), "{}: {text}", page.display());
    }
}

/// Python and Rust are of files that other tests run or build, or of a README that `cargo test --doc` runs.
#[test]
fn each_documented_program_is_tested() {
    let tested = [
        include_str!("../../../tests/clients/pytest_example/app.py"),
        include_str!("../../../tests/clients/pytest_example/conftest.py"),
        include_str!("../../../tests/clients/pytest_example/put.py"),
        include_str!("../../../tests/clients/pytest_example/test_orders.py"),
        include_str!("../../../tests/serve/rust_sdk.rs"),
        include_str!("../../../../firehose-transform/examples/filter.rs"),
    ];
    for Example { page, language, text } in examples() {
        let is_program = language == "python" || language.starts_with("rust");
        let is_of_rustdoc = language.starts_with("rust") && page.parent().unwrap().join("src/lib.rs").is_file();
        let runs = is_of_rustdoc && language != "rust,ignore";
        let is_quoted = || tested.iter().any(|file| file.contains(&text));
        assert!(!is_program || runs || is_quoted(), "{}: {text}", page.display());
    }
}
