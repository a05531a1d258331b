//! A stream's function: its command and its environment.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use super::layers::Layers;
use super::{SettingsContext, SettingsError, invalid};
use crate::packages;
use crate::up::options::{LogFormat, StreamOptions};
use local_firehose::stream::{Command, FunctionSettings, Source};

const NO_FUNCTION: &str = "none";

const PROCESSOR: &str = "processor";

/// The fields that `web/clicks.js` sends.
const CLICK_IDENTITY: &str = "userId,mysfitId,clickId,clickedAt";

/// The function, if any. The records of a data stream need not be clicks, so the default there is none.
pub(super) fn from_options(
    layers: &Layers<'_, StreamOptions>,
    source: &Source,
    context: &SettingsContext<'_>,
) -> Result<Option<FunctionSettings>, SettingsError> {
    let default = if *source == Source::DirectPut { PROCESSOR } else { NO_FUNCTION };
    let found = layers.find_or("function", |options| options.function.as_deref(), default);
    let command = match found.value {
        NO_FUNCTION => return Ok(None),
        PROCESSOR => None,
        text => Some(command(&found.option, text, context.executable)?),
    };
    Ok(Some(FunctionSettings {
        command,
        env: environment(layers, &context.env),
        memory_mb: layers.number(|options| options.memory_mb, 128),
        timeout: Duration::from_secs(layers.number(|options| options.timeout_seconds, 30).into()),
    }))
}

pub(super) fn command(
    option: &str,
    text: &str,
    executable: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<Command, SettingsError> {
    let words = match shell_words::split(text) {
        Ok(words) => words,
        Err(error) => {
            let problem = format!("found `{text}`; accepted is a command with quotes as in a shell: {error}");
            return invalid(option, problem);
        }
    };
    let [first, args @ ..] = &words[..] else {
        return invalid(option, "found no command; accepted is a command, or `none` for no function");
    };
    match executable(first) {
        Some(executable) => Ok(Command { executable, args: args.iter().map(OsString::from).collect() }),
        None => invalid(
            option,
            format_args!(
                "found `{first}`, which is not an executable file; accepted is one, by its path or by a name in PATH"
            ),
        ),
    }
}

/// The inherited variables; over them, those of Lambda's logging configuration; over those, the option's.
fn environment(layers: &Layers<'_, StreamOptions>, inherited: &[(String, String)]) -> Vec<(String, String)> {
    let mut env: BTreeMap<String, String> = inherited.iter().cloned().collect();
    let format = match layers.value(|options| options.log_format) {
        None | Some(LogFormat::Json) => "JSON",
        Some(LogFormat::Text) => "Text",
    };
    env.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), format.to_owned());
    if let Some(level) = layers.value(|options| options.log_level.as_ref()?.to_possible_value()) {
        env.insert("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.get_name().to_uppercase());
    }
    if layers.value(|options| options.click_identity) == Some(true) {
        env.insert("EVENT_FIELDS".to_owned(), CLICK_IDENTITY.to_owned());
    }
    for (_, options) in layers.0.iter().rev() {
        env.extend(options.env.iter().cloned());
    }
    env.into_iter().collect()
}

/// The executable of a command's first word, as a shell finds it. The function itself has Lambda's PATH.
pub(super) fn executable(word: &str, path: &OsStr) -> Option<PathBuf> {
    if word.contains('/') {
        return packages::executable_at(Path::new(word)).ok();
    }
    env::split_paths(path).find_map(|folder| packages::executable_at(&folder.join(word)).ok())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_command_is_found_as_by_a_shell() {
        let folder = tempfile::tempdir().unwrap();
        for (file, mode) in [("first/function", 0o644), ("second/function", 0o755), ("third/function", 0o755)] {
            let path = folder.path().join(file);
            fs::create_dir(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let in_folder = |name: &str| folder.path().join(name);
        let path = env::join_paths(["none", "first", "second", "third"].map(in_folder)).unwrap();
        let by_path = |name: &str| in_folder(name).into_os_string().into_string().unwrap();
        for (word, found) in [
            ("function".to_owned(), Some("second/function")),
            (by_path("third/function"), Some("third/function")),
            (by_path("first/function"), None),
            (by_path("second"), None),
            ("second/function".to_owned(), None),
            ("second".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(executable(&word, &path), found.map(in_folder), "{word}");
        }
    }
}
