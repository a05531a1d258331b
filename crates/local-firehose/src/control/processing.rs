//! The processors of a delivery stream: a Lambda function, or none.

use serde::Deserialize;

use super::functions::function_name;
use firehose_model::batch::{DEFAULT_BUFFER_MB, LARGEST_BUFFER_MB, SMALLEST_BUFFER_MB};

/// The default `BufferIntervalInSeconds` and `NumberOfRetries` of a Lambda processor, and their greatest values (developer guide,
/// "Transform source data in Amazon Data Firehose", and API reference, "ProcessorParameter").
const DEFAULT_LAMBDA_SECONDS: u32 = 60;
const MAX_LAMBDA_SECONDS: u32 = 900;
const DEFAULT_RETRIES: u32 = 3;
const MAX_RETRIES: u32 = 300;

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
    r#type: String,
    #[serde(default)]
    parameters: Vec<Parameter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    parameter_name: String,
    parameter_value: String,
}

/// A Lambda processor.
#[derive(Debug, PartialEq)]
pub(super) struct Transformation {
    pub(super) arn: String,
    pub(super) retries: u32,
    pub(super) buffer_mb: f64,
    pub(super) buffer_seconds: u32,
}

impl Processing {
    /// None if the processing is not enabled, or has no processor.
    pub(super) fn transformation(&self, at: &str) -> Result<Option<Transformation>, FieldError> {
        let mut found = None;
        for (index, processor) in self.processors.iter().enumerate() {
            let at = format!("{at}.Processors[{index}]");
            if processor.r#type != "Lambda" {
                let problem =
                    format!("{} is not supported by this local Firehose; accepted is Lambda", processor.r#type);
                return Err(FieldError::new(format!("{at}.Type"), problem));
            }
            if found.replace(lambda(&processor.parameters, &format!("{at}.Parameters"))?).is_some() {
                return Err(FieldError::new(at, "a stream has one processor of type Lambda"));
            }
        }
        Ok(found.filter(|_| self.enabled == Some(true)))
    }
}

fn lambda(parameters: &[Parameter], at: &str) -> Result<Transformation, FieldError> {
    let (mut arn, mut retries, mut buffer_mb, mut buffer_seconds) =
        (None, DEFAULT_RETRIES, DEFAULT_BUFFER_MB, DEFAULT_LAMBDA_SECONDS);
    for (index, Parameter { parameter_name, parameter_value: value }) in parameters.iter().enumerate() {
        let at = format!("{at}[{index}]");
        if parameters.iter().take(index).any(|earlier| earlier.parameter_name == *parameter_name) {
            let problem = format!("{parameter_name} is given twice");
            return Err(FieldError::new(format!("{at}.ParameterName"), problem));
        }
        let invalid = |accepted: String| FieldError::new(format!("{at}.ParameterValue"), accepted);
        let number = |most: u32| {
            let number = value.parse::<u32>().ok().filter(|number| *number <= most);
            number.ok_or_else(|| {
                invalid(format!("{parameter_name} is {value}; accepted is a whole number from 0 to {most}"))
            })
        };
        match parameter_name.as_str() {
            "LambdaArn" if function_name(value).is_some() => arn = Some(value.clone()),
            "LambdaArn" => {
                let accepted = "accepted is arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]";
                return Err(invalid(format!("LambdaArn is {value}; {accepted}")));
            }
            // Roles are not evaluated here.
            "RoleArn" => {}
            "NumberOfRetries" => retries = number(MAX_RETRIES)?,
            "BufferIntervalInSeconds" => buffer_seconds = number(MAX_LAMBDA_SECONDS)?,
            "BufferSizeInMBs" => {
                let sizes = SMALLEST_BUFFER_MB..=LARGEST_BUFFER_MB;
                buffer_mb = value.parse::<f64>().ok().filter(|size| sizes.contains(size)).ok_or_else(|| {
                    let accepted = format!("accepted is a number from {SMALLEST_BUFFER_MB} to {LARGEST_BUFFER_MB}");
                    invalid(format!("BufferSizeInMBs is {value}; {accepted}"))
                })?;
            }
            other => {
                let problem = format!("{other} is not supported for a processor of type Lambda");
                return Err(FieldError::new(format!("{at}.ParameterName"), problem));
            }
        }
    }
    let arn = arn.ok_or_else(|| FieldError::new(at, "LambdaArn is required for a processor of type Lambda"))?;
    Ok(Transformation { arn, retries, buffer_mb, buffer_seconds })
}
