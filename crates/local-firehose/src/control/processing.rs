//! The processors of a delivery stream. What Firehose refuses "as seen" is documented, with its messages, by the public project
//! cdk-preflight, whose rules were tried on AWS.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::functions::function_name;
use firehose_model::batch::{DEFAULT_BUFFER_MB, LARGEST_BUFFER_MB, SMALLEST_BUFFER_MB};
use firehose_model::processors::{Deaggregation, Processors};
use firehose_model::query::Query;

/// The default `BufferIntervalInSeconds` and `NumberOfRetries` of a Lambda processor, and their greatest values (developer guide,
/// "Transform source data in Amazon Data Firehose", and API reference, "ProcessorParameter").
const DEFAULT_LAMBDA_SECONDS: u32 = 60;
const MAX_LAMBDA_SECONDS: u32 = 900;
const DEFAULT_RETRIES: u32 = 3;
const MAX_RETRIES: u32 = 300;
/// The most processors (as seen: "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.").
const MAX_PROCESSORS: usize = 5;
const ACCEPTED: &str =
    "accepted are Lambda, RecordDeAggregation, Decompression, MetadataExtraction and AppendDelimiterToRecord";

/// A member whose value is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// Its path, such as `ExtendedS3DestinationConfiguration.Prefix`.
    pub field: String,
    /// What is wrong, or what is accepted.
    pub problem: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Processing {
    enabled: Option<bool>,
    #[serde(default)]
    processors: Vec<Processor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Processor {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    parameters: Vec<Parameter>,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    #[serde(rename = "ParameterName")]
    name: String,
    #[serde(rename = "ParameterValue")]
    value: String,
}

#[derive(Debug)]
pub(super) struct Transformation {
    pub(super) arn: String,
    pub(super) retries: u32,
    pub(super) buffer_mb: f64,
    pub(super) buffer_seconds: u32,
}

impl Processing {
    /// The function, and the other processors: none if the processing is not enabled. They are validated all the same.
    pub(super) fn read(&self, at: &str, partitioned: bool) -> Result<(Option<Transformation>, Processors), FieldError> {
        let is_enabled = self.enabled == Some(true);
        let at = format!("{at}.Processors");
        if self.processors.len() > MAX_PROCESSORS || (is_enabled && self.processors.is_empty()) {
            let problem = format!("needs 1 to {MAX_PROCESSORS} processors when processing is enabled");
            return Err(FieldError::new(at, problem));
        }
        let (mut transformation, mut processors) = (None, Processors::default());
        for (index, Processor { kind, parameters }) in self.processors.iter().enumerate() {
            let at = format!("{at}[{index}]");
            // As seen of Lambda; of the others it is an assumption.
            if self.processors[..index].iter().any(|before| before.kind == *kind) {
                return Err(FieldError::new(at, format!("a stream has one processor of type {kind}")));
            }
            let parameters = Parameters { parameters, of: kind, at: format!("{at}.Parameters") };
            match kind.as_str() {
                "Lambda" => transformation = Some(lambda(&parameters)?),
                // As seen: "can only be present when Dynamic Partitioning is enabled".
                "MetadataExtraction" | "RecordDeAggregation" if !partitioned => {
                    return Err(FieldError::new(at, format!("{kind} needs dynamic partitioning")));
                }
                "MetadataExtraction" => processors.query = Some(query(&parameters)?),
                "RecordDeAggregation" => processors.deaggregation = Some(deaggregation(&parameters)?),
                "Decompression" => processors.decompression = decompression(&parameters)?,
                "AppendDelimiterToRecord" => processors.delimiter = delimiter(&parameters)?,
                other => {
                    let problem = format!("{other} is not supported by this local Firehose; {ACCEPTED}");
                    return Err(FieldError::new(format!("{at}.Type"), problem));
                }
            }
        }
        Ok(if is_enabled { (transformation, processors) } else { (None, Processors::default()) })
    }
}

struct Parameters<'a> {
    parameters: &'a [Parameter],
    of: &'a str,
    at: String,
}

impl Parameters<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|parameter| parameter.name == name).map(|parameter| parameter.value.as_str())
    }

    /// Refuses other parameters, and repeated ones.
    fn only(&self, names: &[&str]) -> Result<(), FieldError> {
        for (index, Parameter { name, .. }) in self.parameters.iter().enumerate() {
            let problem = if !names.contains(&name.as_str()) {
                format!("{name} is not supported for a processor of type {}", self.of)
            } else if self.parameters.iter().take(index).any(|earlier| earlier.name == *name) {
                format!("{name} is given twice")
            } else {
                continue;
            };
            return Err(FieldError::new(format!("{}[{index}].ParameterName", self.at), problem));
        }
        Ok(())
    }

    fn missing(&self, problem: &str) -> FieldError {
        FieldError::new(&self.at, problem)
    }

    fn invalid(&self, name: &str, accepted: &str) -> FieldError {
        let index = self.parameters.iter().position(|parameter| parameter.name == name).unwrap_or_default();
        let value = self.get(name).unwrap_or_default();
        FieldError::new(format!("{}[{index}].ParameterValue", self.at), format!("{name} is {value}; {accepted}"))
    }

    /// `kind` is "whole number" or "number".
    fn number<T: FromStr + PartialOrd + Display>(
        &self,
        name: &str,
        default: T,
        accepted: &RangeInclusive<T>,
        kind: &str,
    ) -> Result<T, FieldError> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let number = value.parse::<T>().ok().filter(|number| accepted.contains(number));
        let (least, most) = (accepted.start(), accepted.end());
        number.ok_or_else(|| self.invalid(name, &format!("accepted is a {kind} from {least} to {most}")))
    }
}

