//! Verifies signatures as AWS documents it, independently of `aws-sigv4`: AWS Identity and Access Management User Guide, "Create a signed
//! AWS API request".

use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use test_support::mysfits_service::Request;

/// Who may call, and what.
#[derive(Clone, Copy)]
pub(crate) struct Verifier {
    pub(crate) secret_key: &'static str,
    pub(crate) token: Option<&'static str>,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
}

pub(crate) const KEY_ID: &str = "AKIDEXAMPLE";

const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ACCEPTED_FOR: Duration = Duration::from_secs(300);

impl Verifier {
    /// Why a service of AWS would answer 403.
    pub(crate) fn verify(&self, request: &Request) -> Result<(), String> {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        let authorization = header("authorization").ok_or("no signature")?;
        let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
        let [credential, signed, signature] = parts.split(", ").collect::<Vec<_>>()[..] else {
            return Err(format!("malformed: {authorization}"));
        };
        let date = header("x-amz-date").ok_or("no date")?;
        let at = DateTime::strptime("%Y%m%dT%H%M%SZ", date).map_err(|error| error.to_string())?;
        let at = at.to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?.timestamp();
        if at.duration_until(Timestamp::now()).unsigned_abs() > ACCEPTED_FOR {
            return Err(format!("expired: {date}"));
        }
        let scope = format!("{}/{}/{}/aws4_request", &date[..8], self.region, self.service);
        if credential != format!("Credential={KEY_ID}/{scope}") {
            return Err(format!("{credential} instead of {scope}"));
        }
        if header("x-amz-security-token") != self.token {
            return Err("another session token".to_owned());
        }
        let signed = signed.strip_prefix("SignedHeaders=").ok_or("no signed headers")?;
        let names: Vec<&str> = signed.split(';').collect();
        let must_be_signed = |name: &&String| *name == "host" || name.starts_with("x-amz-");
        if let Some(unsigned) =
            request.headers.keys().find(|name| must_be_signed(name) && !names.contains(&name.as_str()))
        {
            return Err(format!("{unsigned} is not signed"));
        }

        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        // Every service but S3 encodes the path as it came once more.
        let path: Vec<String> = path.split('/').map(encode).collect();
        let mut query: Vec<(String, String)> = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
        query.sort();
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut canonical = format!("{}\n{}\n{}\n", request.method, path.join("/"), query.join("&"));
        for name in &names {
            writeln!(canonical, "{name}:{}", header(name).unwrap_or_default().trim()).unwrap();
        }
        write!(canonical, "\n{signed}\n{}", hex::encode(Sha256::digest(&request.body))).unwrap();

        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(&canonical)));
        let key = scope.split('/').fold(format!("AWS4{}", self.secret_key).into_bytes(), |key, part| hmac(&key, part));
        let expected = format!("Signature={}", hex::encode(hmac(&key, &text)));
        if signature == expected { Ok(()) } else { Err(format!("another signature, of:\n{canonical}")) }
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, &UNRESERVED).to_string()
}

fn pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let decoded = |text: &str| encode(&percent_decode_str(text).decode_utf8().unwrap());
    (decoded(name), decoded(value))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
