//! Functions by name: the tables `[functions.NAME]` of the file, and the entries NAME=COMMAND of `--function-map`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runtime_api::FunctionSettings;

use super::function::{NO_FUNCTION, OF_WORKSPACE};
use super::{invalid, table};
use crate::error::UsageError;
use crate::function_command;
use crate::up::options::{File, FunctionOptions, Whole};
use local_firehose::control::FunctionMap;

/// The longest wait of Firehose for a function (developer guide, "Transform source data in Amazon Data Firehose"). Firehose does not know
/// the function's own time-out.
const TIMEOUT_SECONDS: u32 = 300;

const OPTION: &str = "`--function-map`";

/// `executable` finds the path of a command's first word.
pub(super) fn mapped(
    file: Option<(&Path, &File)>,
    entries: &[String],
    executable: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<FunctionMap, UsageError> {
    let mut all = Vec::new();
    if let Some((path, file)) = file {
        for (name, options) in &file.functions {
            let place = table(path, &format!("functions.{name}"));
            if [NO_FUNCTION, OF_WORKSPACE].contains(&name.as_str()) {
                let accepted = "accepted is another name, because it is a word of a stream's `function`";
                return invalid(&place, format_args!("found {name}; {accepted}"));
            }
            let function = of_table(&place, options, executable)?;
            all.push((name.as_str(), place, function));
        }
    }
    for entry in entries {
        let Some((name, command)) = entry.split_once('=') else {
            return invalid(OPTION, format_args!("found `{entry}`; accepted is NAME=COMMAND"));
        };
        let function = function_command::parse(OPTION, command, executable)?;
        let timeout = Duration::from_secs(TIMEOUT_SECONDS.into());
        // Without the command, which may have a secret.
        all.push((name, format!("`--function-map {name}=…`"), FunctionSettings { timeout, ..function }));
    }
    let (mut functions, mut places) = (FunctionMap::default(), BTreeMap::new());
    for (name, place, function) in all {
        if let Some(first) = places.get(name) {
            return Err(UsageError(format!(
                "{first} and {place}: both are the function {name}; leave one of them out"
            )));
        }
        functions.insert(name, function).or_else(|error| invalid(&place, error))?;
        places.insert(name, place);
    }
    Ok(functions)
}

fn of_table(
    place: &str,
    options: &FunctionOptions,
    executable: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<FunctionSettings, UsageError> {
    let FunctionOptions { command, directory, env, memory_mb, timeout_seconds } = options;
    let function = function_command::parse(&format!("`command` of {place}"), command, executable)?;
    if let Some(found) = directory.as_ref().filter(|directory| !directory.is_dir()) {
        let problem = format!("found {}; accepted is a folder", found.display());
        return invalid(&format!("`directory` of {place}"), problem);
    }
    let Whole(timeout_seconds) = timeout_seconds.unwrap_or(Whole(TIMEOUT_SECONDS));
    Ok(FunctionSettings {
        directory: directory.clone(),
        env: env.clone(),
        memory_mb: memory_mb.map_or(function.memory_mb, |Whole(number)| number),
        timeout: Duration::from_secs(timeout_seconds.into()),
        ..function
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

    fn in_bin(word: &str) -> Option<PathBuf> {
        (word != "missing").then(|| Path::new("/bin").join(word))
    }

    #[test]
    fn an_entry_maps_a_name_or_an_arn() {
        for (entry, key) in [("f=cat -n".to_owned(), "f"), (format!("{ARN}=cat -n"), ARN)] {
            let functions = mapped(None, &[entry], &in_bin).unwrap();
            let function = functions.get(key).unwrap();
            assert_eq!((function.command.as_path(), function.args.len()), (Path::new("/bin/cat"), 1), "{key}");
            assert_eq!((function.function_name.as_str(), function.timeout.as_secs()), ("f", 300), "{key}");
        }
    }

    #[test]
    fn an_invalid_entry_is_refused() {
        for (entry, message) in [
            ("f", "`--function-map`: found `f`; accepted is NAME=COMMAND"),
            ("f=", "`--function-map`: found no command; accepted is a command"),
            (
                "f=missing",
                "`--function-map`: found `missing`, which is not an executable file; accepted is one, by its path or by a name in \
                 PATH",
            ),
            ("=cat", "`--function-map =…`: found ``; accepted is the name of a function, "),
            ("a.b=cat", "`--function-map a.b=…`: found `a.b`; accepted is the name of a function, "),
        ] {
            let UsageError(error) = mapped(None, &[entry.to_owned()], &in_bin).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn the_file_and_entries_are_mixed_without_a_name_twice() {
        let file = File::parse(&format!("[functions.f]\ncommand = 'a'\n[functions.'{ARN}']\ncommand = 'b'")).unwrap();
        let mapped = |entries: &[&str]| {
            let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
            mapped(Some((Path::new("up.toml"), &file)), &entries, &in_bin)
        };
        let functions = mapped(&["g=c"]).unwrap();
        for (key, command) in [("f", "/bin/a"), (ARN, "/bin/b"), ("g", "/bin/c")] {
            assert_eq!(
                functions.get(key).map(|function| function.command.as_path()),
                Some(Path::new(command)),
                "{key}"
            );
        }
        let of_arn = format!("{ARN}=c");
        let both = format!("[functions.{ARN}] in up.toml and `--function-map {ARN}=…`: both are the function {ARN}");
        for (entries, message) in [
            (&["f=c"][..], "[functions.f] in up.toml and `--function-map f=…`: both are the function f"),
            (&["g=c", "g=c d"], "`--function-map g=…` and `--function-map g=…`: both are the function g"),
            (&[of_arn.as_str()], both.as_str()),
        ] {
            let UsageError(error) = mapped(entries).unwrap_err();
            assert_eq!(error, format!("{message}; leave one of them out"));
        }
    }
}
