//! The region and the account of a local ARN.

use serde::{Deserialize, Serialize};

use crate::{ACCOUNT, REGION};

/// The region and the account of an ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Such as `us-east-1`.
    pub region: String,
    /// 12 digits.
    pub account: String,
}

impl Default for Scope {
    fn default() -> Self {
        Self { region: REGION.to_owned(), account: ACCOUNT.to_owned() }
    }
}

impl Scope {
    /// The ARN of a delivery stream.
    #[must_use]
    pub fn delivery_stream_arn(&self, name: &str) -> String {
        format!("arn:aws:firehose:{}:{}:deliverystream/{name}", self.region, self.account)
    }

    /// The ARN of a data stream.
    #[must_use]
    pub fn data_stream_arn(&self, name: &str) -> String {
        format!("arn:aws:kinesis:{}:{}:stream/{name}", self.region, self.account)
    }
}
