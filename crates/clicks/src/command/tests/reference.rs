//! `docs/reference/cli.md` is made from the texts of `--help`.

use std::fmt::Write as _;
use std::{env, fs};

use clap::{Arg, Command, CommandFactory};

use super::root;
use crate::command::Cli;

const INTRODUCTION: &str = "# Command line

`clicks COMMAND --help` prints what is here, and examples. Other pages document what the commands do:
[local pipeline](pipeline.md) (`up`, `tap`), [local Firehose](local-firehose.md) (`serve`), [replay](replay.md), [redrive failures](../guides/redrive-failures.md).
In a clone of this repository, `cargo clicks` is the same as `clicks`.

A test compares this page with `--help`: `UPDATE_DOCS=1 cargo test -p clicks --lib the_reference` writes it.
";

/// A default that is only in the help text, and the text without it.
fn split_default(help: &str) -> (String, Option<String>) {
    let Some((before, rest)) = help.split_once(" [default: ") else { return (help.to_owned(), None) };
    let (default, after) = rest.split_once(']').unwrap();
    (format!("{before}{after}"), Some(default.to_owned()))
}

/// The text for a cell, with `*` escaped outside of code.
fn cell(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let escaped = parts.map(|(index, part)| if index % 2 == 0 { part.replace('*', "\\*") } else { part.to_owned() });
    escaped.collect::<Vec<_>>().join("`").replace("\n\n", " ").replace('\n', " ").replace('|', "\\|")
}

fn names(argument: &Arg) -> String {
    let takes_value = argument.get_action().takes_values();
    let value = argument.get_value_names().filter(|_| takes_value).map_or("", |names| names[0].as_str());
    let long = argument.get_long().map_or(value.to_owned(), |long| match argument.get_num_args() {
        _ if value.is_empty() => format!("--{long}"),
        Some(number) if number.min_values() == 0 => format!("--{long}[={value}]"),
        _ => format!("--{long} {value}"),
    });
    argument.get_short().map_or(format!("`{long}`"), |short| format!("`{long}`, `-{short}`"))
}

fn row(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map_or("The shell".to_owned(), ToString::to_string);
    let (mut meaning, in_text) = split_default(&help);
    let defaults = argument.get_default_values();
    let default = match (defaults.is_empty(), in_text) {
        (false, None) => defaults.iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(" "),
        (true, Some(default)) => default,
        (true, None) if argument.is_required_set() => "required".to_owned(),
        (true, None) if argument.get_action().takes_values() => "none".to_owned(),
        (true, None) => "false".to_owned(),
        (false, Some(_)) => panic!("{argument}: two defaults"),
    };
    // The help has no full stop before a default, and none in a first line that is a sentence of its own.
    let sentences =
        meaning.split("\n\n").map(|text| if text.ends_with('.') { text.to_owned() } else { format!("{text}.") });
    meaning = sentences.collect::<Vec<_>>().join("\n\n");
    let values = argument.get_possible_values();
    if argument.get_action().takes_values() && !argument.is_hide_possible_values_set() && !values.is_empty() {
        let listed = values.iter().map(|value| {
            value.get_help().map_or(format!("`{}`", value.get_name()), |help| format!("`{}`: {help}", value.get_name()))
        });
        write!(meaning, " Values: {}.", listed.collect::<Vec<_>>().join("; ")).unwrap();
    }
    let default = if default.contains(' ') || default == "none" || default == "required" {
        default
    } else {
        format!("`{default}`")
    };
    format!("| {} | {} | {} |\n", cell(&names(argument)), cell(&default), cell(&meaning))
}

fn section(command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about()).unwrap().to_string();
    let paragraphs: Vec<String> = about.split("\n\n").map(|text| cell(text).replace("\\|", "|")).collect();
    let mut text = format!("\n## clicks {}\n\n{}\n", command.get_name(), paragraphs.join("\n\n"));
    let headings: Vec<Option<&str>> = command.get_arguments().map(Arg::get_help_heading).collect();
    let mut seen = Vec::new();
    for heading in headings {
        if seen.contains(&heading) {
            continue;
        }
        seen.push(heading);
        let title = heading.map_or("option".to_owned(), |heading| format!("{}: option", heading.to_lowercase()));
        write!(text, "\n| {title} | default | meaning |\n|---|---|---|\n").unwrap();
        for argument in command.get_arguments().filter(|argument| argument.get_help_heading() == heading) {
            text.push_str(&row(argument));
        }
    }
    if let Some(after) = command.get_after_help() {
        write!(text, "\n{after}\n").unwrap();
    }
    text
}

#[test]
fn the_reference_is_the_help() {
    let page = INTRODUCTION.to_owned() + &Cli::command().get_subcommands().map(section).collect::<String>();
    let path = root().join("docs/reference/cli.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let documented = fs::read_to_string(path).unwrap();
    assert_eq!(documented, page, "write it with UPDATE_DOCS=1, and review the difference");
}

/// Each variable that `docs/reference/configuration.md` documents for the function.
#[test]
fn the_help_names_the_variables_that_a_function_inherits() {
    let page = fs::read_to_string(root().join("docs/reference/configuration.md")).unwrap();
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name);
    let set_elsewhere = ["AWS_REGION", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "HTTPS_PROXY"];
    let inherited = names.filter(|name| {
        let is_variable = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        is_variable && !name.starts_with("LOOKUP_") && !name.starts_with("ON_") && !set_elsewhere.contains(name)
    });
    let inherited: Vec<&str> = inherited.collect();
    assert_eq!(inherited.len(), crate::packages::INHERITED.len(), "{inherited:?}");
    for command in ["up", "replay"] {
        let cli = Cli::command();
        let env = cli.find_subcommand(command).unwrap().get_arguments().find(|argument| argument.get_id() == "env");
        let env = env.unwrap();
        let help = env.get_long_help().or(env.get_help()).unwrap().to_string();
        for name in inherited.iter().chain(&["LOOKUP_*", "ON_*"]) {
            assert!(help.contains(name), "clicks {command} --help, --env: {name}");
        }
    }
}
