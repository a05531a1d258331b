//! Times as AWS's JSON has them.

use serde::{Serialize, Serializer};

/// Seconds since 1970 with their milliseconds.
pub(super) struct Seconds {
    pub(super) ms: i64,
}

impl Serialize for Seconds {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age have 41 bits")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.ms as f64 / 1000.0)
    }
}
