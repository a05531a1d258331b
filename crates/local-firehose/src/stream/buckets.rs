//! The buckets that a stream writes to.

use std::sync::Arc;

use super::stats::Kind;
use object_storage::Bucket;

/// The bucket of delivered and failed records, and that of the source backup. Clones share them.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// Delivered records and error objects.
    pub objects: Arc<Bucket>,
    /// The source backup.
    pub backup: Arc<Bucket>,
}

/// One bucket for everything.
impl From<Arc<Bucket>> for Buckets {
    fn from(bucket: Arc<Bucket>) -> Self {
        Self { backup: Arc::clone(&bucket), objects: bucket }
    }
}

impl Buckets {
    pub(super) fn of(&self, kind: Kind) -> &Arc<Bucket> {
        match kind {
            Kind::Delivered | Kind::Error(_) => &self.objects,
            Kind::Backup => &self.backup,
        }
    }
}
