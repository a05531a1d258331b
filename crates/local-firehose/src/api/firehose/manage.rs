//! CreateDeliveryStream, DeleteDeliveryStream and UpdateDestination.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::describe::{DIRECT_PUT, KINESIS};
use super::model::{self, text};
use super::refusal::error;
use super::tags;
use crate::api::request::ApiError;
use crate::control::{Control, Definition, KinesisSource, Update};
use firehose_model::scope::Scope;

const CONFIGURATIONS: [&str; 2] = ["ExtendedS3DestinationConfiguration", "S3DestinationConfiguration"];
const SOURCE: &str = "KinesisStreamSourceConfiguration";
const UPDATES: [&str; 2] = ["ExtendedS3DestinationUpdate", "S3DestinationUpdate"];

pub(super) async fn create(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let mut input = model::read("CreateDeliveryStream", body)?;
    let name = text(&mut input, "DeliveryStreamName");
    let stream_type = text(&mut input, "DeliveryStreamType");
    let source = source(input.remove(SOURCE), &stream_type, caller)?;
    let (at, destination) = destination(&mut input, CONFIGURATIONS)?;
    let tags = tags::from(input.remove("Tags"));
    let definition = Definition {
        name: name.clone(),
        scope: caller.clone(),
        created_ms: Timestamp::now().as_millisecond(),
        updated_ms: None,
        version: 1,
        source,
        destination,
    };
    control.create(definition, at, tags).await.map_err(|refusal| error(refusal, &name, caller))?;
    Ok(json!({ "DeliveryStreamARN": caller.delivery_stream_arn(&name) }))
}

pub(super) async fn delete(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    // `AllowForceDelete` is about KMS grants, of which there are none.
    let mut input = model::read("DeleteDeliveryStream", body)?;
    let name = text(&mut input, "DeliveryStreamName");
    control.delete(&name).await.map_err(|refusal| error(refusal, &name, caller))?;
    Ok(json!({}))
}

pub(super) async fn update(control: &Control, body: &[u8], caller: &Scope) -> Result<Value, ApiError> {
    let mut input = model::read("UpdateDestination", body)?;
    let name = text(&mut input, "DeliveryStreamName");
    let version = text(&mut input, "CurrentDeliveryStreamVersionId");
    let destination_id = text(&mut input, "DestinationId");
    let (at, change) = destination(&mut input, UPDATES)?;
    let update = Update { version, destination_id, at, change };
    control.update(&name, update).await.map_err(|refusal| error(refusal, &name, caller))?;
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
    let mut found = members.into_iter().filter_map(|member| match input.remove(member) {
        Some(Value::Object(destination)) => Some((member, destination)),
        _ => None,
    });
    if let (Some(found), None) = (found.next(), found.next()) {
        return Ok(found);
    }
    let [extended, older] = members;
    Err(ApiError::invalid_argument(format!("Exactly one destination must be specified: {extended} or {older}")))
}
