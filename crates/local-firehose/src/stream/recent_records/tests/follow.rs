use super::*;

fn followed(records: &RecentRecords, follower: &mut Follower) -> Vec<String> {
    let text = |record: Value| match record["missed"].as_u64() {
        Some(missed) => format!("{missed} missed"),
        None => record["data"]["text"].as_str().unwrap().to_owned(),
    };
    records.next(follower).iter().map(|record| text(serde_json::to_value(record).unwrap())).collect()
}

#[test]
fn followers_get_each_record_from_their_start_on() {
    let records = store();
    accept(&records, &[b"before"]);
    let mut inputs = records.follow(TapFilter::In, None);
    let mut outputs = records.follow(TapFilter::Out, None);
    let mut failed = records.follow(TapFilter::Failed, None);
    let mut with_text = records.follow(TapFilter::In, Some("B".to_owned()));
    assert_eq!(followed(&records, &mut inputs), [] as [&str; 0]);
    let accepted = accept(&records, &[b"a", b"b", b"c"]);
    assert_eq!(followed(&records, &mut inputs), ["a", "b", "c"]);
    assert_eq!(followed(&records, &mut with_text), ["b"]);
    assert_eq!(followed(&records, &mut outputs), [] as [&str; 0]);

    let mut outcomes = records.outcomes(None);
    outcomes.delivered(&accepted[2].receipt, Some(b"C"));
    outcomes.failed(&accepted[1].receipt, &accepted[1].record, ErrorCode::ProcessingFailed, 1);
    outcomes.dropped(&accepted[0].receipt);
    records.end(outcomes);
    assert_eq!(followed(&records, &mut outputs), ["C"]);
    assert_eq!(followed(&records, &mut failed), ["b"]);
    for follower in [&mut inputs, &mut outputs, &mut failed] {
        assert_eq!(followed(&records, follower), [] as [&str; 0]);
    }
}

#[test]
fn a_slow_follower_gets_the_number_of_what_it_missed() {
    let records = store();
    let mut inputs = records.follow(TapFilter::In, Some("last".to_owned()));
    let mut outputs = records.follow(TapFilter::Out, None);
    for _ in 0..200 {
        for accepted in accept(&records, &[&[b'x'; 1000][..]; 100]) {
            deliver(&records, &accepted.receipt, b"");
        }
    }
    let kept = records.find(&RecordQuery { limit: 1, ..RecordQuery::default() }).kept as u64;
    accept(&records, &[b"the last"]);
    let all = |follower: &mut Follower| {
        let (mut missed, mut texts) = (0, Vec::new());
        loop {
            let chunk = followed(&records, follower);
            if chunk.is_empty() {
                return (missed, texts);
            }
            for text in chunk {
                match text.strip_suffix(" missed") {
                    Some(number) => missed += number.parse::<u64>().unwrap(),
                    None => texts.push(text),
                }
            }
        }
    };
    let (missed, texts) = all(&mut inputs);
    assert_eq!(texts, ["the last"]);
    assert!((20_000 - kept..=20_000 - kept + 1).contains(&missed), "{missed} of {kept}");
    let (missed, texts) = all(&mut outputs);
    assert_eq!(missed + texts.len() as u64, 20_000);
}

#[test]
fn a_batch_of_many_records_is_followed_as_a_whole() {
    let records = RecordMemory::new(16 * MB).share();
    let mut failed = records.follow(TapFilter::Failed, None);
    let accepted = accept(&records, &vec![&b"bad"[..]; 10_000]);
    let mut outcomes = records.outcomes(None);
    for accepted in &accepted {
        outcomes.failed(&accepted.receipt, &accepted.record, ErrorCode::FunctionError, 0);
    }
    records.end(outcomes);
    let mut count = 0;
    loop {
        let chunk = followed(&records, &mut failed);
        count += chunk.iter().filter(|text| *text == "bad").count();
        if chunk.is_empty() {
            break;
        }
    }
    assert_eq!(count, 10_000);
}
