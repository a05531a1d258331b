mod keys;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

/// UUIDs that begin with 1, 2, 3 and so on.
fn counting() -> impl FnMut() -> Uuid {
    let mut count = 0;
    move || {
        count += 1;
        Uuid::from_u128(count << 124)
    }
}

fn record_keys(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn utc(time: &str) -> Zoned {
    time.parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC)
}

#[track_caller]
fn evaluated(text: &str, time: &str) -> String {
    let prefix = Prefix::parse(text, false).unwrap();
    assert_eq!(prefix.text(), text);
    prefix.evaluate(&utc(time), &Partition::default(), "", counting())
}

#[track_caller]
fn error_evaluated(text: &str, time: &str) -> String {
    let prefix = Prefix::for_errors(text).unwrap();
    assert_eq!(prefix.text(), text);
    prefix.evaluate(&utc(time), &Partition::default(), "processing-failed", counting())
}

/// The guide's examples, but for those in which its text and its results are of different days.
#[test]
fn prefixes_evaluate_as_in_the_guide() {
    let august = "2018-08-27T10:30:00Z";
    let july = "2018-07-06T23:10:00Z";
    for (text, time, expected) in [
        ("", august, "2018/08/27/10/"),
        ("!{timestamp:yyyy}", august, "2018"),
        ("!{timestamp:yyyy/MM/dd}", august, "2018/08/27"),
        ("myPrefix/!{firehose:random-string}/!{timestamp:yyyy}/", august, "myPrefix/10000000-00/2018/"),
        (
            "myFirehose/DeliveredYear=!{timestamp:yyyy}/anyMonth/rand=!{firehose:random-string}",
            august,
            "myFirehose/DeliveredYear=2018/anyMonth/rand=10000000-00",
        ),
        (
            "myPrefix/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/",
            july,
            "myPrefix/year=2018/month=07/day=06/hour=23/",
        ),
        // No slash is put before what is appended.
        ("myFirehosePrefix", august, "myFirehosePrefix2018/08/27/10/"),
        ("firehose/", august, "firehose/2018/08/27/10/"),
        // Each random string is another one, and is no timestamp.
        ("!{firehose:random-string}/!{firehose:random-string}/", august, "10000000-00/20000000-00/2018/08/27/10/"),
        // A prefix may have braces and exclamation marks.
        ("!/{x}/!!{timestamp:dd}!/", august, "!/{x}/!27!/"),
    ] {
        assert_eq!(evaluated(text, time), expected, "{text}");
    }
}

#[test]
fn error_prefixes_evaluate_as_in_the_guide() {
    let august = "2018-08-03T10:30:00Z";
    for (text, expected) in [
        ("myFirehoseFailures/!{firehose:error-output-type}/", "myFirehoseFailures/processing-failed/"),
        (
            "myPrefix/result=!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}",
            "myPrefix/result=processing-failed/2018/08/03",
        ),
        (
            "myFirehoseFailures/!{firehose:error-output-type}/!{timestamp:yyyy}/anyMonth/!{timestamp:dd}",
            "myFirehoseFailures/processing-failed/2018/anyMonth/03",
        ),
        (
            "myErrorPrefix/!{timestamp:'year='yyyy'/month='MM'/day='dd'/hour='HH}/!{firehose:error-output-type}",
            "myErrorPrefix/year=2018/month=08/day=03/hour=10/processing-failed",
        ),
        (
            "!{firehose:random-string}/!{firehose:error-output-type}/!{firehose:error-output-type}/",
            "10000000-00/processing-failed/processing-failed/",
        ),
        ("errors/", "errors/"),
    ] {
        assert_eq!(error_evaluated(text, august), expected, "{text}");
    }
}