/// That the compression format has a default is an assumption.
fn decompression(parameters: &Parameters<'_>) -> Result<bool, FieldError> {
    parameters.only(&["CompressionFormat"])?;
    match parameters.get("CompressionFormat") {
        None | Some("GZIP") => Ok(true),
        Some(_) => Err(parameters.invalid("CompressionFormat", "accepted is GZIP")),
    }
}

/// The delimiter is base64 (developer guide, "Apply dynamic partitioning to aggregated data"). As seen, it "should be present for
/// DELIMITED". That it is refused for JSON, and that the type has no default, are assumptions.
fn deaggregation(parameters: &Parameters<'_>) -> Result<Deaggregation, FieldError> {
    parameters.only(&["SubRecordType", "Delimiter"])?;
    let decoded = parameters.get("Delimiter").map(|delimiter| {
        let decoded = STANDARD.decode(delimiter).ok().filter(|delimiter| !delimiter.is_empty());
        decoded.ok_or_else(|| parameters.invalid("Delimiter", "accepted is base64"))
    });
    match (parameters.get("SubRecordType"), decoded.transpose()?) {
        (Some("JSON"), None) => Ok(Deaggregation::Json),
        (Some("JSON"), Some(_)) => {
            Err(parameters.invalid("Delimiter", "accepted only with the SubRecordType DELIMITED"))
        }
        (Some("DELIMITED"), Some(delimiter)) => Ok(Deaggregation::Delimited(delimiter)),
        (Some("DELIMITED"), None) => Err(parameters.missing("Delimiter is required with the SubRecordType DELIMITED")),
        (Some(_), _) => Err(parameters.invalid("SubRecordType", "accepted are JSON and DELIMITED")),
        (None, _) => Err(parameters.missing("SubRecordType is required; accepted are JSON and DELIMITED")),
    }
}

/// As seen, "JSON Parsing Engine has to be one of JQ-1.6", which is no default. That the query has none is an assumption.
fn query(parameters: &Parameters<'_>) -> Result<Query, FieldError> {
    parameters.only(&["MetadataExtractionQuery", "JsonParsingEngine"])?;
    match parameters.get("JsonParsingEngine") {
        Some("JQ-1.6") => {}
        Some(_) => return Err(parameters.invalid("JsonParsingEngine", "accepted is JQ-1.6")),
        None => return Err(parameters.missing("JsonParsingEngine is required; accepted is JQ-1.6")),
    }
    let query = parameters.get("MetadataExtractionQuery");
    let query = query.ok_or_else(|| parameters.missing("MetadataExtractionQuery is required"))?;
    Query::parse(query).map_err(|problem| parameters.invalid("MetadataExtractionQuery", &problem))
}

/// A new line without the parameter (API reference, "Processor"). Public stacks write a new line as `\n`; the service model refuses a
/// real one. That other text is appended as it is, and which further escapes there are, are assumptions.
fn delimiter(parameters: &Parameters<'_>) -> Result<Vec<u8>, FieldError> {
    parameters.only(&["Delimiter"])?;
    let (mut delimiter, mut text) = (String::new(), parameters.get("Delimiter").unwrap_or("\\n").chars());
    while let Some(char) = text.next() {
        delimiter.push(match char {
            '\\' => match text.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('\\') => '\\',
                _ => return Err(parameters.invalid("Delimiter", "accepted after a backslash are n, r, t and \\")),
            },
            other => other,
        });
    }
    Ok(delimiter.into_bytes())
}

fn lambda(parameters: &Parameters<'_>) -> Result<Transformation, FieldError> {
    // Roles are not evaluated here.
    parameters.only(&["LambdaArn", "NumberOfRetries", "RoleArn", "BufferSizeInMBs", "BufferIntervalInSeconds"])?;
    let arn = parameters.get("LambdaArn");
    let arn = arn.ok_or_else(|| parameters.missing("LambdaArn is required for a processor of type Lambda"))?;
    if function_name(arn).is_none() {
        return Err(
            parameters.invalid("LambdaArn", "accepted is arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]")
        );
    }
    let (size, interval) = ("BufferSizeInMBs", "BufferIntervalInSeconds");
    let retries = parameters.number("NumberOfRetries", DEFAULT_RETRIES, &(0..=MAX_RETRIES), "whole number")?;
    let buffer_seconds =
        parameters.number(interval, DEFAULT_LAMBDA_SECONDS, &(0..=MAX_LAMBDA_SECONDS), "whole number")?;
    let sizes = SMALLEST_BUFFER_MB..=LARGEST_BUFFER_MB;
    let buffer_mb = parameters.number(size, DEFAULT_BUFFER_MB, &sizes, "number")?;
    // As seen: "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor."
    if parameters.get(size).is_some() != parameters.get(interval).is_some() {
        return Err(parameters.missing("BufferSizeInMBs and BufferIntervalInSeconds must be specified together"));
    }
    Ok(Transformation { arn: arn.to_owned(), retries, buffer_mb, buffer_seconds })
}
