//! The errors of operations that create, change and delete streams.

use super::request::ApiError;
use crate::control::{Refusal, Status, StreamKind};
use firehose_model::scope::Scope;

/// The codes are those of the API references. The texts of a version (seen), of an existing data stream and of a retention (probed on
/// Kinesis by the kinesalite project) are AWS's; the others are assumptions.
pub(super) fn error(kind: StreamKind, refusal: &Refusal, name: &str, caller: &Scope) -> ApiError {
    let account = &caller.account;
    let (of_kind, in_account, end) = match kind {
        StreamKind::Delivery => ("Firehose", "accountId", ""),
        StreamKind::Data => ("Stream", "account", "."),
    };
    let in_use = |problem: &str| {
        let message = format!("{of_kind} {name} under {in_account} {account} {problem}{end}");
        ApiError::bad_request("ResourceInUseException", message)
    };
    match refusal {
        Refusal::NotFound => ApiError::not_found(of_kind, name, caller),
        Refusal::Exists => in_use("already exists"),
        Refusal::Busy(Status::Active) => in_use("is being changed"),
        Refusal::Busy(status) => in_use(&format!("is in the status {status}")),
        Refusal::RecordsLeft(left) => {
            let advice = "configure the stream again, or move the file away";
            in_use(&format!("was in use before: {} has its records; {advice}", left.display()))
        }
        Refusal::Configured => in_use("is configured at the start of this process; change it there"),
        Refusal::Version { current, given } => {
            let message = format!(
                "Cannot update firehose: {name} since the current version id: {current} and specified version id: {given} do not match"
            );
            ApiError::bad_request("ConcurrentModificationException", message)
        }
        Refusal::Retention { current, given } => {
            let (problem, other) = if given < current { ("shorter", "Decrease") } else { ("longer", "Increase") };
            ApiError::invalid_argument(format!(
                "Requested retention period ({given} hours) for stream {name} can not be {problem} than existing retention period \
                 ({current} hours). Use {other}RetentionPeriod API."
            ))
        }
        // Probed on Kinesis by the kinesalite project.
        Refusal::TooManyTags if kind == StreamKind::Data => ApiError::invalid_argument(refusal.to_string()),
        Refusal::TooManyStreams | Refusal::TooManyTags => {
            ApiError::bad_request("LimitExceededException", refusal.to_string())
        }
        Refusal::Field(_) => ApiError::invalid_argument(refusal.to_string()),
        Refusal::Failed => ApiError::internal_failure(),
    }
}
