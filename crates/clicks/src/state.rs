//! The folder of `--state`, as far as the operator should know of it.

use std::path::Path;

use crate::progress;
use local_firehose::stream::{self, DeliveryStream};

/// Reports records of other streams, and permissions of other users. `streams` are those of this process.
pub(crate) fn report(folder: &Path, streams: &[DeliveryStream]) {
    for path in stream::unused_state_files(folder, streams) {
        progress::print(&format!(
            "{} belongs to a stream that is not configured; its records stay there",
            path.display()
        ));
    }
    if state_file::is_open_to_others(folder) {
        let folder = folder.display();
        progress::print(&format!(
            "{folder} (`--state`): found permissions for other users; accepted is a folder of one user (`chmod 700 {folder}`)"
        ));
    }
}
