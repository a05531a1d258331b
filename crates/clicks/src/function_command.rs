//! The command of a function, as an option or a file has it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use runtime_api::FunctionSettings;

use crate::error::UsageError;
use crate::packages;

/// `executable` finds the path of a command's first word.
pub(crate) fn parse(
    option: &str,
    text: &str,
    executable: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<FunctionSettings, UsageError> {
    let invalid = |problem: fmt::Arguments| UsageError(format!("{option}: {problem}"));
    let words = shell_words::split(text).map_err(|error| {
        invalid(format_args!("found `{text}`; accepted is a command with quotes as in a shell: {error}"))
    })?;
    let [first, args @ ..] = &words[..] else {
        return Err(invalid(format_args!("found no command; accepted is a command")));
    };
    let Some(executable) = executable(first) else {
        let accepted = "accepted is one, by its path or by a name in PATH";
        return Err(invalid(format_args!("found `{first}`, which is not an executable file; {accepted}")));
    };
    let args = args.iter().map(OsString::from).collect();
    Ok(FunctionSettings { args, ..FunctionSettings::new(executable) })
}

/// Finds a command's first word as a shell does. The function itself has Lambda's PATH.
pub(crate) fn executable(word: &str, path: &OsStr) -> Option<PathBuf> {
    if word.contains('/') {
        return packages::executable_at(Path::new(word));
    }
    packages::in_path(word, path)
}

#[cfg(test)]
mod tests {
    use std::env;
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
