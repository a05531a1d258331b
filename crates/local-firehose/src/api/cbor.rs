//! CBOR of Kinesis, as the AWS SDK for Java speaks it: a request is converted to JSON, which has one reader, and a response from JSON.
//!
//! The members are those of JSON, but data is a byte string, and a time is in milliseconds (`AwsCborProtocolFactory` and `SdkCborGenerator` of the
//! AWS SDK for Java 2.x). The name of a member decides how its value is converted. Tags are not required, and are ignored in requests, as
//! by Jackson, which that SDK uses: the tag of a time is 1, which RFC 8949 has for seconds.

use std::convert::Infallible;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use minicbor::data::{IanaTag, Type};
use minicbor::{Decoder, Encoder, decode, encode};
use serde::Serialize;
use serde_json::Value;

const DATA: &str = "Data";
const TIMES: [&str; 3] = ["ApproximateArrivalTimestamp", "StreamCreationTimestamp", "Timestamp"];
/// As deep as serde_json reads JSON.
const MAX_DEPTH: usize = 128;
const ACCEPTED: &str =
    "accepted are maps, arrays, text, integers, numbers of 32 and 64 bits, booleans, null, and byte strings as Data";

/// Why a request was not converted.
#[derive(Debug, thiserror::Error)]
pub(super) enum CborError {
    /// It is not one value of CBOR that JSON has, too.
    #[error("invalid CBOR: {0}")]
    Invalid(#[from] decode::Error),
    /// The JSON is longer than its limit.
    #[error("the request is too large")]
    TooLarge(#[from] io::Error),
}

/// Converts a request to JSON of at most `max_bytes`. Lengths in the request allocate nothing.
pub(super) fn to_json(request: &[u8], max_bytes: usize) -> Result<Vec<u8>, CborError> {
    let json = Json { bytes: Vec::new(), max_bytes };
    let mut conversion = Conversion { cbor: Decoder::new(request), json };
    conversion.value("", 0)?;
    match conversion.cbor.position() {
        end if end < request.len() => Err(decode::Error::message("more bytes follow the request").at(end).into()),
        _ => Ok(conversion.json.bytes),
    }
}

/// Writes fail where there would be more bytes than the limit.
struct Json {
    bytes: Vec<u8>,
    max_bytes: usize,
}

impl Write for Json {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.max_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Conversion<'a> {
    cbor: Decoder<'a>,
    json: Json,
}

impl Conversion<'_> {
    /// Converts the value of a member; items of arrays have no name.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age have 41 bits")]
    fn value(&mut self, name: &str, depth: usize) -> Result<(), CborError> {
        while self.cbor.datatype()? == Type::Tag {
            self.cbor.tag()?;
        }
        let position = self.cbor.position();
        match self.cbor.datatype()? {
            Type::Map | Type::MapIndef | Type::Array | Type::ArrayIndef if depth == MAX_DEPTH => {
                Err(decode::Error::message("maps and arrays are nested too deep").at(position).into())
            }
            Type::Map | Type::MapIndef => {
                let length = self.cbor.map()?;
                self.items(length, [b"{", b"}"], |conversion| {
                    let name = conversion.text()?;
                    conversion.write(&name)?;
                    conversion.json.write_all(b":")?;
                    conversion.value(&name, depth + 1)
                })
            }
            Type::Array | Type::ArrayIndef => {
                let length = self.cbor.array()?;
                self.items(length, [b"[", b"]"], |conversion| conversion.value("", depth + 1))
            }
            Type::Bytes | Type::BytesIndef if name == DATA => self.data(),
            found @ (Type::Bytes | Type::BytesIndef | Type::F16 | Type::Simple | Type::Break | Type::Unknown(_)) => {
                Err(decode::Error::type_mismatch(found).at(position).with_message(ACCEPTED).into())
            }
            Type::String | Type::StringIndef => {
                let text = self.text()?;
                self.write(&text)
            }
            Type::F32 | Type::F64 => match self.cbor.f64()? {
                number if !number.is_finite() => {
                    Err(decode::Error::message("a number is not finite").at(position).into())
                }
                milliseconds if TIMES.contains(&name) => self.write(&(milliseconds / 1000.0)),
                number => self.write(&number),
            },
            Type::Bool => {
                let value = self.cbor.bool()?;
                self.write(&value)
            }
            Type::Null | Type::Undefined => {
                self.cbor.skip()?;
                self.write(&())
            }
            _ => match i128::from(self.cbor.int()?) {
                milliseconds if TIMES.contains(&name) => self.write(&(milliseconds as f64 / 1000.0)),
                number => self.write(&number),
            },
        }
    }

    /// Converts the items of a map or an array, until a break if it has no length.
    fn items(
        &mut self,
        length: Option<u64>,
        [start, end]: [&[u8; 1]; 2],
        convert: impl Fn(&mut Self) -> Result<(), CborError>,
    ) -> Result<(), CborError> {
        self.json.write_all(start)?;
        for count in 0.. {
            let is_end = match length {
                Some(length) => count == length,
                None => self.cbor.datatype()? == Type::Break,
            };
            if is_end {
                break;
            }
            if count > 0 {
                self.json.write_all(b",")?;
            }
            convert(self)?;
        }
        if length.is_none() {
            self.cbor.set_position(self.cbor.position() + 1);
        }
        Ok(self.json.write_all(end)?)
    }

    fn text(&mut self) -> Result<String, CborError> {
        Ok(self.cbor.str_iter()?.collect::<Result<_, _>>()?)
    }

    fn data(&mut self) -> Result<(), CborError> {
        self.json.write_all(b"\"")?;
        let mut base64 = EncoderWriter::new(&mut self.json, &STANDARD);
        for part in self.cbor.bytes_iter()? {
            base64.write_all(part?)?;
        }
        Ok(base64.finish()?.write_all(b"\"")?)
    }

    /// Of the values here, only the limit fails.
    fn write(&mut self, value: &impl Serialize) -> Result<(), CborError> {
        Ok(serde_json::to_writer(&mut self.json, value).map_err(io::Error::from)?)
    }
}

pub(super) fn from_json(response: &Value) -> Vec<u8> {
    let mut cbor = Encoder::new(Vec::new());
    // Writing into memory does not fail.
    let _written = write(&mut cbor, "", response);
    cbor.into_writer()
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of this age have 41 bits")]
fn write(cbor: &mut Encoder<Vec<u8>>, name: &str, value: &Value) -> Result<(), encode::Error<Infallible>> {
    match value {
        Value::Null => _ = cbor.null()?,
        Value::Bool(value) => _ = cbor.bool(*value)?,
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (_, Some(seconds)) if TIMES.contains(&name) => {
                cbor.tag(IanaTag::Timestamp)?.i64((seconds * 1000.0).round() as i64)?;
            }
            (Some(number), _) => _ = cbor.i64(number)?,
            (None, number) => _ = cbor.f64(number.unwrap_or(f64::NAN))?,
        },
        // The base64 was validated when the record was accepted.
        Value::String(text) if name == DATA => _ = cbor.bytes(&STANDARD.decode(text).unwrap_or_default())?,
        Value::String(text) => _ = cbor.str(text)?,
        Value::Array(items) => {
            cbor.array(items.len() as u64)?;
            for item in items {
                write(cbor, "", item)?;
            }
        }
        Value::Object(members) => {
            cbor.map(members.len() as u64)?;
            for (name, value) in members {
                write(cbor.str(name)?, name, value)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
