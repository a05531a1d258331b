//! Transformation events of any size.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The id of a numbered mysfit: a UUID, as in the workshop.
pub(crate) fn mysfit_id(number: usize) -> String {
    format!("{number:08x}-505a-4a90-a694-b9300791f0ae")
}

/// An event of `records` clicks by as many visitors on `mysfits` mysfits, with record ids of 56 digits.
#[must_use]
pub fn batch(records: usize, mysfits: usize) -> String {
    let mut event = String::from(
        r#"{"invocationId":"invocation","deliveryStreamArn":"arn:aws:firehose:us-east-1:123456789012:deliverystream/clicks","region":"us-east-1","records":["#,
    );
    for number in 0..records {
        let visitor = format!("{number:08x}-4f50-6172-8394-a5b6c7d8e9f0");
        let click = format!(r#"{{"userId":"{visitor}","mysfitId":"{}"}}"#, mysfit_id(number * 7 % mysfits));
        let separator = if number == 0 { "" } else { "," };
        let data = STANDARD.encode(click);
        write!(
            event,
            r#"{separator}{{"recordId":"{number:056}","approximateArrivalTimestamp":1700000000000,"data":"{data}"}}"#
        )
        .unwrap();
    }
    event.push_str("]}");
    event
}
