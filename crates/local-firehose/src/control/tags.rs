//! The tags of streams, which a caller may give to any of them.

use std::collections::BTreeMap;

use super::Control;
use super::refusal::Refusal;

/// The most tags of a stream of either kind (Firehose API reference, "TagDeliveryStream", and Kinesis API reference, "AddTagsToStream").
pub(super) const MAX_TAGS: usize = 50;

/// The tags of a stream. A tag may have no value.
pub(crate) type Tags = BTreeMap<String, Option<String>>;

/// Adds tags, or replaces those with the same keys.
pub(super) fn add(all: &mut Tags, tags: Tags) -> Result<(), Refusal> {
    let added = tags.keys().filter(|key| !all.contains_key(*key)).count();
    if all.len() + added > MAX_TAGS {
        return Err(Refusal::TooManyTags);
    }
    all.extend(tags);
    Ok(())
}

impl Control {
    /// Adds tags, or replaces those with the same keys.
    pub(crate) async fn tag(&self, name: &str, tags: Tags) -> Result<(), Refusal> {
        self.change_tags(name, |all| add(all, tags)).await
    }

    /// Removes the tags with these keys. Other keys are ignored.
    pub(crate) async fn untag(&self, name: &str, keys: &[String]) -> Result<(), Refusal> {
        let keys = keys.to_vec();
        self.change_tags(name, move |all| {
            all.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await
    }

    async fn change_tags(
        &self,
        name: &str,
        change: impl FnOnce(&mut Tags) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<(), Refusal> {
        let (control, name) = (self.clone(), name.to_owned());
        self.changed(async move { control.change_tags_whole(&name, change).await }).await
    }

    async fn change_tags_whole(
        &self,
        name: &str,
        change: impl FnOnce(&mut Tags) -> Result<(), Refusal> + Send,
    ) -> Result<(), Refusal> {
        let before = {
            let mut created = self.created();
            if !self.exists(&created, name) {
                return Err(Refusal::NotFound);
            }
            let before = created.tags.get(name).cloned().unwrap_or_default();
            let mut after = before.clone();
            change(&mut after)?;
            created.tags.insert(name.to_owned(), after);
            before
        };
        if let Err(error) = self.save().await {
            tracing::error!("could not keep the tags of the stream {name}: {error}");
            self.created().tags.insert(name.to_owned(), before);
            return Err(Refusal::Failed);
        }
        Ok(())
    }

    /// The tags of a stream.
    pub(crate) fn tags(&self, name: &str) -> Result<Tags, Refusal> {
        let created = self.created();
        if !self.exists(&created, name) {
            return Err(Refusal::NotFound);
        }
        Ok(created.tags.get(name).cloned().unwrap_or_default())
    }
}