#[test]
fn patterns_are_those_of_java() {
    let morning = "2026-03-05T00:07:09.0123Z";
    let evening = "2026-11-20T23:22:01.987654321Z";
    for (pattern, time, expected) in [
        ("y yy yyy yyyy yyyyy", morning, "2026 26 2026 2026 02026"),
        ("u uu uuuu", morning, "2026 26 2026"),
        ("M MM MMM MMMM MMMMM", morning, "3 03 Mar March M"),
        ("d dd", morning, "5 05"),
        ("D DD DDD", morning, "64 64 064"),
        ("E EE EEE EEEE EEEEE", morning, "Thu Thu Thu Thursday T"),
        ("H HH h hh a", morning, "0 00 12 12 AM"),
        ("H HH h hh a", evening, "23 23 11 11 PM"),
        ("m mm s ss", morning, "7 07 9 09"),
        ("S SSS SSSSSSSSS", morning, "0 012 012300000"),
        ("S SSS SSSSSSSSS", evening, "9 987 987654321"),
        ("'it''s' '' ''''", evening, "it's ' '"),
        ("yyyyMMdd'T'HHmmss'Z'", evening, "20261120T232201Z"),
        ("dt=d", evening, ""),
        ("yyyy-MM-dd_HH:mm|é", evening, "2026-11-20_23:22|é"),
    ] {
        let result = Prefix::parse(&format!("!{{timestamp:{pattern}}}"), false)
            .map(|prefix| prefix.evaluate(&utc(time), &Partition::default(), "", counting()));
        assert_eq!(result.unwrap_or_default(), expected, "{pattern}");
    }
}

/// Java's `DateTimeFormatter.ofPattern(pattern, Locale.US)`.
#[test]
fn weeks_begin_on_sunday_and_the_first_has_january_1() {
    for (date, expected) in [
        // A Saturday and the Sunday after it.
        ("2026-01-03", "2026 1 01"),
        ("2026-01-04", "2026 2 02"),
        // 2027 begins on a Friday: its first week begins on December 27.
        ("2026-12-26", "2026 52 52"),
        ("2026-12-27", "2027 1 01"),
        ("2027-01-02", "2027 1 01"),
        ("2027-01-03", "2027 2 02"),
        // 2023 begins on a Sunday.
        ("2022-12-31", "2022 53 53"),
        ("2023-01-01", "2023 1 01"),
        // A leap year that begins on a Saturday.
        ("2028-12-24", "2028 53 53"),
        ("2028-12-30", "2028 53 53"),
        ("2028-12-31", "2029 1 01"),
        // ISO weeks are others: 53 of 2020.
        ("2021-01-01", "2021 1 01"),
        ("2024-02-29", "2024 9 09"),
    ] {
        let found = evaluated("!{timestamp:YYYY w ww}", &format!("{date}T12:00:00Z"));
        assert_eq!(found, expected, "{date}");
    }
    let found = evaluated("!{timestamp:Y YY YYY YYYY YYYYY}/!{timestamp:yyyy}", "2026-12-31T23:59:59Z");
    assert_eq!(found, "2027 27 2027 2027 02027/2026");
}

#[test]
fn a_refused_pattern_names_its_cause_once() {
    let message = Prefix::parse("!{timestamp:yyyy/QQ}", false).unwrap_err();
    assert_eq!(message.matches("`Q` is not known").count(), 1, "{message}");
    assert_eq!(message.matches("!{timestamp:yyyy/QQ}").count(), 1, "{message}");
}

