//! Help texts and completions.

use test_support::clicks_command;
use test_support::exit::Exit;
use test_support::terminal::Terminal;
use test_support::up::command;

#[test]
fn the_help_has_defaults_and_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    for flag in ["--help", "-h"] {
        let output = command(folder.path(), &[flag]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let help = String::from_utf8(output.stdout).unwrap();
        for text in ["Exit codes: 0 ", "130 ", "[default: 127.0.0.1]", "[default: 8000]", "[default: out/bucket]"] {
            assert!(help.contains(text), "{flag}: {text}\n{help}");
        }
    }
}

#[test]
fn help_wraps_at_the_width_of_the_terminal_with_examples_before_the_options() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |columns, flag: &str| {
        let mut terminal = Terminal::start(command(folder.path(), &[flag]), columns);
        assert_eq!(terminal.end().code(), Some(0));
        let screen = terminal.screen();
        let place = |start: &str| screen.iter().position(|line| line.starts_with(start)).unwrap();
        assert!(place("Examples:") < place("Usage: ") && place("Usage: ") < place("Options:"), "{screen:#?}");
        // A word is not cut.
        let is_too_long = |line: &&String| line.chars().count() > columns.into() && line.trim().contains(' ');
        assert_eq!(screen.iter().find(is_too_long), None, "{columns}");
        screen.len()
    };
    for flag in ["-h", "--help"] {
        assert!(lines(72, flag) > lines(120, flag));
    }
}

#[test]
fn each_subcommand_has_examples_before_its_options() {
    for subcommand in ["up", "serve", "replay", "redrive", "completions"] {
        for flag in ["-h", "--help"] {
            let exit = Exit::from(clicks_command().args([subcommand, flag]).output().unwrap());
            let place = |text: &str| exit.stdout.find(text).unwrap_or_else(|| panic!("{text}: {}", exit.stdout));
            assert!(place("\nExamples:\n") < place("\nUsage: ") && place("\nUsage: ") < place("\nOptions:\n"));
            assert!(!exit.stdout.contains('\u{1b}'), "{}", exit.stdout);
        }
    }
}

#[test]
fn a_shell_gets_completions_of_all_options() {
    for (shell, start) in [("bash", "_clicks() {"), ("zsh", "#compdef clicks"), ("fish", "# Print an optspec")] {
        let exit = Exit::from(clicks_command().args(["completions", shell]).output().unwrap());
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(exit.stdout.starts_with(start), "{shell}: {}", exit.stdout);
        for option in ["destination-seconds", "damaged-journal", "service-files", "function-map"] {
            assert!(exit.stdout.contains(option), "{shell}: {option}");
        }
    }
    Exit::from(clicks_command().args(["completions", "shell"]).output().unwrap())
        .refuses(2, "[possible values: bash, ");
}
