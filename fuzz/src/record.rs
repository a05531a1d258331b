//! The data of one record: clicks, or anything else.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use click_processor::Reason;
use click_processor::click::{Click, Clicks, LineFormat, RecordMetadata};
use click_processor::config::Config;
use click_processor::lookup::OwnedAttributes;

use crate::json::{Members, copied, text};
use crate::line::{ALL_FIELDS, assert_line, config};

static CONFIGS: LazyLock<[Config; 2]> = LazyLock::new(|| [config(&[]), config(&ALL_FIELDS)]);

/// Another record in the batch.
const NEIGHBOUR: &[u8] = br#"{"userId":"neighbour","mysfitId":"next-door"}"#;

/// - It is accepted if and only if it is objects, each with valid ids and kept fields that fit into a line.
/// - Each click has one line with its values.
/// - The fast path for the canonical form and the general path agree.
/// - It does not affect other records of the batch.
pub fn check(data: &[u8]) {
    for config in &*CONFIGS {
        check_configured(data, expected(data, &config.click_fields).as_deref(), config);
    }
}

fn check_configured(data: &[u8], expected: Option<&[Members]>, config: &Config) {
    // A leading space disables the fast path.
    let general_path = [b" ", data].concat();
    let line = LineFormat::new(config);
    let batch = Clicks::parse([data, NEIGHBOUR, &general_path].into_iter().map(Ok), line.extra_fields());
    let ids = batch.mysfit_ids();
    let records: Vec<Result<Vec<&Click>, Reason>> = batch
        .records()
        .map(|clicks| {
            let id_is_known = |(click, mysfit): (_, usize)| {
                let click: &Click = click;
                assert_eq!(click.mysfit_id, ids[mysfit]);
                click
            };
            clicks.map(|clicks| clicks.map(id_is_known).collect())
        })
        .collect();
    let clicked: BTreeSet<&str> = records.iter().flatten().flatten().map(|click| &*click.mysfit_id).collect();
    assert_eq!(ids.len(), clicked.len(), "each mysfit of an accepted click is looked up once, and no other: {ids:?}");
    let [fast, neighbour, general] = records.as_slice() else { panic!("{} records", records.len()) };
    assert_eq!(fast, general, "the two paths differ");
    assert!(matches!(neighbour.as_deref(), Ok([click]) if click.user_id == "neighbour"), "{neighbour:?}");

    match (fast, expected) {
        (Ok(clicks), Some(expected)) => {
            assert_eq!(clicks.len(), expected.len());
            for (click, members) in clicks.iter().zip(expected) {
                check_click(click, members, config);
            }
        }
        (Err(reason), None) => {
            assert_eq!(*reason == Reason::InvalidUtf8, str::from_utf8(data).is_err());
            assert_eq!(*reason == Reason::Empty, data.trim_ascii().is_empty());
        }
        (fast, expected) => panic!("{fast:?}, and not {expected:?}"),
    }
}

fn check_click(click: &Click, members: &Members, config: &Config) {
    let said = |name| members.get(name).and_then(text);
    assert_eq!(Some(&*click.user_id), said("userId").as_deref());
    assert_eq!(Some(&*click.mysfit_id), said("mysfitId").as_deref());
    let metadata =
        LineFormat::new(config).record_metadata(|| Some("2026-11-20T08:22:01.000Z".to_owned()), || Some("\"\n".into()));
    let unknown = OwnedAttributes::unknown(&config.mysfit_attributes);
    let line = assert_line(config, click, members, unknown.view(), &metadata);
    // Without record fields, a line is short.
    assert!(metadata != RecordMetadata::default() || line.len() < 2_000, "{} bytes", line.len());
}

/// The clicks in a record's data with the fields `kept`; `None` if the record fails. Follows the documented reasons.
pub(crate) fn expected<'d>(data: &'d [u8], kept: &[String]) -> Option<Vec<Members<'d>>> {
    let text = str::from_utf8(data).ok().filter(|text| !text.trim_ascii().is_empty())?;
    let clicks: Result<Vec<Members>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    clicks.ok().filter(|clicks| clicks.iter().all(|click| is_click(click, kept)))
}

fn is_click(members: &Members, kept: &[String]) -> bool {
    has_valid_ids(members) && kept.iter().filter_map(|name| members.get(name)).all(|value| copied(value).is_some())
}

fn has_valid_ids(members: &Members) -> bool {
    let said = |name| members.get(name).and_then(text);
    let (Some(user_id), Some(mysfit_id)) = (said("userId"), said("mysfitId")) else { return false };
    let may_be_in_an_id = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    user_id.len() <= 256 && (1..=128).contains(&mysfit_id.len()) && mysfit_id.chars().all(may_be_in_an_id)
}
