use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use firehose_model::kinesis::shard::ShardId;

fn record(body: &[u8], caller: &Scope) -> Result<Put, ApiError> {
    read(body, false, caller)
}

fn records(body: &[u8], caller: &Scope) -> Result<Put, ApiError> {
    read(body, true, caller)
}

fn encoded(size: usize) -> String {
    STANDARD.encode(vec![b'x'; size])
}

fn one(change: Value) -> String {
    merged(json!({ "StreamName": "orders", "Data": "aGk=", "PartitionKey": "a" }), change).to_string()
}

fn several(records: impl IntoIterator<Item = Value>) -> String {
    json!({ "StreamName": "orders", "Records": records.into_iter().collect::<Vec<_>>() }).to_string()
}

fn entry(change: Value) -> Value {
    merged(json!({ "Data": "aGk=", "PartitionKey": "a" }), change)
}

fn merged(mut value: Value, change: Value) -> Value {
    let Value::Object(change) = change else { unreachable!() };
    for (key, new) in change {
        match new {
            Value::Null => drop(value.as_object_mut().unwrap().remove(&key)),
            new => value[key] = new,
        }
    }
    value
}

#[track_caller]
fn is_validated(result: &Result<Put, ApiError>, faults: &[&str]) {
    let errors = if faults.len() == 1 { "error" } else { "errors" };
    let message = format!("{} validation {errors} detected: {}", faults.len(), faults.join("; "));
    assert_eq!(*result, Err(ApiError::validation(message)));
}

fn refused(message: &str) -> Result<Put, ApiError> {
    Err(ApiError::invalid_argument(message))
}

#[test]
fn a_record_goes_where_its_key_says() {
    let most = u128::MAX.to_string();
    for (change, partition_key, hash_key) in [
        (json!({}), "a", 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661),
        (json!({ "PartitionKey": "é" }), "é", 0x66dd_cd97_cfde_abb2_f6fb_8a99_9b4b_c76f),
        (json!({ "ExplicitHashKey": "0" }), "a", 0),
        (json!({ "ExplicitHashKey": most }), "a", u128::MAX),
        (json!({ "SequenceNumberForOrdering": "49534378080886586400803937685917316703421268516245864466" }), "a", {
            0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661
        }),
    ] {
        let records = record(one(change.clone()).as_bytes(), &Scope::default()).unwrap().records().unwrap();
        let expected = PutEntry {
            data: "aGk=".to_owned(),
            bytes: 2 + partition_key.len(),
            partition_key: partition_key.to_owned(),
            hash_key,
        };
        assert_eq!(records, [expected], "{change}");
    }
}

#[test]
fn a_record_of_any_allowed_size_is_accepted() {
    for (size, key) in [(0, "a".to_owned()), (1024 * 1024 - 1, "a".to_owned()), (1024 * 1024 - 512, "é".repeat(256))] {
        let body = one(json!({ "Data": encoded(size), "PartitionKey": key }));
        assert_eq!(record(body.as_bytes(), &Scope::default()).unwrap().records().unwrap()[0].bytes, size + key.len());
    }
}

