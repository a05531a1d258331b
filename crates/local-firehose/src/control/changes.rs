//! Creates and updates streams, and begins their deletion.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::definition::Definition;
use super::processing::FieldError;
use super::refusal::{MAX_STREAMS, Refusal, StartError};
use super::tags::{StreamKind, Tags};
use super::{Control, ControlOptions, DESTINATION_ID, DeliveryStreamEntry, Status, Update};
use crate::stream::{remove_state, state_of};

impl Control {
    /// Runs a change to its end, also if the client of its request disconnects. Changes run one after the other, in the order of their
    /// requests.
    pub(super) async fn changed(
        &self,
        change: impl Future<Output = Result<(), Refusal>> + Send + 'static,
    ) -> Result<(), Refusal> {
        let control = self.clone();
        let changed = tokio::spawn(async move {
            let _changing = control.0.changing.lock().await;
            change.await
        });
        changed.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Creates a stream, which accepts records when this returns. `at` is the member of the request with the destination.
    pub(crate) async fn create(&self, mut definition: Definition, at: &'static str, tags: Tags) -> Result<(), Refusal> {
        let control = self.clone();
        self.changed(async move {
            let ControlOptions { root, functions, state, .. } = &control.0.options;
            let plan = definition.plan(at, root, functions)?;
            definition.source.as_mut().map_or(Ok(()), |source| control.validate_source(source))?;
            let (name, source) = (definition.name.clone(), definition.source.clone());
            {
                let mut created = control.created();
                if control.exists(&created, &name) {
                    return Err(Refusal::Exists);
                }
                if created.streams.len() >= MAX_STREAMS {
                    return Err(Refusal::TooManyStreams);
                }
                // They are those of a stream that is not configured any more, and would be delivered as the new one's.
                if let Some(left) = state.as_deref().and_then(|folder| state_of(folder, &name)) {
                    return Err(Refusal::RecordsLeft(left));
                }
                log_options(&definition);
                created.streams.insert(name.clone(), DeliveryStreamEntry { definition, status: Status::Creating });
                // Instead of those of a stream that was once configured.
                created.set_tags(StreamKind::Delivery, &name, tags);
            }
            let started = match control.save().await {
                Ok(()) => control.start(plan, source).await,
                unsaved => unsaved,
            };
            if let Err(error) = started {
                tracing::error!("could not create the stream {name}: {error}");
                control.forget(&name);
                if let Some(Err(error)) = state.as_deref().map(|folder| remove_state(folder, &name)) {
                    tracing::error!("could not remove the state of the stream {name}: {error}");
                }
                control.save_or_log().await;
                return Err(Refusal::Failed);
            }
            control.set_status(&name, Status::Active);
            Ok(())
        })
        .await
    }

    /// Returns when the deletion is on disk. The stream flushes its records, and then it is removed.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Refusal> {
        let (control, name) = (self.clone(), name.to_owned());
        self.changed(async move {
            match control.status(&name) {
                None => return Err(control.not_created(&name)),
                Some(Status::Creating) => return Err(Refusal::Busy(Status::Creating)),
                Some(Status::Deleting | Status::DeletingFailed) => return Ok(()),
                Some(Status::Active) => control.set_status(&name, Status::Deleting),
            }
            let undo = || control.set_status(&name, Status::Active);
            control.save_or_undo("delete the stream", &name, undo).await?;
            control.finish_deletion(name);
            Ok(())
        })
        .await
    }

    /// Replaces members of a stream's destination.
    pub(crate) async fn update(&self, name: &str, update: Update) -> Result<(), Refusal> {
        let (control, name) = (self.clone(), name.to_owned());
        let Update { version, destination_id, at, change } = update;
        self.changed(async move {
            let Some(DeliveryStreamEntry { definition, status }) = control.describe(&name) else {
                return Err(control.not_created(&name));
            };
            let Some(stream) = control.0.streams.get(&name).filter(|_| status == Status::Active) else {
                return Err(Refusal::Busy(status));
            };
            if version != definition.version.to_string() {
                return Err(Refusal::Version { current: definition.version, given: version });
            }
            if destination_id != DESTINATION_ID {
                let problem = format!("the stream has no destination {destination_id}; accepted is {DESTINATION_ID}");
                return Err(FieldError::new("DestinationId", problem).into());
            }
            let updated = definition.merged(at, change, Timestamp::now().as_millisecond())?;
            let mut plan = updated.plan(at, &control.0.options.root, &control.0.options.functions)?;
            plan.settings.source.clone_from(&stream.settings().source);
            let inner = Arc::clone(&control.0);
            let opened = spawn_blocking(move || -> Result<_, StartError> {
                let buckets = inner.buckets.of(&plan, inner.options.state.is_some())?;
                Ok((plan.settings, buckets))
            });
            let opened = opened.await.unwrap_or(Err(StartError::Panicked));
            let (settings, buckets) = opened.map_err(|error| {
                tracing::error!("could not update the stream {name}: {error}");
                Refusal::Failed
            })?;
            log_options(&updated);
            control.set_definition(&name, updated);
            let undo = || control.set_definition(&name, definition);
            control.save_or_undo("update the stream", &name, undo).await?;
            stream.update(settings, buckets);
            Ok(())
        })
        .await
    }

    fn not_created(&self, name: &str) -> Refusal {
        if self.0.streams.get(name).is_some() { Refusal::Configured } else { Refusal::NotFound }
    }
}

/// What an operator might expect of a definition, and does not find.
fn log_options(definition: &Definition) {
    let Definition { name, destination, .. } = definition;
    let logging = |member: &str| destination.get("CloudWatchLoggingOptions")?.get(member);
    if logging("Enabled") == Some(&Value::Bool(true)) {
        // There is no CloudWatch here: what Firehose would write to a log group is among the lines of this process.
        let text = |member: &str| logging(member).and_then(Value::as_str).unwrap_or("none");
        let (group, stream) = (text("LogGroupName"), text("LogStreamName"));
        tracing::info!("{name}: errors are reported here instead of in the log group {group}, log stream {stream}");
    }
    let processing = |member: &str| destination.get("ProcessingConfiguration")?.get(member);
    let has_processors = processing("Processors").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    // That it is off without the member is an assumption: the API reference has no default.
    if has_processors && processing("Enabled").is_none() {
        tracing::warn!("{name}: ProcessingConfiguration has no Enabled, so its processors are not used");
    }
}
