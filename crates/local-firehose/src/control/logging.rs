//! The CloudWatch logging options of a delivery stream.

use serde_json::Value;

use super::definition::Definition;

/// There is no CloudWatch here: what Firehose would write to a log group is among the lines of this process.
pub(super) fn log_options(definition: &Definition) {
    let options = definition.destination.get("CloudWatchLoggingOptions");
    let text = |member: &str| options.and_then(|options| options.get(member)).and_then(Value::as_str).unwrap_or("none");
    if options.and_then(|options| options.get("Enabled")).is_some_and(|enabled| *enabled == true) {
        let (name, group, stream) = (&definition.name, text("LogGroupName"), text("LogStreamName"));
        tracing::info!("{name}: errors are reported here instead of in the log group {group}, log stream {stream}");
    }
}
