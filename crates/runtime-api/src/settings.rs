//! How a function process is started: its command and its environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The region the function believes it runs in.
pub const REGION: &str = "us-east-1";

/// The account the function believes it belongs to: one that can't exist.
pub const ACCOUNT: &str = "000000000000";

/// `PATH` of Lambda's operating-system-only runtimes (Lambda developer guide, "Defined runtime environment variables").
const PATH: &str = "/usr/local/bin:/usr/bin/:/bin:/opt/bin";

/// How a function process is started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The executable: a path; a relative one is resolved against the current folder when the function starts.
    pub command: PathBuf,
    /// What follows the command.
    pub args: Vec<OsString>,
    /// The function's own environment variables. Nothing else is inherited from the caller's environment.
    pub env: Vec<(String, String)>,
    /// The function's name, in its environment and its ARN.
    pub function_name: String,
    /// The memory the function is told it has. Not enforced.
    pub memory_mb: u32,
    /// How long one invocation may take before the process is killed.
    pub timeout: Duration,
    /// How long an invocation waits for a process to ask for its event, before the process is killed. 10 s, Lambda's limit of
    /// a start (Lambda developer guide, "Understanding the Lambda execution environment lifecycle", "Init phase").
    pub init_timeout: Duration,
    /// How long a process that has answered may take to ask for its next event, until when its log lines are counted to the
    /// answered one. 1 s, a choice: a process asks at once, unless it is stuck, and that is no fault of the answer.
    pub settle_timeout: Duration,
}

impl Settings {
    /// The settings of the published stack (`click-processor`, 128 MB, 30 s), and Lambda's limits.
    pub fn new(command: impl Into<PathBuf>) -> Self {
        Self {
            command: command.into(),
            args: Vec::new(),
            env: Vec::new(),
            function_name: "click-processor".to_owned(),
            memory_mb: 128,
            timeout: Duration::from_secs(30),
            init_timeout: Duration::from_secs(10),
            settle_timeout: Duration::from_secs(1),
        }
    }

    /// Adds one environment variable of the function.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// The ARN that the function is invoked by.
    #[must_use]
    pub fn function_arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.function_name)
    }

    /// Everything in the process's environment. The function's own variables win over Lambda's, except for the address of
    /// the Runtime API, without which nothing works.
    pub(crate) fn environment(&self, runtime_api: &str) -> Vec<(OsString, OsString)> {
        let log_group = format!("/aws/lambda/{}", self.function_name);
        let memory = self.memory_mb.to_string();
        // A path without a parent is the root itself.
        let task_root = self.command.parent().unwrap_or(&self.command);
        let lambda = [
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
            ("AWS_LAMBDA_FUNCTION_NAME", &self.function_name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
            ("AWS_REGION", REGION),
            ("LANG", "en_US.UTF-8"),
            ("PATH", PATH),
            ("TZ", ":UTC"),
            ("_HANDLER", "bootstrap"),
        ];
        let own = self.env.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        lambda
            .into_iter()
            .chain(own)
            .chain([("AWS_LAMBDA_RUNTIME_API", runtime_api)])
            .map(|(key, value)| (key.into(), value.into()))
            .chain([("LAMBDA_TASK_ROOT".into(), task_root.into())])
            .collect()
    }
}
