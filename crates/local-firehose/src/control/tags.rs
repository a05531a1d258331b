//! The tags of streams, which a caller may give to any of them.

use std::collections::BTreeMap;

use super::Control;
use super::refusal::Refusal;

/// The most tags of a stream (API reference, "TagDeliveryStream").
pub(super) const MAX_TAGS: usize = 50;

/// The tags of a stream. A tag may have no value.
pub(crate) type Tags = BTreeMap<String, Option<String>>;

impl Control {
    /// Adds tags, or replaces those with the same keys.
    pub(crate) async fn tag(&self, name: &str, tags: Tags) -> Result<(), Refusal> {
        self.change_tags(name, |all| {
            let added = tags.keys().filter(|key| !all.contains_key(*key)).count();
            if all.len() + added > MAX_TAGS {
                return Err(Refusal::TooManyTags);
            }
            all.extend(tags);
            Ok(())
        })
        .await
    }

    /// Removes the tags with these keys. Other keys are ignored.
    pub(crate) async fn untag(&self, name: &str, keys: &[String]) -> Result<(), Refusal> {
        self.change_tags(name, |all| {
            all.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await
    }

    async fn change_tags(
        &self,
        name: &str,
        change: impl FnOnce(&mut Tags) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.describe(name).ok_or(Refusal::NotFound)?;
        change(self.created().tags.entry(name.to_owned()).or_default())?;
        self.save().await.map_err(|error| {
            tracing::error!("could not keep the tags of the stream {name}: {error}");
            Refusal::Failed
        })
    }

    /// The tags of a stream.
    pub(crate) fn tags(&self, name: &str) -> Result<Tags, Refusal> {
        self.describe(name).ok_or(Refusal::NotFound)?;
        Ok(self.created().tags.get(name).cloned().unwrap_or_default())
    }
}
