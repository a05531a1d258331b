//! The errors of the control plane.

use crate::api::request::ApiError;
use crate::control::{Refusal, Status};
use firehose_model::scope::Scope;

/// The codes are those of the API reference; the texts are assumptions, but that of a version, which was seen.
pub(super) fn error(refusal: Refusal, name: &str, caller: &Scope) -> ApiError {
    let account = &caller.account;
    let in_use = |problem: &str| {
        ApiError::bad_request("ResourceInUseException", format!("Firehose {name} under accountId {account} {problem}"))
    };
    match refusal {
        Refusal::NotFound => ApiError::not_found("Firehose", name, caller),
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
        refusal @ (Refusal::TooManyStreams | Refusal::TooManyTags) => {
            ApiError::bad_request("LimitExceededException", refusal.to_string())
        }
        refusal @ (Refusal::Field(_) | Refusal::Retention { .. }) => ApiError::invalid_argument(refusal.to_string()),
        Refusal::Failed => ApiError::internal_failure(),
    }
}
