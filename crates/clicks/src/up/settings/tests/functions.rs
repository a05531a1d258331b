//! The tables `[functions.NAME]`, and the streams that name one of them.

use super::*;

/// A function of a table with the command `f -v`, and with these settings.
fn of_table(change: impl FnOnce(&mut FunctionSettings)) -> FunctionSettings {
    let mut function = FunctionSettings {
        function_name: "f".to_owned(),
        args: vec!["-v".into()],
        timeout: Duration::from_secs(300),
        ..FunctionSettings::new("/bin/f")
    };
    change(&mut function);
    function
}

#[test]
fn a_table_has_the_settings_of_a_function() {
    for (options, expected) in [
        ("", of_table(|_| {})),
        ("directory = '/'", of_table(|function| function.directory = Some("/".into()))),
        // A function may have its own service.
        (
            "env = { A = 'b=c', MYSFITS_API_URL = 'http://x' }",
            of_table(|function| function.env = pairs(&[("A", "b=c"), ("MYSFITS_API_URL", "http://x")])),
        ),
        ("memory-mb = 10240", of_table(|function| function.memory_mb = 10_240)),
        ("timeout-seconds = 1", of_table(|function| function.timeout = Duration::from_secs(1))),
    ] {
        let settings = settings("", &format!("[functions.f]\ncommand = 'f -v'\n{options}"));
        let mut functions = FunctionMap::default();
        functions.insert("f", expected).unwrap();
        // It is for created streams: the others have their own.
        assert_eq!(settings, Settings { functions, ..defaults() }, "{options}");
    }
}

#[test]
fn a_function_for_several_streams_has_a_warning() {
    let several = "[streams.clicks]\n[streams.orders]\nfunction = 'g'\n[streams.reviews]\nsource = 'kinesis'";
    let warning = "`--function` applies to all 3 streams of up.toml: clicks, orders, reviews; for one, set `function` of \
                   [streams.NAME] there";
    for (line, text, expected) in [
        ("--function f", several, Some(warning)),
        ("--function none", several, Some(warning)),
        // The file's own, other options, one stream, and no file.
        ("--retries 1", &format!("[defaults]\nfunction = 'f'\n{several}"), None),
        ("--function f", "[streams.clicks]", None),
        ("--function f", "[defaults]\nretries = 1", None),
    ] {
        let (up, file) = (command_line(&arguments(line)).unwrap(), File::parse(text).unwrap());
        let found = function_of_all_streams(&up.stream, Some((Path::new("up.toml"), &file)));
        assert_eq!(found.as_deref(), expected, "{line} {text}");
        assert_eq!(function_of_all_streams(&up.stream, None), None);
    }
}

#[test]
fn a_wrong_value_is_reported_with_its_place() {
    for (text, message) in [
        (
            "command = 1",
            "up.toml, line 2, column 11: `functions.f.command`: invalid type: integer `1`, expected a string",
        ),
        ("command = ''", "`command` of [functions.f] in up.toml: found no command; accepted is a command"),
        (
            "command = 'missing -v'",
            "`command` of [functions.f] in up.toml: found `missing`, which is not an executable file; accepted is one, by its path \
             or by a name in PATH",
        ),
        (
            "command = \"a 'b\"",
            "`command` of [functions.f] in up.toml: found `a 'b`; accepted is a command with quotes as in a shell: missing closing \
             quote",
        ),
        (
            "command = 'f'\ndirectory = ''",
            "up.toml, line 3, column 13: `functions.f.directory`: found string \"\"; accepted is a path",
        ),
        (
            "command = 'f'\ndirectory = 'no/such/folder'",
            "`directory` of [functions.f] in up.toml: found no/such/folder; accepted is a folder",
        ),
        (
            "command = 'f'\nenv = { A = 1 }",
            "up.toml, line 3, column 13: `functions.f.env.A`: invalid type: integer `1`, expected a string",
        ),
        (
            "command = 'f'\nenv = { '' = '1' }",
            "up.toml, line 3, column 7: `functions.f.env`: the variable \"\": accepted is KEY=VALUE",
        ),
        (
            "command = 'f'\nmemory-mb = 127",
            "up.toml, line 3, column 13: `functions.f.memory-mb`: found integer `127`; accepted is a whole number from 128 to 10240",
        ),
        (
            "command = 'f'\nmemory-mb = '128'",
            "up.toml, line 3, column 13: `functions.f.memory-mb`: found string \"128\"; accepted is a whole number from 128 to 10240",
        ),
        (
            "command = 'f'\ntimeout-seconds = 301",
            "up.toml, line 3, column 19: `functions.f.timeout-seconds`: found integer `301`; accepted is a whole number from 1 to 300",
        ),
        (
            "command = 'f'\ntimeout = 3",
            "up.toml, line 3, column 1: unknown key `timeout` in [functions.f]: accepted are command, directory, env, memory-mb, \
             timeout-seconds",
        ),
    ] {
        assert_eq!(error("", &format!("[functions.f]\n{text}")), message, "{text}");
    }
    let message = error("", "[functions.f]\nmemory-mb = 128");
    assert!(message.ends_with(": `functions.f`: missing field `command`"), "{message}");
}

