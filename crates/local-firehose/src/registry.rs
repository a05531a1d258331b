//! The streams of this process, which are added and removed while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::functions::FunctionLog;
use crate::stream::{DataStream, DeliveryStream, Notices, RecordMemory, StreamDeps};

/// Delivery streams and data streams, each by name. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    streams: Arc<RwLock<Streams>>,
    notices: Notices,
    record_memory: RecordMemory,
}

#[derive(Debug, Default)]
struct Streams {
    /// In the order in which they were added.
    delivery: Vec<DeliveryStream>,
    /// Its limits belong to all callers, so each is made once.
    data_streams: BTreeMap<String, DataStream>,
}

/// Another stream of the same kind has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stream {0} already exists")]
pub struct NameTaken(pub String);

impl Registry {
    /// No streams yet, whose recent records share this memory.
    #[must_use]
    pub fn new(record_memory: RecordMemory) -> Self {
        Self { record_memory, ..Self::default() }
    }

    /// Adds a delivery stream, and the data stream that is configured with it.
    pub fn add(&self, delivery: DeliveryStream) -> Result<(), NameTaken> {
        let name = delivery.name().to_owned();
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let data_stream = DataStream::read_by(&delivery);
        let is_taken = streams.delivery.iter().any(|other| other.name() == name);
        if is_taken || data_stream.is_some() && streams.data_streams.contains_key(&name) {
            return Err(NameTaken(name));
        }
        streams.data_streams.extend(data_stream.map(|data_stream| (name, data_stream)));
        streams.delivery.push(delivery);
        Ok(())
    }

    /// Removes a delivery stream that has no configured data stream. It still runs.
    pub fn remove(&self, name: &str) -> Option<DeliveryStream> {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let position = streams.delivery.iter().position(|delivery| delivery.name() == name)?;
        Some(streams.delivery.remove(position))
    }

    /// Adds a data stream. A delivery stream may have the same name.
    pub fn add_data_stream(&self, data_stream: DataStream) -> Result<(), NameTaken> {
        let name = data_stream.name().to_owned();
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        if streams.data_streams.contains_key(&name) {
            return Err(NameTaken(name));
        }
        streams.data_streams.insert(name, data_stream);
        Ok(())
    }

    /// Removes a data stream that is not configured.
    pub fn remove_data_stream(&self, name: &str) -> Option<DataStream> {
        self.streams.write().unwrap_or_else(PoisonError::into_inner).data_streams.remove(name)
    }

    /// The delivery stream of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<DeliveryStream> {
        self.read().delivery.iter().find(|delivery| delivery.name() == name).cloned()
    }

    /// The data stream of this name.
    #[must_use]
    pub fn data_stream(&self, name: &str) -> Option<DataStream> {
        self.read().data_streams.get(name).cloned()
    }

    /// All delivery streams by name.
    #[must_use]
    pub fn list(&self) -> Vec<DeliveryStream> {
        let mut all = self.by_age();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// All delivery streams in the order in which they were added.
    #[must_use]
    pub fn by_age(&self) -> Vec<DeliveryStream> {
        self.read().delivery.clone()
    }

    /// All data streams by name.
    #[must_use]
    pub fn data_streams(&self) -> Vec<DataStream> {
        self.read().data_streams.values().cloned().collect()
    }

    /// What its streams are started with.
    #[must_use]
    pub fn deps(&self, function_log: Arc<FunctionLog>) -> StreamDeps {
        StreamDeps { function_log, notices: self.notices.clone(), record_memory: self.record_memory.clone() }
    }

    /// What happens in the streams that are started with these notices.
    #[must_use]
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    fn read(&self) -> RwLockReadGuard<'_, Streams> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Timestamp;

    use super::*;
    use crate::functions::FunctionLog;
    use crate::stream::{DataStreamSettings, RetentionMemory, Source, StreamSettings};
    use object_storage::Bucket;

    fn stream(folder: &Path, name: &str, source: Source) -> DeliveryStream {
        let settings = StreamSettings { source, ..StreamSettings::untransformed(name, folder) };
        let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
        let log = Arc::new(FunctionLog::open(&folder.join("function.log"), false).unwrap());
        DeliveryStream::start(settings, bucket, log, None).unwrap()
    }

    fn names(streams: &[DeliveryStream]) -> Vec<&str> {
        streams.iter().map(DeliveryStream::name).collect()
    }

    #[tokio::test]
    async fn streams_are_added_and_removed_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (registry, other) = (Registry::default(), Registry::default());
        let clone = registry.clone();
        registry.add(stream(folder.path(), "b", Source::DirectPut)).unwrap();
        clone.add(stream(folder.path(), "a", Source::Kinesis(DataStreamSettings::default()))).unwrap();
        let again = registry.add(stream(folder.path(), "b", Source::DirectPut));
        assert_eq!(again, Err(NameTaken("b".to_owned())));
        assert_eq!((names(&registry.list()), names(&registry.by_age())), (vec!["a", "b"], vec!["b", "a"]));
        assert!(registry.get("b").is_some() && registry.data_stream("b").is_none());
        assert_eq!(registry.data_streams().iter().map(DataStream::name).collect::<Vec<_>>(), ["a"]);

        assert_eq!(clone.remove("b").map(|removed| removed.name().to_owned()), Some("b".to_owned()));
        assert!(registry.remove("b").is_none() && registry.get("b").is_none());
        assert_eq!(names(&registry.list()), ["a"]);
        assert!(other.list().is_empty());
    }

    #[tokio::test]
    async fn a_data_stream_may_have_the_name_of_a_delivery_stream() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::default();
        let created = || {
            let memory = RetentionMemory::new(1000);
            DataStream::retained("a", Timestamp::now(), DataStreamSettings::default(), 24, memory, Notices::default())
        };
        registry.add(stream(folder.path(), "a", Source::DirectPut)).unwrap();
        registry.add_data_stream(created()).unwrap();
        assert_eq!(registry.add_data_stream(created()), Err(NameTaken("a".to_owned())));
        assert!(registry.remove("a").is_some() && registry.data_stream("a").is_some());
        let configured = || stream(folder.path(), "a", Source::Kinesis(DataStreamSettings::default()));
        assert_eq!(registry.add(configured()), Err(NameTaken("a".to_owned())));
        assert!(registry.remove_data_stream("a").is_some() && registry.data_stream("a").is_none());
        registry.add(configured()).unwrap();
        assert_eq!(registry.add_data_stream(created()), Err(NameTaken("a".to_owned())));
    }

    #[tokio::test]
    async fn callers_share_the_limits_of_a_data_stream() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::default();
        registry.add(stream(folder.path(), "a", Source::Kinesis(DataStreamSettings::default()))).unwrap();
        let [first, second] = [registry.data_stream("a").unwrap(), registry.data_stream("a").unwrap()];
        assert!(first.shares_limits_with(&second));
    }
}
