//! The operations on delivery streams, but for puts.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::SERVICE;
use super::describe::{self, DIRECT_PUT, KINESIS};
use super::model::{self, text};
use crate::api::refusal::error;
use crate::api::request::ApiError;
use crate::api::tags;
use crate::control::{Control, Definition, KinesisSource, Refusal, StreamKind, Update};
use crate::stream::DeliveryStream;
use firehose_model::scope::Scope;

const CONFIGURATIONS: [&str; 2] = ["ExtendedS3DestinationConfiguration", "S3DestinationConfiguration"];
const SOURCE: &str = "KinesisStreamSourceConfiguration";
const UPDATES: [&str; 2] = ["ExtendedS3DestinationUpdate", "S3DestinationUpdate"];

pub(super) async fn call(control: &Control, operation: &str, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let mut input = model::read(operation, body)?;
    let name = text(&mut input, "DeliveryStreamName");
    let refused = |refusal: Refusal| error(StreamKind::Delivery, &refusal, &name, caller);
    match operation {
        "CreateDeliveryStream" => {
            let stream_type = text(&mut input, "DeliveryStreamType");
            let source = source(input.remove(SOURCE), &stream_type, caller)?;
            let (at, destination) = destination(&mut input, CONFIGURATIONS)?;
            let definition = Definition {
                name: name.clone(),
                scope: caller.clone(),
                created_ms: Timestamp::now().as_millisecond(),
                updated_ms: None,
                version: 1,
                source,
                destination,
            };
            control.create(definition, at, tags::from(input.remove("Tags"))).await.map_err(refused)?;
            return Ok(json!({ "DeliveryStreamARN": caller.delivery_stream_arn(&name) }));
        }
        // `AllowForceDelete` is about KMS grants, of which there are none.
        "DeleteDeliveryStream" => control.delete(&name).await.map_err(refused)?,
        "UpdateDestination" => {
            let version = text(&mut input, "CurrentDeliveryStreamVersionId");
            let destination_id = text(&mut input, "DestinationId");
            let (at, change) = destination(&mut input, UPDATES)?;
            let update = Update { version, destination_id, at, change };
            control.update(&name, update).await.map_err(refused)?;
        }
        "ListDeliveryStreams" => {
            let streams = control.list();
            let of_type = |stream: &DeliveryStream| describe::type_of(&stream.settings());
            let streams =
                streams.iter().map(|(name, stream)| (name.as_str(), stream.as_ref().map_or(DIRECT_PUT, of_type)));
            return Ok(describe::list(&input, streams));
        }
        "DescribeDeliveryStream" => {
            let configured = || {
                let stream = control.streams().get(&name)?;
                let function_arn = stream.settings().arn_of_function();
                Some(describe::configured(&stream.settings(), stream.started, function_arn.as_deref(), caller))
            };
            let entry = control.describe(&name).or_else(configured).ok_or(Refusal::NotFound).map_err(refused)?;
            return Ok(describe::response(&entry, &text(&mut input, "ExclusiveStartDestinationId"), caller));
        }
        "TagDeliveryStream" => {
            control.tag(StreamKind::Delivery, &name, tags::from(input.remove("Tags"))).await.map_err(refused)?;
        }
        "UntagDeliveryStream" => {
            let keys = input.remove("TagKeys").and_then(|keys| serde_json::from_value(keys).ok());
            let keys: Vec<String> = keys.unwrap_or_default();
            control.untag(StreamKind::Delivery, &name, &keys).await.map_err(refused)?;
        }
        "ListTagsForDeliveryStream" => {
            let tags = control.tags(StreamKind::Delivery, &name).map_err(refused)?;
            return Ok(tags::page(tags, &text(&mut input, "ExclusiveStartTagKey"), model::limit(&input)));
        }
        _ => return Err(SERVICE.unknown_operation(operation)),
    }
    Ok(json!({}))
}

/// The data stream of a request, which is one of the caller's region and account.
fn source(given: Option<Value>, stream_type: &str, caller: &Scope) -> Result<Option<KinesisSource>, ApiError> {
    let refuse = |field: &str, problem: String| Err(ApiError::invalid_argument(format!("{field}: {problem}")));
    match (stream_type, given) {
        ("" | DIRECT_PUT, None) => Ok(None),
        ("" | DIRECT_PUT, Some(_)) => refuse(SOURCE, format!("needs the DeliveryStreamType {KINESIS}")),
        (KINESIS, Some(Value::Object(mut source))) => {
            let (arn, role_arn) = (text(&mut source, "KinesisStreamARN"), text(&mut source, "RoleARN"));
            let stream = arn.rsplit('/').next().unwrap_or_default().to_owned();
            let own = caller.data_stream_arn(&stream);
            if arn != own {
                return refuse(&format!("{SOURCE}.KinesisStreamARN"), format!("found {arn}; accepted is {own}"));
            }
            Ok(Some(KinesisSource { stream, created_ms: None, role_arn }))
        }
        (KINESIS, _) => refuse(SOURCE, format!("is required with the DeliveryStreamType {KINESIS}")),
        (other, _) => {
            let problem =
                format!("{other} is not supported by this local Firehose; accepted are {DIRECT_PUT} and {KINESIS}");
            refuse("DeliveryStreamType", problem)
        }
    }
}

/// The one destination of a request, and the name of its member.
fn destination(
    input: &mut Map<String, Value>,
    members: [&'static str; 2],
) -> Result<(&'static str, Map<String, Value>), ApiError> {
    let mut found = members.into_iter().filter_map(|member| {
        let Some(Value::Object(destination)) = input.remove(member) else { return None };
        Some((member, destination))
    });
    if let (Some(found), None) = (found.next(), found.next()) {
        return Ok(found);
    }
    let [extended, older] = members;
    Err(ApiError::invalid_argument(format!("Exactly one destination must be specified: {extended} or {older}")))
}
