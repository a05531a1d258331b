//! The tags of streams, which a caller may give to any of them.

use std::collections::BTreeMap;

use super::refusal::Refusal;
use super::{Control, Created};

/// The most tags of a stream of either kind (Firehose API reference, "TagDeliveryStream", and Kinesis API reference, "AddTagsToStream").
pub(super) const MAX_TAGS: usize = 50;

/// The tags of a stream. A tag may have no value.
pub(crate) type Tags = BTreeMap<String, Option<String>>;

/// The kind of a stream. Each has names and tags of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Delivery,
    Data,
}

impl Created {
    fn tags(&mut self, kind: StreamKind) -> &mut BTreeMap<String, Tags> {
        match kind {
            StreamKind::Delivery => &mut self.tags,
            StreamKind::Data => &mut self.data_stream_tags,
        }
    }

    /// Replaces all tags of a stream.
    pub(super) fn set_tags(&mut self, kind: StreamKind, name: &str, tags: Tags) {
        let all = self.tags(kind);
        if tags.is_empty() {
            all.remove(name);
        } else {
            all.insert(name.to_owned(), tags);
        }
    }
}

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
    pub(crate) async fn tag(&self, kind: StreamKind, name: &str, tags: Tags) -> Result<(), Refusal> {
        self.change_tags(kind, name, |all| add(all, tags)).await
    }

    /// Removes the tags with these keys. Other keys are ignored.
    pub(crate) async fn untag(&self, kind: StreamKind, name: &str, keys: &[String]) -> Result<(), Refusal> {
        let keys = keys.to_vec();
        self.change_tags(kind, name, move |all| {
            all.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await
    }

    async fn change_tags(
        &self,
        kind: StreamKind,
        name: &str,
        change: impl FnOnce(&mut Tags) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<(), Refusal> {
        let (control, name) = (self.clone(), name.to_owned());
        self.changed(async move {
            let before = control.tags(kind, &name)?;
            let mut after = before.clone();
            change(&mut after)?;
            control.created().set_tags(kind, &name, after);
            let undo = || control.created().set_tags(kind, &name, before);
            control.save_or_undo("keep the tags of the stream", &name, undo).await
        })
        .await
    }

    pub(crate) fn tags(&self, kind: StreamKind, name: &str) -> Result<Tags, Refusal> {
        let mut created = self.created();
        let exists = match kind {
            StreamKind::Delivery => self.exists(&created, name),
            StreamKind::Data => self.0.streams.data_stream(name).is_some(),
        };
        if !exists {
            return Err(Refusal::NotFound);
        }
        Ok(created.tags(kind).get(name).cloned().unwrap_or_default())
    }
}
