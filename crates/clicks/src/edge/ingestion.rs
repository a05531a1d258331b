//! The edge's path for the records of a stream.

use local_firehose::stream::{Source, StreamSettings};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IngestionPaths {
    pub(crate) click_stream: Option<String>,
    pub(crate) collector_stream: Option<String>,
}

impl IngestionPaths {
    /// `None`: the edge has no route to the stream, which gets records by an API only.
    pub(crate) fn of(&self, StreamSettings { name, source, .. }: &StreamSettings) -> Option<String> {
        let is = |stream: &Option<String>| stream.as_ref() == Some(name);
        match source {
            Source::DirectPut if is(&self.click_stream) => Some("/clicks".to_owned()),
            // A configured stream reads none that a caller has created.
            Source::DirectPut | Source::DataStream { .. } => None,
            Source::Kinesis(_) if is(&self.collector_stream) => Some("/collect".to_owned()),
            Source::Kinesis(_) => Some(format!("/v2/{name}")),
        }
    }
}
