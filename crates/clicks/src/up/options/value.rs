//! The values of options. The command line and the file accept the same.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};
use toml::Value;

use crate::packages::{variable_of_collector, variable_of_function, variable_of_processor};
use firehose_model::batch::{LARGEST_BUFFER_MB, SMALLEST_BUFFER_MB};
use firehose_model::limits::{MAX_STREAM_NAME, is_stream_name_char};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole<const LOW: u32, const HIGH: u32>(pub(crate) u32);

impl<const LOW: u32, const HIGH: u32> FromStr for Whole<LOW, HIGH> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse::<u32>().ok().filter(|number| (LOW..=HIGH).contains(number));
        number.map(Self).ok_or_else(|| format!("accepted is a whole number from {LOW} to {HIGH}"))
    }
}

impl<'de, const LOW: u32, const HIGH: u32> Deserialize<'de> for Whole<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(deserializer, number)
    }
}

/// 0 is any free port.
pub(crate) type Port = Whole<0, 65_535>;

impl Port {
    pub(crate) fn number(self) -> u16 {
        // Always fits: it is the upper bound.
        u16::try_from(self.0).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BufferMb(pub(crate) f64);

impl FromStr for BufferMb {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bounds = SMALLEST_BUFFER_MB..=LARGEST_BUFFER_MB;
        let number = text.parse::<f64>().ok().filter(|number| bounds.contains(number));
        number.map(Self).ok_or_else(|| format!("accepted is a number from {SMALLEST_BUFFER_MB} to {LARGEST_BUFFER_MB}"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Host(pub(crate) IpAddr);

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "localhost" => Ok(Self(Ipv4Addr::LOCALHOST.into())),
            _ => text.parse().map(Self).map_err(|_| "accepted is an IP address, or localhost for 127.0.0.1".to_owned()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUrl(pub(crate) String);

impl FromStr for ServiceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("http://").or(text.strip_prefix("https://")) {
            None | Some("") => Err("accepted is a URL with http:// or https://".to_owned()),
            Some(_) => Ok(Self(text.to_owned())),
        }
    }
}

/// Of a delivery stream, unless another length is given. Firehose and Kinesis allow the same characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamName<const LONGEST: usize = MAX_STREAM_NAME>(pub(crate) String);

impl<const LONGEST: usize> FromStr for StreamName<LONGEST> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if (1..=LONGEST).contains(&text.len()) && text.chars().all(is_stream_name_char) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("accepted is a name of 1 to {LONGEST} of the characters a-z A-Z 0-9 _ . -"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldName(pub(crate) String);

impl FromStr for FieldName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("accepted is the name of a field".to_owned()) } else { Ok(Self(text.to_owned())) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceKind {
    DirectPut,
    Kinesis,
}

/// The form of a function's logs (Lambda developer guide, "Configuring advanced logging controls for Lambda functions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

/// The least severe level that a function logs (the same page as for [`LogFormat`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    None,
    Gzip,
}

/// For types whose values in the file are read by a function, which parses them as on the command line.
macro_rules! in_file {
    ($($value:ty: $read:ident),* $(,)?) => {$(
        impl<'de> Deserialize<'de> for $value {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                checked(deserializer, $read)
            }
        }
    )*};
}

in_file! {
    BufferMb: number,
    Host: text,
    ServiceUrl: text,
    StreamName: text,
    FieldName: text,
    SourceKind: name,
    LogFormat: name,
    LogLevel: name,
    Encoding: name,
}

/// A string is no number, although the command line has only strings.
fn number<T: FromStr<Err = String>>(value: &Value) -> Result<T, String> {
    match value {
        Value::Integer(number) => number.to_string().parse(),
        // With its decimal point, so that it is no whole number.
        Value::Float(number) => format!("{number:?}").parse(),
        _ => "".parse(),
    }
}

fn text<T: FromStr<Err = String>>(value: &Value) -> Result<T, String> {
    // None of them may be empty, so a value that is not a string gets the message of an empty one.
    value.as_str().unwrap_or_default().parse()
}

fn name<T: ValueEnum>(value: &Value) -> Result<T, String> {
    let ignore_case = true;
    T::from_str(value.as_str().unwrap_or_default(), ignore_case).map_err(|_| {
        let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        format!("accepted are {}", names.join(", "))
    })
}

type Variables = Vec<(String, String)>;

pub(super) fn variables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Variables, D::Error> {
    table_of(deserializer, variable_of_processor)
}

pub(super) fn variables_of_collector<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Variables, D::Error> {
    table_of(deserializer, variable_of_collector)
}

pub(super) fn variables_of_function<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Variables, D::Error> {
    table_of(deserializer, variable_of_function)
}

fn table_of<'de, D: Deserializer<'de>>(
    deserializer: D,
    variable: impl Fn(&str) -> Result<(String, String), String>,
) -> Result<Variables, D::Error> {
    let table = BTreeMap::<String, String>::deserialize(deserializer)?;
    let read = |(key, value): (String, String)| {
        // Without the value, which may be a secret.
        let refused = |accepted: String| D::Error::custom(format!("the variable {key:?}: {accepted}"));
        if key.contains('=') {
            return Err(refused("accepted is a name without `=`".to_owned()));
        }
        // The operating system accepts no NUL.
        if key.contains('\0') || value.contains('\0') {
            return Err(refused("accepted is text without NUL".to_owned()));
        }
        variable(&format!("{key}={value}")).map_err(refused)
    };
    table.into_iter().map(read).collect()
}

pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    checked(deserializer, |value| {
        let path = value.as_str().filter(|path| !path.is_empty());
        path.map(|path| Some(path.into())).ok_or_else(|| "accepted is a path".to_owned())
    })
}

/// The error has the value that was found.
fn checked<'de, D, T>(deserializer: D, check: impl FnOnce(&Value) -> Result<T, String>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    let value = Value::deserialize(deserializer)?;
    check(&value).map_err(|accepted| D::Error::custom(format!("found {}; {accepted}", described(&value))))
}

fn described(value: &Value) -> Unexpected<'_> {
    match value {
        Value::String(text) => Unexpected::Str(text),
        Value::Integer(number) => Unexpected::Signed(*number),
        Value::Float(number) => Unexpected::Float(*number),
        Value::Boolean(value) => Unexpected::Bool(*value),
        Value::Datetime(_) => Unexpected::Other("time"),
        Value::Array(_) => Unexpected::Other("array"),
        Value::Table(_) => Unexpected::Other("table"),
    }
}