#[test]
fn faults_tell_what_was_found_and_what_is_accepted() {
    for (text, dynamic_partitioning, expected) in [
        ("a/!{timestamp:yyyy", false, "`!{timestamp:yyyy` is not an expression: it is written `!{NAMESPACE:VALUE}`"),
        ("!{firehose}", false, "`!{firehose}` is not an expression"),
        ("!{timestamp:}", false, "`!{timestamp:}` is not an expression"),
        ("!{timestamp:!{timestamp:yyyy}}", false, "`!{timestamp:!{timestamp:yyyy}` is not an expression"),
        ("!{blah:blah}", false, "`blah` is not a namespace: it is one of `timestamp`, `firehose`, `partition"),
        ("!{firehose:date}", false, "`!{firehose:date}` is not known: the value is `random-string`"),
        ("!{timestamp:yyyy/QQ}", false, "`!{timestamp:yyyy/QQ}`: `Q` is not known: the letters are y or u (year)"),
        (
            "!{timestamp:YYYY/www}",
            false,
            "`!{timestamp:YYYY/www}`: `w` is there 3 times in a row, and can be 2 times at most",
        ),
        ("!{timestamp:ddd}", false, "`!{timestamp:ddd}`: `d` is there 3 times in a row, and can be 2 times at most"),
        ("!{timestamp:yyyy[MM]}", false, "`!{timestamp:yyyy[MM]}`: `[` must be in single quotes"),
        ("!{timestamp:'year=yyyy}", false, "`!{timestamp:'year=yyyy}`: a single quote is not closed"),
        ("!{firehose:error-output-type}/", false, "`!{firehose:error-output-type}` can only be in an error prefix"),
        ("!{partitionKeyFromQuery:id}/", false, "`!{partitionKeyFromQuery:id}` needs dynamic partitioning"),
        ("!{partitionKeyFromQuery:id}/", true, "`!{partitionKeyFromQuery:id}` needs a processor of type MetadataExtr"),
        ("!{partitionKeyFromLambda:id}/", false, "`!{partitionKeyFromLambda:id}` needs dynamic partitioning"),
        ("clicks/", true, "dynamic partitioning needs a prefix with at least one `!{partitionKeyFromLambda:KEY}`"),
        (&"x".repeat(499), false, "evaluated it has more than 512 characters"),
        (&"é".repeat(450), false, "evaluated it has more than 512 characters, or too many bytes"),
    ] {
        let message = Prefix::parse(text, dynamic_partitioning).unwrap_err();
        assert!(message.starts_with(expected), "{text}: {message}");
    }
    for (text, expected) in [
        ("", "an error prefix is needed, such as `errors/!{firehose:error-output-type}/`"),
        ("!{timestamp:yyyy}/", "an error prefix with expressions needs `!{firehose:error-output-type}` among them"),
        (
            "!{firehose:error-output-type}/!{partitionKeyFromLambda:id}/",
            "`!{partitionKeyFromLambda:id}` can't be in an error prefix",
        ),
        (
            "!{firehose:error-output-type}/!{partitionKeyFromQuery:id}/",
            "`!{partitionKeyFromQuery:id}` can't be in an error prefix",
        ),
        (&format!("{}!{{firehose:error-output-type}}", "x".repeat(490)), "evaluated it has more than 512 characters"),
    ] {
        let message = Prefix::for_errors(text).unwrap_err();
        assert!(message.starts_with(expected), "{text}: {message}");
    }
}

#[test]
fn the_longest_prefixes_are_accepted() {
    assert_eq!(evaluated(&"x".repeat(498), "2026-11-20T08:22:01Z").len(), 512);
    let errors = format!("{}!{{firehose:error-output-type}}", "x".repeat(489));
    assert_eq!(error_evaluated(&errors, "2026-11-20T08:22:01Z").len(), 489 + 17);
}

#[test]
fn the_widest_time_is_as_long_as_any() {
    assert_eq!(Pattern::WIDEST.to_string(), "2026-09-30T22:59:59Z");
    let text = "!{timestamp:EEEE d MMMM D H h a m s}";
    assert_eq!(evaluated(text, "2026-09-30T22:59:59Z"), "Wednesday 30 September 273 22 10 PM 59 59");
}

