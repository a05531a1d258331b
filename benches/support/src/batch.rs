//! Transformation events of any size.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How a click is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClickFormat {
    /// Nothing but the two fields of module 5, without white space.
    Compact,
    /// With a space after each colon and comma, as Python and many services write.
    Spaced,
    /// A member per line.
    Pretty,
    /// The two fields in the other order.
    OtherOrder,
    /// The four fields that our page sends, two of which are dropped.
    Page,
    /// The same, all of which are kept.
    Kept,
}

impl ClickFormat {
    /// Every format.
    pub const ALL: [Self; 6] = [Self::Compact, Self::Spaced, Self::Pretty, Self::OtherOrder, Self::Page, Self::Kept];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Spaced => "with spaces",
            Self::Pretty => "pretty-printed",
            Self::OtherOrder => "other order",
            Self::Page => "two more fields, dropped",
            Self::Kept => "two more fields, kept",
        }
    }

    /// The variables that the processor needs besides the URL.
    #[must_use]
    pub fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Kept => &[("EVENT_FIELDS", "userId,mysfitId,clickId,clickedAt")],
            _ => &[],
        }
    }

    fn click(self, number: usize, mysfits: usize) -> String {
        let user = format!("{number:08x}-4f50-6172-8394-a5b6c7d8e9f0");
        let mysfit = mysfit_id(number * 7 % mysfits);
        match self {
            Self::Compact => format!(r#"{{"userId":"{user}","mysfitId":"{mysfit}"}}"#),
            Self::Spaced => format!(r#"{{"userId": "{user}", "mysfitId": "{mysfit}"}}"#),
            Self::Pretty => format!("{{\n  \"userId\": \"{user}\",\n  \"mysfitId\": \"{mysfit}\"\n}}\n"),
            Self::OtherOrder => format!(r#"{{"mysfitId":"{mysfit}","userId":"{user}"}}"#),
            Self::Page | Self::Kept => format!(
                r#"{{"userId":"{user}","mysfitId":"{mysfit}","clickId":"{number:08x}-0f3c-4c1e-9d0b-8a5a3f0e7d61","clickedAt":"2026-11-20T08:22:01.000Z"}}"#
            ),
        }
    }
}

/// The id of a numbered mysfit: a UUID, as in the workshop.
pub(crate) fn mysfit_id(number: usize) -> String {
    format!("{number:08x}-505a-4a90-a694-b9300791f0ae")
}

/// An event of `records` compact clicks by as many visitors on `mysfits` mysfits, with record ids of 56 digits.
#[must_use]
pub fn batch(records: usize, mysfits: usize) -> String {
    batch_of(ClickFormat::Compact, records, mysfits)
}

/// As [`batch`], with clicks of any format.
#[must_use]
pub fn batch_of(format: ClickFormat, records: usize, mysfits: usize) -> String {
    let mut event = String::from(
        r#"{"invocationId":"invocation","deliveryStreamArn":"arn:aws:firehose:us-east-1:123456789012:deliverystream/clicks","region":"us-east-1","records":["#,
    );
    for number in 0..records {
        let separator = if number == 0 { "" } else { "," };
        let data = STANDARD.encode(format.click(number, mysfits));
        write!(
            event,
            r#"{separator}{{"recordId":"{number:056}","approximateArrivalTimestamp":1700000000000,"data":"{data}"}}"#
        )
        .unwrap();
    }
    event.push_str("]}");
    event
}
