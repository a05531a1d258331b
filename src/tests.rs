//! Reading events, reading the list and writing lines, together.

use firehose_transform::Event;

use crate::config::Config;
use crate::event::{InputEvents, LineFormat, RecordMetadata};
use crate::lookup::service_response::{ItemFormat, ListEntry, parse_list};
use crate::reason::Reason;

const EVENT: &[u8] = include_bytes!("../fixtures/poisoned.json");
const LIST: &[u8] = include_bytes!("../fixtures/service/python-list.json");

/// The lines of each record of the fixture; without those of unknown keys.
fn lines(variables: &[(&str, &str)]) -> Vec<Result<String, Reason>> {
    let url = ("LOOKUP_API_URL", "http://127.0.0.1");
    let config = Config::read(&variables.iter().copied().chain([url]).collect()).unwrap();
    let format = LineFormat::new(&config);
    let list = parse_list(LIST, &ItemFormat::new(&config)).unwrap();
    let event = Event::parse(EVENT).unwrap();
    let inputs = InputEvents::parse(event.records().map(|record| Ok(record?.text()?)), format.event_format());
    let keys = inputs.keys();
    let lines = inputs.records().map(|record| {
        let mut lines = Vec::new();
        for (input, key) in record? {
            if let Some(ListEntry::Complete(id)) = list.get(keys[key]) {
                format.write(input, list.attributes(id), &RecordMetadata::default(), usize::MAX, &mut lines);
            }
        }
        Ok(String::from_utf8(lines).unwrap())
    });
    lines.collect()
}

#[test]
fn a_pointer_to_a_member_is_that_member() {
    let expected = lines(&[]);
    assert!(expected.iter().flatten().any(|lines| lines.contains("species")));
    for variable in [
        ("LOOKUP_KEY", "mysfitId=/mysfitId"),
        ("LOOKUP_LIST_KEY", "id=/mysfitId"),
        ("LOOKUP_ATTRIBUTES", "goodevil=/goodevil,lawchaos=/lawchaos,species=/species"),
        ("EVENT_FIELDS", "userId=/userId,mysfitId=/mysfitId"),
    ] {
        assert_eq!(lines(&[variable]), expected, "{variable:?}");
    }
}
