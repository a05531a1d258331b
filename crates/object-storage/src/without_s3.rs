//! Stands for [`S3`](super::s3::S3) in a build without the feature `s3`. It has no value, so no method is ever called.

use std::future::Ready;

use bytes::Bytes;

use super::{BucketError, ObjectStart, StoredObject};

#[derive(Debug, Clone)]
pub(super) enum S3 {}

#[derive(Debug)]
pub(super) struct PutRefused {
    pub(super) cause: String,
    pub(super) is_perhaps_the_key: bool,
}

pub(super) fn environment(_name: &str) -> Option<String> {
    None
}

impl S3 {
    pub(super) fn open<F>(_variable: F, bucket: &str, _endpoint: Option<&str>) -> Result<Self, BucketError> {
        let cause = "this build is without the feature `s3`".to_owned();
        Err(BucketError::Operation { operation: "set up", place: format!("s3://{bucket}"), cause })
    }

    pub(super) fn put(&self, _key: &str, _bytes: Bytes, _encoding: Option<&str>) -> Ready<Result<(), PutRefused>> {
        match *self {}
    }

    pub(super) fn start(&self, _key: &str, _at_most: usize) -> Ready<Result<Option<ObjectStart>, String>> {
        match *self {}
    }

    pub(super) fn head(&self, _key: &str) -> Ready<Result<Option<StoredObject>, String>> {
        match *self {}
    }

    pub(super) fn list(&self, _prefix: &str) -> Ready<Result<Vec<StoredObject>, String>> {
        match *self {}
    }

    pub(super) fn range(&self, _key: &str, _from: u64, _to: u64) -> Ready<Result<Bytes, String>> {
        match *self {}
    }

    pub(super) fn rename(&self, _key: &str, _to: &str) -> Ready<Result<(), String>> {
        match *self {}
    }
}
