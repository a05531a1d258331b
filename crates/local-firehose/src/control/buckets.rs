//! The buckets that streams have open, each once.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::definition::Plan;
use crate::stream::Buckets;
use object_storage::{Bucket, BucketError, Destination};

/// To open a folder removes the unfinished uploads of an earlier process, so one that is in use is not opened again.
#[derive(Debug, Default)]
pub(super) struct OpenBuckets(Mutex<Vec<(Destination, Weak<Bucket>)>>);

impl OpenBuckets {
    /// A folder is created here; a missing bucket is detected when the first object is put.
    pub(super) fn of(&self, plan: &Plan, durable: bool) -> Result<Buckets, BucketError> {
        let objects = self.open(&plan.settings.destination, durable)?;
        let backup = self.open(&plan.backup, durable)?;
        Ok(Buckets { objects, backup })
    }

    fn open(&self, destination: &Destination, durable: bool) -> Result<Arc<Bucket>, BucketError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, bucket)| bucket.strong_count() > 0);
        let found = open.iter().find(|(at, _)| at == destination).and_then(|(_, bucket)| bucket.upgrade());
        if let Some(bucket) = found {
            return Ok(bucket);
        }
        let bucket = Arc::new(Bucket::open(destination, durable)?);
        open.push((destination.clone(), Arc::downgrade(&bucket)));
        Ok(bucket)
    }
}
