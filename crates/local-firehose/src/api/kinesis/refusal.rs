//! The errors of operations that create, change and delete data streams.

use crate::api::request::ApiError;
use crate::control::{Refusal, Status};
use firehose_model::scope::Scope;

/// The codes are those of the API reference. The texts of an existing stream and of a retention were probed on Kinesis by the kinesalite
/// project; the others are assumptions.
pub(super) fn error(refusal: &Refusal, name: &str, caller: &Scope) -> ApiError {
    let account = &caller.account;
    let in_use = |problem: &str| {
        let message = format!("Stream {name} under account {account} {problem}.");
        ApiError::bad_request("ResourceInUseException", message)
    };
    match refusal {
        Refusal::NotFound => ApiError::not_found("Stream", name, caller),
        Refusal::Exists => in_use("already exists"),
        Refusal::Busy(Status::Active) => in_use("is being changed"),
        Refusal::Busy(status) => in_use(&format!("is in the status {status}")),
        Refusal::Configured => in_use("is configured at the start of this process; change it there"),
        Refusal::TooManyStreams => ApiError::bad_request("LimitExceededException", refusal.to_string()),
        Refusal::Retention { current, given } => {
            let (problem, other) = if given < current { ("shorter", "Decrease") } else { ("longer", "Increase") };
            ApiError::invalid_argument(format!(
                "Requested retention period ({given} hours) for stream {name} can not be {problem} than existing retention period \
                 ({current} hours). Use {other}RetentionPeriod API."
            ))
        }
        // Kinesis has this code for too many tags, too (probed by the kinesalite project).
        Refusal::TooManyTags | Refusal::Field(_) | Refusal::Version { .. } => {
            ApiError::invalid_argument(refusal.to_string())
        }
        // Data streams leave none.
        Refusal::RecordsLeft(_) | Refusal::Failed => ApiError::internal_failure(),
    }
}

/// The code is that of the API reference, the text is an assumption.
pub(super) fn refuse_dry_run(dry_run: Option<bool>) -> Result<(), ApiError> {
    if dry_run == Some(true) {
        let message = "The request was rejected because the DryRun parameter was specified.";
        return Err(ApiError::bad_request("DryRunOperationException", message));
    }
    Ok(())
}
