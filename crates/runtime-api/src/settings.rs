//! The settings of a function process: its command and its environment.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;

/// The region in the function's environment.
pub const REGION: &str = "us-east-1";
/// The account in the function's ARN, which can't exist.
pub const ACCOUNT: &str = "000000000000";
/// `PATH` of Lambda's operating-system-only runtimes (Lambda developer guide, "Defined runtime environment variables").
const PATH: &str = "/usr/local/bin:/usr/bin/:/bin:/opt/bin";

/// The settings of a function process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSettings {
    /// The path of the executable. A relative one is resolved against the current folder when the function is created.
    pub command: PathBuf,
    /// The arguments of the command.
    pub args: Vec<OsString>,
    /// The process's working directory and `LAMBDA_TASK_ROOT`. A relative one is resolved like the path of the executable. `None`: the
    /// current folder.
    pub directory: Option<PathBuf>,
    /// The function's environment variables. The caller's environment is not inherited.
    pub env: Vec<(String, String)>,
    /// The function's name, in its environment and its ARN.
    pub function_name: String,
    /// The function's ARN in its context. `None`: one of [`REGION`] and [`ACCOUNT`] with its name.
    pub arn: Option<String>,
    /// The memory size in the environment. Not enforced.
    pub memory_mb: u32,
    /// The time-out of an invocation, after which the process is killed.
    pub timeout: Duration,
    /// The time-out of a start: the process is killed if it requests no event. 10 s, as in Lambda (Lambda developer guide, "Understanding the
    /// Lambda execution environment lifecycle", "Init phase").
    pub init_timeout: Duration,
    /// How long a process may take from its response to its next request. Log lines until then belong to the invocation. 1 s by default: a
    /// process requests the next event immediately, unless it is stuck.
    pub settle_timeout: Duration,
}

impl FunctionSettings {
    /// A function named after its command, with 128 MB, 30 seconds, and Lambda's limits.
    pub fn new(command: impl Into<PathBuf>) -> Self {
        let command = command.into();
        Self {
            function_name: command.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            command,
            args: Vec::new(),
            directory: None,
            env: Vec::new(),
            arn: None,
            memory_mb: 128,
            timeout: Duration::from_secs(30),
            init_timeout: Duration::from_secs(10),
            settle_timeout: Duration::from_secs(1),
        }
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// The function's ARN.
    #[must_use]
    pub fn function_arn(&self) -> String {
        let default = || format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.function_name);
        self.arn.clone().unwrap_or_else(default)
    }

    fn region(&self) -> &str {
        let region = self.arn.as_deref().and_then(|arn| arn.split(':').nth(3));
        region.filter(|region| !region.is_empty()).unwrap_or(REGION)
    }

    /// The function's variables override Lambda's, except for the address of the Runtime API.
    pub(crate) fn set_environment(&self, command: &mut Command, runtime_api: &str) {
        let log_group = format!("/aws/lambda/{}", self.function_name);
        let memory = self.memory_mb.to_string();
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        // As on Lambda, both are the same folder.
        let task_root = self.directory.clone().or_else(|| env::current_dir().ok()).unwrap_or_default();
        let lambda = [
            ("AWS_DEFAULT_REGION", self.region()),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
            ("AWS_LAMBDA_FUNCTION_NAME", &self.function_name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
            ("AWS_REGION", self.region()),
            ("LANG", "en_US.UTF-8"),
            ("PATH", PATH),
            ("TZ", ":UTC"),
            ("_HANDLER", "bootstrap"),
        ];
        command
            .env_clear()
            .envs(lambda)
            .envs(self.env.iter().cloned())
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("LAMBDA_TASK_ROOT", task_root);
    }
}
