use std::path::Path;

use super::*;
use firehose_model::batch::{DEFAULT_BUFFER_RECORDS, MB};

impl StreamSettings {
    /// A stream without a function, into a folder.
    pub(crate) fn untransformed(name: &str, folder: &Path) -> Self {
        let error_prefix = Prefix::for_errors("errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/");
        Self {
            name: name.to_owned(),
            scope: Scope::default(),
            source: Source::DirectPut,
            version: 1,
            function: None,
            function_arn: None,
            buffer: Buffering { bytes: MB, interval: Duration::from_secs(1) },
            buffer_records: DEFAULT_BUFFER_RECORDS as usize,
            concurrency: 5,
            retries: 3,
            processors: Processors::default(),
            destination: Destination::Folder(folder.to_owned()),
            destination_buffer: Buffering { bytes: 5 * MB, interval: Duration::from_secs(3) },
            prefix: Prefix::parse("firehose/", false).unwrap(),
            error_prefix: error_prefix.unwrap(),
            time_zone: TimeZone::UTC,
            compression: Compression::None,
            file_extension: None,
            backup_prefix: None,
            backup_compression: Compression::None,
            dynamic_partitioning: false,
            backlog_bytes: 256 * MB,
            count_fields: vec!["id".to_owned()],
        }
    }
}