#[test]
fn records_are_in_a_partition_by_the_keys_that_the_prefix_uses() {
    let text = "species=!{partitionKeyFromLambda:species}/!{timestamp:yyyy}/!{partitionKeyFromLambda:good evil}/\
                !{partitionKeyFromLambda:species}/";
    let prefix = Prefix::parse(text, true).unwrap();
    let partition = |pairs: &[_]| prefix.partition(&record_keys(pairs), &record_keys(&[]));
    let time = utc("2026-11-20T08:22:01Z");

    let evil = partition(&[("species", "Chimera"), ("good evil", "Evil"), ("mysfit", "a")]).unwrap();
    assert_eq!(evil, partition(&[("species", "Chimera"), ("good evil", "Evil"), ("mysfit", "b")]).unwrap());
    assert_ne!(evil, partition(&[("species", "Chimera"), ("good evil", "Good")]).unwrap());
    assert_eq!(prefix.evaluate(&time, &evil, "", Uuid::new_v4), "species=Chimera/2026/Evil/Chimera/");

    assert_eq!(partition(&[("species", "Chimera")]), None);
    assert_eq!(partition(&[("species", "Chimera"), ("good evil", "")]), None);
    assert_eq!(partition(&[("species", &"x".repeat(300)), ("good evil", "Evil")]), None);

    // A prefix without keys has one partition, whatever the record's keys.
    let plain = Prefix::parse("firehose/", false).unwrap();
    let chimera = record_keys(&[("species", "Chimera")]);
    assert_eq!(plain.partition(&chimera, &chimera), Some(Partition::default()));
    // Nothing is appended to one with keys.
    let keyed = Prefix::parse("!{partitionKeyFromLambda:species}/", true).unwrap();
    let partition = keyed.partition(&chimera, &BTreeMap::new()).unwrap();
    assert_eq!(keyed.evaluate(&time, &partition, "", Uuid::new_v4), "Chimera/");
}

#[test]
fn objects_are_named_as_firehose_names_them() {
    let arrival: Timestamp = "2026-11-20T08:22:01.9Z".parse().unwrap();
    for (zone, extension, expected) in [
        ("UTC", Compression::None.extension(), "08-22-01-00000000-0000-0000-0000-000000000000"),
        ("UTC", Compression::Gzip.extension(), "08-22-01-00000000-0000-0000-0000-000000000000.gz"),
        ("Asia/Tokyo", ".json", "17-22-01-00000000-0000-0000-0000-000000000000.json"),
    ] {
        let oldest = arrival.to_zoned(time_zone(zone).unwrap());
        let name = object_name("p/", ("clicks", 1), &oldest, Uuid::nil(), extension);
        assert_eq!(name, format!("p/clicks-1-2026-11-20-{expected}"));
    }
    let extension = format!(".{}", "x".repeat(127));
    let longest =
        object_name("", (&*"x".repeat(64), u64::MAX), &arrival.to_zoned(TimeZone::UTC), Uuid::nil(), &extension);
    assert_eq!(longest.len(), MAX_SUFFIX_BYTES);
}

#[test]
fn timestamps_are_in_the_time_zone() {
    for (zone, time, expected) in [
        ("UTC", "2026-12-26T23:30:00Z", "2026/12/26/23 52"),
        // It is Sunday already, in the first week of 2027.
        ("Asia/Tokyo", "2026-12-26T23:30:00Z", "2026/12/27/08 01"),
        ("America/New_York", "2026-01-01T04:30:00Z", "2025/12/31/23 01"),
        // Daylight saving time begins.
        ("Europe/Paris", "2026-03-29T00:59:59Z", "2026/03/29/01 14"),
        ("Europe/Paris", "2026-03-29T01:00:00Z", "2026/03/29/03 14"),
        // A zone of a quarter of an hour, and an old name.
        ("Asia/Katmandu", "2026-11-20T18:15:00Z", "2026/11/21/00 47"),
    ] {
        let time = time.parse::<Timestamp>().unwrap().to_zoned(time_zone(zone).unwrap());
        let pattern = "!{timestamp:yyyy/MM/dd/HH ww}";
        let prefix = Prefix::parse(pattern, false).unwrap();
        assert_eq!(prefix.evaluate(&time, &Partition::default(), "", counting()), expected);
        let errors = Prefix::for_errors(&format!("{pattern} !{{firehose:error-output-type}}")).unwrap();
        let evaluated = errors.evaluate(&time, &Partition::default(), "processing-failed", counting());
        assert_eq!(evaluated, format!("{expected} processing-failed"));
    }
    // Also those that Firehose appends.
    let appended = Prefix::parse("p/", false).unwrap();
    let time = utc("2026-11-20T18:00:00Z").with_time_zone(time_zone("Asia/Tokyo").unwrap());
    assert_eq!(appended.evaluate(&time, &Partition::default(), "", counting()), "p/2026/11/21/03/");
}