#[test]
fn a_name_is_one_of_a_function() {
    for (name, message) in [
        ("a b", "found `a b`; accepted is the name of a function, of the characters a-z A-Z 0-9 _ -, or its ARN, "),
        ("processor", "found processor; accepted is another name, because it is a word of a stream's `function`"),
        ("none", "found none; accepted is another name, because it is a word of a stream's `function`"),
    ] {
        let error = error("", &format!("[functions.'{name}']\ncommand = 'f'"));
        assert!(error.starts_with(&format!("[functions.{name}] in up.toml: {message}")), "{error}");
    }
    assert_eq!(
        error("", "functions = 1"),
        "up.toml, line 1, column 13: `functions`: invalid type: integer `1`, expected a map"
    );
}

#[test]
fn a_stream_names_a_function() {
    const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:g:live";
    let functions = format!(
        "[functions.f]\ncommand = 'f -v'\ndirectory = '/'\nmemory-mb = 256\ntimeout-seconds = 77\n\
         env = {{ A = 'function', ON_UNKNOWN_KEY = 'function' }}\n[functions.'{ARN}']\ncommand = 'g'\n"
    );
    let streams = format!(
        "[defaults]\nenv = {{ B = 'defaults' }}\n[streams.mysfits-clicks]\nfunction = 'f'\n\
         [streams.b]\nfunction = 'f'\nmemory-mb = 128\ntimeout-seconds = 9\nenv = {{ A = 'stream' }}\n\
         [streams.c]\nfunction = '{ARN}'\n"
    );
    let settings = settings("", &(streams + &functions));
    let env = |key: &str, number: usize| {
        let function = settings.streams[number].function.as_ref().unwrap();
        function.env.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    };
    let (first, second) =
        (settings.streams[0].function.clone().unwrap(), settings.streams[1].function.clone().unwrap());
    for (function, memory_mb, seconds) in [(&first, 256, 77), (&second, 128, 9)] {
        let FunctionSettings { function_name, command, args, directory, .. } = function;
        assert_eq!((function_name.as_str(), command.as_path()), ("f", Path::new("/bin/f")));
        assert_eq!(*args, ["-v"]);
        assert_eq!((directory.as_deref(), function.memory_mb), (Some(Path::new("/")), memory_mb));
        assert_eq!(function.timeout, Duration::from_secs(seconds));
    }
    assert_eq!([env("A", 0), env("A", 1)], [Some("function"), Some("stream")]);
    // Over what is inherited, and with the variables of every stream's function.
    assert_eq!([env("ON_UNKNOWN_KEY", 0), env("B", 0)], [Some("function"), Some("defaults")]);
    assert_eq!(env("AWS_LAMBDA_LOG_FORMAT", 0), Some("JSON"));

    let StreamSettings { function, function_arn, .. } = &settings.streams[2];
    assert_eq!(function_arn.as_deref(), Some(ARN));
    assert_eq!(function.as_ref().map(|function| function.function_name.as_str()), Some("g"));
}
