//! What the parts of a stream share.

use super::backlog::Backlog;
use super::receipt::Accepted;
use super::settings::StreamSettings;
use super::state::State;
use super::stats::StreamStats;

#[derive(Debug)]
pub(super) struct Context {
    pub(super) settings: StreamSettings,
    /// As error objects name the function, if there is one.
    pub(super) function_arn: Option<String>,
    pub(super) backlog: Backlog,
    pub(super) stats: StreamStats,
}

impl Context {
    /// `left` are the records of an earlier run.
    pub(super) fn new(
        settings: StreamSettings,
        function_arn: Option<String>,
        file: Option<State>,
        left: &[Accepted],
    ) -> Self {
        let backlog = Backlog::new(settings.backlog_bytes, file, left);
        let stats = StreamStats::new(&settings, function_arn.is_some());
        Self { settings, function_arn, backlog, stats }
    }
}