#[test]
fn a_time_zone_has_an_iana_name() {
    for name in ["UTC", "Etc/UTC", "Asia/Tokyo", "America/Argentina/Buenos_Aires", "Africa/Asmera"] {
        assert_eq!(time_zone(name).unwrap().iana_name(), Some(name));
    }
    for name in ["", "utc", "asia/tokyo", "Asia/Nowhere", "JST", "EST", "Etc/Unknown", "UTC+9"] {
        let error = time_zone(name).unwrap_err();
        assert!(error.starts_with(&format!("{name} is no time zone; accepted are ")), "{error}");
    }
}

#[test]
fn no_error_output_type_is_longer_than_the_one_that_is_measured() {
    use ErrorOutputType::{ActivePartitionExceeded, DecompressionFailed, PartitioningFailed, ProcessingFailed};
    for shorter in [DecompressionFailed, PartitioningFailed, ProcessingFailed] {
        assert!(shorter.as_str().len() < ActivePartitionExceeded.as_str().len());
    }
}

/// Pieces of which many texts are valid.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zé =./]{0,8}",
        "[!{}:']{1,3}",
        "!\\{timestamp:[yuYMwdDEHhamsS/'-]{1,8}\\}",
        Just("!{firehose:random-string}".to_owned()),
        Just("!{firehose:error-output-type}".to_owned()),
        "!\\{partitionKeyFrom(Lambda|Query):[a-c]\\}",
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// Any time of four digits, to the nanosecond.
fn times() -> impl Strategy<Value = Zoned> {
    (-62_135_596_800_i64..253_402_207_200, 0..1_000_000_000_i32)
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap().to_zoned(TimeZone::UTC))
}

proptest! {
    #[test]
    fn what_is_parsed_evaluates_within_the_limit(
        text in texts(),
        function: bool,
        time in times(),
        values in proptest::array::uniform3(".{1,200}"),
    ) {
        let keys = ["a", "b", "c"].into_iter().map(str::to_owned).zip(values).collect();
        let query: Vec<String> =
            ["a", "b"].iter().filter(|key| text.contains(&format!("Query:{key}}}"))).map(|&key| key.to_owned()).collect();
        if let Ok(prefix) = Prefix::with_keys(&text, function, &query)
            && let Some(partition) = prefix.partition(&keys, &keys)
        {
            let evaluated = prefix.evaluate(&time, &partition, "", Uuid::new_v4);
            prop_assert!(evaluated.chars().count() <= MAX_CHARACTERS);
        }
        if let Ok(prefix) = Prefix::for_errors(&text) {
            let evaluated = prefix.evaluate(&time, &Partition::default(), "partitioning-failed", Uuid::new_v4);
            prop_assert!(evaluated.chars().count() <= MAX_CHARACTERS);
        }
    }

    #[test]
    fn no_text_and_no_time_panics(text in "\\PC{0,40}", seconds in -377_705_023_201_i64..253_402_207_200) {
        let time = Timestamp::from_second(seconds).unwrap().to_zoned(TimeZone::UTC);
        let text = format!("!{{timestamp:{text}}}");
        if let Ok(prefix) = Prefix::parse(&text, false) {
            prefix.evaluate(&time, &Partition::default(), "", Uuid::new_v4);
        }
    }
}