#[test]
fn a_violation_has_the_message_of_aws() {
    let pattern = "Member must satisfy regular expression pattern";
    is_validated(
        &record(b"{}", &Scope::default()),
        &[
            "Value null at 'partitionKey' failed to satisfy constraint: Member must not be null",
            "Value null at 'data' failed to satisfy constraint: Member must not be null",
        ],
    );
    let empty = json!({
        "StreamName": "", "PartitionKey": "", "Data": "", "ExplicitHashKey": "", "SequenceNumberForOrdering": "",
    });
    is_validated(
        &record(empty.to_string().as_bytes(), &Scope::default()),
        &[
            &format!(
                r"Value '' at 'sequenceNumberForOrdering' failed to satisfy constraint: {pattern}: 0|([1-9]\d{{0,128}})"
            ),
            "Value '' at 'partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
            &format!(r"Value '' at 'explicitHashKey' failed to satisfy constraint: {pattern}: 0|([1-9]\d{{0,38}})"),
            &format!("Value '' at 'streamName' failed to satisfy constraint: {pattern}: [a-zA-Z0-9_.-]+"),
            "Value '' at 'streamName' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ],
    );
    let (key, name) = ("é".repeat(257), "n".repeat(129));
    let long = json!({ "StreamName": name, "PartitionKey": key, "Data": encoded(1_048_577), "ExplicitHashKey": "01" });
    is_validated(
        &record(one(long).as_bytes(), &Scope::default()),
        &[
            &format!(
                "Value '{key}' at 'partitionKey' failed to satisfy constraint: Member must have length less than or equal to 256"
            ),
            &format!(r"Value '01' at 'explicitHashKey' failed to satisfy constraint: {pattern}: 0|([1-9]\d{{0,38}})"),
            "Value '1048577 bytes' at 'data' failed to satisfy constraint: \
             Member must have length less than or equal to 1048576",
            &format!(
                "Value '{name}' at 'streamName' failed to satisfy constraint: Member must have length less than or equal to 128"
            ),
        ],
    );
    is_validated(
        &records(
            several([entry(json!({})), entry(json!({ "PartitionKey": null })), Value::Null]).as_bytes(),
            &Scope::default(),
        ),
        &[
            "Value null at 'records.2.member.partitionKey' failed to satisfy constraint: Member must not be null",
            "Value null at 'records.3.member' failed to satisfy constraint: Member must not be null",
        ],
    );
    let too_large = entry(json!({ "Data": encoded(1_058_543) }));
    is_validated(
        &records(several([entry(json!({})), too_large]).as_bytes(), &Scope::default()),
        &["Value '1058543 bytes' at 'records.2.member.data' failed to satisfy \
           constraint: Member must have length less than or equal to 1048576"],
    );
    is_validated(
        &records(br#"{"StreamName":"orders"}"#, &Scope::default()),
        &["Value null at 'records' failed to satisfy constraint: Member must not be null"],
    );
    is_validated(
        &records(several([]).as_bytes(), &Scope::default()),
        &["Value '[]' at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"],
    );
    is_validated(
        &records(several(vec![entry(json!({})); 501]).as_bytes(), &Scope::default()),
        &[
            "Value '501 records' at 'records' failed to satisfy constraint: Member must have length less than or equal to 500",
        ],
    );
}

#[test]
fn invalid_arguments_are_rejected() {
    let too_large = "340282366920938463463374607431768211456";
    let range = "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was";
    let by_key = json!({ "ExplicitHashKey": too_large });
    assert_eq!(record(one(by_key.clone()).as_bytes(), &Scope::default()), refused(&format!("{range} {too_large}")));
    assert_eq!(
        records(several([entry(by_key)]).as_bytes(), &Scope::default()),
        refused(&format!("{range} {too_large}"))
    );

    let whole = one(json!({ "Data": encoded(1024 * 1024) }));
    let message = "Data and partition key have 1048577 bytes, more than the maximum record size of 1048576 bytes";
    assert_eq!(record(whole.as_bytes(), &Scope::default()), refused(message));

    let nameless = one(json!({ "StreamName": null }));
    assert_eq!(
        record(nameless.as_bytes(), &Scope::default()),
        refused("Either StreamName or StreamARN must be specified.")
    );

    // 10 MiB with their keys, and one byte more.
    let largest = entry(json!({ "Data": encoded(1024 * 1024 - 1) }));
    assert_eq!(
        records(several(vec![largest.clone(); 10]).as_bytes(), &Scope::default()).unwrap().records().unwrap().len(),
        10
    );
    let more = several(vec![largest; 10].into_iter().chain([entry(json!({ "Data": "" }))]));
    assert_eq!(records(more.as_bytes(), &Scope::default()), refused("Records size exceeds 10 MB limit"));
}

#[test]
fn a_value_of_another_type_is_rejected_first() {
    for (put, body, message) in [
        (
            record as fn(&[u8], &Scope) -> Result<Put, ApiError>,
            one(json!({ "Data": 5 })),
            "invalid type: integer `5`, expected a string",
        ),
        (record, one(json!({ "DryRun": "yes" })), "invalid type: string \"yes\", expected a boolean"),
        (records, several([json!("a")]), "invalid type: string \"a\", expected struct Record"),
        (records, several([entry(json!({ "Data": "abc" }))]), "Data is not base64: Invalid padding"),
    ] {
        let found = put(body.as_bytes(), &Scope::default()).unwrap_err().message;
        assert!(found.starts_with(message), "{body}: {found}");
    }
}

#[test]
fn a_stream_id_is_refused() {
    let message = "StreamId: is not supported by this local Kinesis; accepted is a request without it";
    assert_eq!(record(one(json!({ "StreamId": "a" })).as_bytes(), &Scope::default()), refused(message));
    let body = merged(serde_json::from_str(&several([entry(json!({}))])).unwrap(), json!({ "StreamId": "a" }));
    assert_eq!(records(body.to_string().as_bytes(), &Scope::default()), refused(message));
}

#[test]
fn a_dry_run_puts_nothing() {
    let message = "The request was rejected because the DryRun parameter was specified.";
    let refused = || ApiError::bad_request("DryRunOperationException", message);
    for (dry_run, expected) in [(json!(true), Err(refused())), (json!(false), Ok(1)), (Value::Null, Ok(1))] {
        let put = record(one(json!({ "DryRun": dry_run })).as_bytes(), &Scope::default()).unwrap();
        assert_eq!(put.records().map(|records| records.len()), expected);
        let body = merged(serde_json::from_str(&several([entry(json!({}))])).unwrap(), json!({ "DryRun": dry_run }));
        let put = records(body.to_string().as_bytes(), &Scope::default()).unwrap();
        assert_eq!(put.records().map(|records| records.len()), expected);
    }
}

#[test]
fn an_answer_tells_where_each_record_is() {
    let placed = || PutResult { shard: ShardId(1), sequence_number: "49".to_owned() };
    let answer = record_response("orders", &Scope::default(), vec![Ok(placed())]).unwrap();
    let expected = json!({ "ShardId": "shardId-000000000001", "SequenceNumber": "49" });
    assert_eq!(answer, expected);
    let rate = "Rate exceeded for shard shardId-000000000002 in stream orders under account 000000000000.";
    let throttled = || Err(PutError::Throttled(ShardId(2)));
    assert_eq!(
        record_response("orders", &Scope::default(), vec![throttled()]),
        Err(ApiError::bad_request(THROTTLED, rate))
    );
    assert_eq!(
        record_response("orders", &Scope::default(), vec![Err(PutError::RetentionFull)]),
        Err(ApiError::bad_request(THROTTLED, RETENTION_FULL))
    );
    assert_eq!(
        record_response("orders", &Scope::default(), vec![Err(PutError::Unavailable)]),
        Err(ApiError::internal_failure())
    );

    let answer =
        records_response("orders", &Scope::default(), vec![throttled(), Ok(placed()), Err(PutError::Unavailable)])
            .unwrap();
    let expected = json!({ "FailedRecordCount": 2, "Records": [
        { "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": rate },
        { "SequenceNumber": "49", "ShardId": "shardId-000000000001" },
        { "ErrorCode": "InternalFailure", "ErrorMessage": "Internal Service Failure" },
    ] });
    assert_eq!(answer, expected);
    assert!(records_response("orders", &Scope::default(), vec![throttled()]).is_ok());
    let failed =
        records_response("orders", &Scope::default(), vec![Err(PutError::Unavailable), Err(PutError::Unavailable)]);
    assert_eq!(failed, Err(ApiError::internal_failure()));
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(bytes: Vec<u8>, change: [Option<String>; 4]) {
        let [name, data, key, hash] = change;
        let near = json!({ "StreamName": name, "Data": data, "PartitionKey": key, "ExplicitHashKey": hash, "Records": [
            { "Data": data, "PartitionKey": key, "ExplicitHashKey": hash },
        ] }).to_string();
        for body in [&bytes[..], near.as_bytes()] {
            let (_, _) = (record(body, &Scope::default()), records(body, &Scope::default()));
        }
    }
}
