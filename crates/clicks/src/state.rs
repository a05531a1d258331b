//! The folder of `--state`, as far as the operator should know of it.

use std::path::Path;

use local_firehose::registry::Registry;
use local_firehose::stream::{self, DataStream, Source};

/// Reports records of other streams, data streams whose records are lost, and permissions of other users. `streams` are those of this
/// process, before callers create others.
pub(crate) fn report(folder: &Path, streams: &Registry) {
    for path in stream::unused_state_files(folder, &streams.list()) {
        tracing::info!("{} belongs to a stream that is not configured; its records stay there", path.display());
    }
    // A configured one has a delivery stream, which keeps its records.
    let is_created = |data_stream: &DataStream| {
        let delivery = streams.get(data_stream.name());
        delivery.is_none_or(|delivery| !matches!(delivery.settings().source, Source::Kinesis(_)))
    };
    for data_stream in streams.data_streams().iter().filter(|data_stream| is_created(data_stream)) {
        let (name, folder) = (data_stream.name(), folder.display());
        tracing::info!(
            "the data stream {name} begins without records: {folder} (`--state`) has only those that delivery streams have read"
        );
    }
    if state_file::is_open_to_others(folder) {
        let folder = folder.display();
        tracing::info!(
            "{folder} (`--state`): found permissions for other users; accepted is a folder of one user (`chmod 700 {folder}`)"
        );
    }
}
