//! The buckets that streams have open, each once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::definition::Plan;
use crate::stream::Buckets;
use object_storage::{Bucket, BucketError, Destination};

/// To open a folder reads all of it, so one that is in use is not opened again.
#[derive(Debug, Default)]
pub(super) struct OpenBuckets(Mutex<Vec<(Destination, Weak<Bucket>)>>);

impl OpenBuckets {
    /// A folder is created here; a missing bucket is detected when the first object is put. It blocks the thread.
    pub(super) fn of(&self, plan: &Plan, durable: bool) -> Result<Buckets, BucketError> {
        let objects = self.open(&plan.settings.destination, durable)?;
        let backup = self.open(&plan.backup, durable)?;
        Ok(Buckets { objects, backup })
    }

    fn open(&self, destination: &Destination, durable: bool) -> Result<Arc<Bucket>, BucketError> {
        if let Some(bucket) = self.find(destination) {
            return Ok(bucket);
        }
        // Without the lock: other streams do not wait until a folder is read.
        let bucket = Arc::new(Bucket::open(destination, durable)?);
        self.open_buckets().push((destination.clone(), Arc::downgrade(&bucket)));
        Ok(bucket)
    }

    fn find(&self, destination: &Destination) -> Option<Arc<Bucket>> {
        let mut open = self.open_buckets();
        open.retain(|(_, bucket)| bucket.strong_count() > 0);
        open.iter().find(|(at, _)| at == destination).and_then(|(_, bucket)| bucket.upgrade())
    }

    fn open_buckets(&self) -> MutexGuard<'_, Vec<(Destination, Weak<Bucket>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
