//! `docs/reference/configuration.md` has the variables that the code reads, with their defaults.

use std::collections::{BTreeMap, BTreeSet};

use super::Config;

const PAGE: &str = include_str!("../../docs/reference/configuration.md");

/// The log set-up and the HTTP client read these.
const ELSEWHERE: [&str; 4] = ["AWS_LAMBDA_LOG_LEVEL", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"];

fn is_variable(text: &str) -> bool {
    text.contains('_') && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// Every variable of the table, with the cell of its default.
fn documented() -> BTreeMap<&'static str, &'static str> {
    let (_, table) = PAGE.split_once("\n| variable | default | meaning |\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.map(|row| row.splitn(4, '|').map(str::trim).collect::<Vec<_>>())
        .flat_map(|cells| cells[1].split('`').filter(|name| is_variable(name)).map(move |name| (name, cells[2])))
        .collect()
}

#[test]
fn the_documented_variables_are_those_that_the_code_reads() {
    let sources = [include_str!("../config.rs"), include_str!("auth.rs")];
    let code = sources.map(|source| source.split("#[cfg(test)]\nmod tests").next().unwrap());
    let literals = code.iter().flat_map(|code| code.split('"')).filter(|text| is_variable(text));
    let read: BTreeSet<&str> = literals.chain(ELSEWHERE).collect();
    // The first variable's second name has no row of its own.
    let documented: BTreeSet<&str> = documented().into_keys().chain(["MYSFITS_API_URL"]).collect();
    assert_eq!(documented, read);
}

#[test]
fn the_documented_defaults_are_those_of_the_code() {
    let read = |variables: &[(&str, &str)]| {
        let url = [("LOOKUP_API_URL", "https://example.com")];
        format!("{:?}", Config::read(&url.iter().chain(variables).copied().collect()).unwrap())
    };
    let mut compared = 0;
    for (name, cell) in documented() {
        let Some(default) = cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else { continue };
        // Not read without LOOKUP_AUTH=header.
        let base: &[(&str, &str)] = match name {
            "LOOKUP_AUTH_HEADER" => &[("LOOKUP_AUTH", "header"), ("LOOKUP_SECRET", "secret")],
            _ => &[],
        };
        assert_eq!(read(&[base, &[(name, default)]].concat()), read(base), "{name}={default}");
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
}
