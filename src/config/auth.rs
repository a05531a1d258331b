//! How requests to the service are authenticated: `LOOKUP_AUTH`, and the variables of its modes.

use std::net::IpAddr;

use aws_credential_types::Credentials;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use service_kit::env::{Env, VariableError, is_name};

use crate::sigv4::Signer;

/// `LOOKUP_AUTH`
#[derive(Clone, Debug)]
pub enum Auth {
    /// No authentication.
    None,
    /// A secret in a header.
    Header {
        /// `LOOKUP_AUTH_HEADER`
        name: HeaderName,
        /// The header's value.
        secret: Secret,
    },
    /// A signature.
    Iam(Signer),
}

/// The secret that a header carries.
#[derive(Clone, Debug)]
pub enum Secret {
    /// `LOOKUP_SECRET`, marked sensitive, so that `Debug` hides it.
    Plain(HeaderValue),
    /// A secret in AWS Secrets Manager.
    Stored(StoredSecret),
}

/// A secret in AWS Secrets Manager.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    /// `LOOKUP_SECRET_ARN`
    pub arn: String,
    /// `LOOKUP_SECRET_FIELD`: a member of the secret, which is a JSON object then.
    pub field: Option<String>,
    /// The URL of Secrets Manager.
    pub endpoint: Url,
    /// Signs the requests to it.
    pub signer: Signer,
}

const AUTH: &str = "LOOKUP_AUTH";
const HEADER: &str = "LOOKUP_AUTH_HEADER";
const SECRET: &str = "LOOKUP_SECRET";
const ARN: &str = "LOOKUP_SECRET_ARN";
const FIELD: &str = "LOOKUP_SECRET_FIELD";

/// Headers that the connection or the request itself needs.
const RESERVED: [&str; 15] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

impl Auth {
    pub(super) fn read(env: &Env, api_url: &Url) -> Result<Self, VariableError> {
        let mode = env.choice(AUTH, &[("none", "none"), ("header", "header"), ("iam", "iam")])?;
        if mode != "header" {
            for variable in [HEADER, SECRET, ARN, FIELD] {
                if env.text(variable)?.is_some() {
                    let found = format!("a value (not shown), and {AUTH} is {mode}");
                    return Err(VariableError::new(variable, found, format_args!("no value, or {AUTH}=header")));
                }
            }
        }
        let auth = match mode {
            "header" => Self::Header { name: header_name(env)?, secret: Secret::read(env)? },
            "iam" => Self::Iam(signer(env, api_url)?),
            _ => return Ok(Self::None),
        };
        if !stays_private(api_url) {
            let accepted = format!("an https URL, or one of a loopback address, as {AUTH} is {mode}");
            return Err(VariableError::of_value("LOOKUP_API_URL", api_url.as_str(), accepted));
        }
        Ok(auth)
    }

    /// Whether a request to `api_url` or for the secret has no TLS, so that a proxy would see the secret.
    #[must_use]
    pub fn needs_direct_connections(&self, api_url: &Url) -> bool {
        let is_http = |url: &Url| url.scheme() == "http";
        match self {
            Self::None => false,
            Self::Header { secret: Secret::Stored(secret), .. } => is_http(api_url) || is_http(&secret.endpoint),
            Self::Header { .. } | Self::Iam(_) => is_http(api_url),
        }
    }
}

impl Secret {
    fn read(env: &Env) -> Result<Self, VariableError> {
        let either = || format!("{SECRET} and {ARN}");
        match (env.text(SECRET)?, env.text(ARN)?, env.text(FIELD)?) {
            (Some(_), Some(_), _) => Err(VariableError::new(either(), "values in both", "one of them")),
            (None, None, _) => {
                Err(VariableError::new(either(), format!("no value, and {AUTH} is header"), "one of them"))
            }
            (Some(_), None, Some(_)) => {
                Err(VariableError::new(FIELD, format!("a value, and {ARN} has none"), format!("no value, or {ARN}")))
            }
            (Some(text), None, None) => secret_value(text).map(Self::Plain).ok_or_else(|| invalid_text(SECRET)),
            (None, Some(arn), field) => StoredSecret::read(env, arn, field.map(str::to_owned)).map(Self::Stored),
        }
    }
}

impl StoredSecret {
    fn read(env: &Env, arn: &str, field: Option<String>) -> Result<Self, VariableError> {
        let parts: Vec<&str> = arn.split(':').collect();
        let (partition, region) = match parts.as_slice() {
            ["arn", partition, "secretsmanager", region, account, "secret", name]
                if [partition, region, account].iter().all(|part| is_name(part)) && !name.is_empty() =>
            {
                (*partition, *region)
            }
            _ => {
                let accepted = "a secret's ARN, such as arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME";
                return Err(VariableError::of_value(ARN, arn, accepted));
            }
        };
        let credentials = credentials(env)?;
        let signer = Signer { credentials, region: region.to_owned(), service: "secretsmanager" };
        Ok(Self { arn: arn.to_owned(), field, endpoint: endpoint(env, partition, region)?, signer })
    }
}

/// `Debug` hides it. `None`: HTTP can't carry it.
pub(crate) fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn invalid_text(variable: &str) -> VariableError {
    let found = "a value with characters that are invalid in an HTTP header (not shown)";
    VariableError::new(variable, found, "visible ASCII characters")
}

fn header_name(env: &Env) -> Result<HeaderName, VariableError> {
    let text = env.text(HEADER)?.unwrap_or("x-api-key");
    let name = Some(text).filter(|text| is_name(text)).and_then(|text| HeaderName::from_bytes(text.as_bytes()).ok());
    name.filter(|name| !RESERVED.contains(&name.as_str())).ok_or_else(|| {
        let accepted = format!("a name of up to 64 characters of [A-Za-z0-9_-], except {}", RESERVED.join(", "));
        VariableError::of_value(HEADER, text, accepted)
    })
}

fn signer(env: &Env, api_url: &Url) -> Result<Signer, VariableError> {
    let host = api_url.host_str().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let (service, region) = match labels.as_slice() {
        [_, "lambda-url", region, "on", "aws"] => ("lambda", Some(*region)),
        [.., "execute-api", region, "amazonaws", "com"]
        | [.., "execute-api", region, "amazonaws", "com", "cn"]
        | [.., "execute-api", region, "vpce", "amazonaws", "com"] => ("execute-api", Some(*region)),
        _ => ("execute-api", env.text("AWS_REGION")?),
    };
    let region = region.filter(|region| is_name(region)).ok_or_else(|| {
        let accepted = "the region of LOOKUP_API_URL, whose host does not name it";
        VariableError::new("AWS_REGION", "no name of a region", accepted)
    })?;
    Ok(Signer { credentials: credentials(env)?, region: region.to_owned(), service })
}

fn credentials(env: &Env) -> Result<Credentials, VariableError> {
    let text = |variable| match env.text(variable)? {
        Some(text) if secret_value(text).is_none() => Err(invalid_text(variable)),
        text => Ok(text.map(str::to_owned)),
    };
    let required = |variable| {
        text(variable)?.ok_or_else(|| VariableError::new(variable, "no value", "AWS credentials, as Lambda sets them"))
    };
    let (id, key) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
    Ok(Credentials::new(id, key, text("AWS_SESSION_TOKEN")?, None, "environment"))
}

/// Of Secrets Manager; the variables are those of the AWS SDKs.
fn endpoint(env: &Env, partition: &str, region: &str) -> Result<Url, VariableError> {
    for variable in ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"] {
        if let Some(text) = env.text(variable)? {
            let url = Url::parse(text).ok().filter(|url| url.has_host() && stays_private(url));
            return url.ok_or_else(|| {
                VariableError::new(variable, "another value (not shown)", "an https URL, or one of a loopback address")
            });
        }
    }
    let suffix = if partition == "aws-cn" { ".cn" } else { "" };
    let url = Url::parse(&format!("https://secretsmanager.{region}.amazonaws.com{suffix}/"));
    url.map_err(|_| VariableError::of_value(ARN, region, "an ARN with a region"))
}

/// Whether what is sent there can be read on no network.
fn stays_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.com/prod";
    const PLAIN: &[(&str, &str)] = &[(AUTH, "header"), (SECRET, "hunter2")];
    const KEYS: [(&str, &str); 3] =
        [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "hunter2"), ("AWS_SESSION_TOKEN", "hunter2-token")];
    const ARN_OF_SECRET: (&str, &str) = (ARN, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/key-AbCdEf");

    fn auth(url: &str, variables: &[(&str, &str)]) -> Result<Auth, VariableError> {
        Auth::read(&variables.iter().copied().collect(), &Url::parse(url).unwrap())
    }

    fn with_keys(variables: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        [variables, &KEYS].concat()
    }

    #[test]
    fn modes_are_read() {
        assert!(matches!(auth(URL, &[]), Ok(Auth::None)));
        assert!(matches!(auth(URL, &with_keys(&[(AUTH, ""), (SECRET, "")])), Ok(Auth::None)));
        for (header, expected) in [("", "x-api-key"), ("Authorization", "authorization"), ("X_Key", "x_key")] {
            let auth = auth(URL, &[PLAIN, &[(HEADER, header)]].concat()).unwrap();
            let Auth::Header { name, secret: Secret::Plain(value) } = auth else { panic!("{auth:?}") };
            assert_eq!((name.as_str(), value.to_str().unwrap()), (expected, "hunter2"));
        }
    }

    #[test]
    fn the_scope_of_a_signature_follows_from_the_host() {
        for (host, service, region) in [
            ("a1b2.execute-api.eu-west-1.amazonaws.com", "execute-api", "eu-west-1"),
            ("a1b2-vpce-0ab.execute-api.eu-west-1.amazonaws.com", "execute-api", "eu-west-1"),
            ("vpce-0ab-1.execute-api.eu-west-1.vpce.amazonaws.com", "execute-api", "eu-west-1"),
            ("a1b2.execute-api.cn-north-1.amazonaws.com.cn", "execute-api", "cn-north-1"),
            ("a1b2.lambda-url.eu-west-1.on.aws", "lambda", "eu-west-1"),
            ("api.example.com", "execute-api", "us-east-1"),
            ("a1b2.execute-api.eu-west-1.amazonaws.com.example.com", "execute-api", "us-east-1"),
            ("127.0.0.1:8080", "execute-api", "us-east-1"),
        ] {
            let scheme = if host.starts_with("127.") { "http" } else { "https" };
            let auth =
                auth(&format!("{scheme}://{host}/prod"), &with_keys(&[(AUTH, "iam"), ("AWS_REGION", "us-east-1")]));
            let Ok(Auth::Iam(signer)) = auth else { panic!("{host}: {auth:?}") };
            assert_eq!((signer.service, signer.region.as_str()), (service, region), "{host}");
        }
    }

    #[test]
    fn the_endpoint_follows_from_the_arn_or_is_set() {
        let cn = (ARN, "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:k-AbCdEf");
        let everything = ("AWS_ENDPOINT_URL", "http://[::1]:5000");
        for (variables, expected) in [
            (&[ARN_OF_SECRET][..], "https://secretsmanager.eu-west-1.amazonaws.com/"),
            (&[cn], "https://secretsmanager.cn-north-1.amazonaws.com.cn/"),
            (&[ARN_OF_SECRET, everything], "http://[::1]:5000/"),
            (
                &[ARN_OF_SECRET, everything, ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://vpce.example")],
                "https://vpce.example/",
            ),
        ] {
            let auth = auth(URL, &with_keys(&[&[(AUTH, "header"), (FIELD, "key")], variables].concat())).unwrap();
            let shown = format!("{auth:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            let Auth::Header { secret: Secret::Stored(secret), .. } = auth else { panic!("{auth:?}") };
            assert_eq!((secret.endpoint.as_str(), secret.field.as_deref()), (expected, Some("key")));
            assert_eq!(secret.signer.service, "secretsmanager");
        }
    }

    #[test]
    fn an_invalid_value_is_reported_without_the_secret() {
        let header = (AUTH, "header");
        let secret = (SECRET, "hunter2");
        let endpoint = |url| with_keys(&[header, ARN_OF_SECRET, ("AWS_ENDPOINT_URL", url)]);
        let arn = |arn| with_keys(&[header, (ARN, arn)]);
        for (variables, expected) in [
            (vec![(AUTH, "Header")], "LOOKUP_AUTH: found \"Header\"; accepted: none, header, iam"),
            (
                vec![secret],
                "LOOKUP_SECRET: found a value (not shown), and LOOKUP_AUTH is none; accepted: no value, or LOOKUP_AUTH=header",
            ),
            (
                vec![(AUTH, "iam"), ARN_OF_SECRET],
                "LOOKUP_SECRET_ARN: found a value (not shown), and LOOKUP_AUTH is iam",
            ),
            (vec![(FIELD, "key")], "LOOKUP_SECRET_FIELD: found"),
            (vec![(HEADER, "x-key")], "LOOKUP_AUTH_HEADER: found"),
            (
                vec![header],
                "LOOKUP_SECRET and LOOKUP_SECRET_ARN: found no value, and LOOKUP_AUTH is header; accepted: one of them",
            ),
            (vec![header, secret, ARN_OF_SECRET], "LOOKUP_SECRET and LOOKUP_SECRET_ARN: found values in both"),
            (
                vec![header, secret, (FIELD, "key")],
                "LOOKUP_SECRET_FIELD: found a value, and LOOKUP_SECRET_ARN has none",
            ),
            (vec![header, (SECRET, "hunter2\n")], "LOOKUP_SECRET: found a value with characters"),
            (vec![header, secret, (HEADER, "Host")], "LOOKUP_AUTH_HEADER: found \"Host\""),
            (vec![header, secret, (HEADER, "content-length")], "LOOKUP_AUTH_HEADER: found \"content-length\""),
            (vec![header, secret, (HEADER, "x key")], "LOOKUP_AUTH_HEADER: found \"x key\""),
            (vec![header, secret, (HEADER, ":authority")], "LOOKUP_AUTH_HEADER: found \":authority\""),
            (vec![header, ARN_OF_SECRET], "AWS_ACCESS_KEY_ID: found no value"),
            (vec![(AUTH, "iam"), ("AWS_REGION", "eu-west-1"), KEYS[0]], "AWS_SECRET_ACCESS_KEY: found no value"),
            (
                vec![(AUTH, "iam"), ("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "hunter2\n")],
                "AWS_ACCESS_KEY_ID: found a value with",
            ),
            (with_keys(&[(AUTH, "iam")]), "AWS_REGION: found no name of a region"),
            (arn("shop/key"), "LOOKUP_SECRET_ARN: found \"shop/key\""),
            (arn("arn:aws:secretsmanager:a/b:123:secret:key"), "LOOKUP_SECRET_ARN: found"),
            (arn("arn:aws:secretsmanager::123:secret:key"), "LOOKUP_SECRET_ARN: found"),
            (arn("arn:aws:secretsmanager:eu-west-1:123:secret:"), "LOOKUP_SECRET_ARN: found"),
            (arn("arn:aws:ssm:eu-west-1:123:parameter:key"), "LOOKUP_SECRET_ARN: found"),
            (endpoint("http://10.0.0.1"), "AWS_ENDPOINT_URL: found another value"),
            (endpoint("ftp://localhost"), "AWS_ENDPOINT_URL: found another value"),
            (endpoint("hunter2"), "AWS_ENDPOINT_URL: found another value"),
        ] {
            let message = auth(URL, &variables).unwrap_err().to_string();
            assert!(message.starts_with(expected) && !message.contains("hunter2"), "{variables:?}: {message}");
        }
    }

    #[test]
    fn nothing_is_sent_without_tls_to_another_machine_or_a_proxy() {
        let iam = with_keys(&[(AUTH, "iam"), ("AWS_REGION", "eu-west-1")]);
        for (url, accepted) in [
            ("http://mysfits.example", false),
            ("http://localhost.example", false),
            ("http://10.0.0.1", false),
            ("https://mysfits.example", true),
            ("http://localhost:8080", true),
            ("http://127.0.0.1", true),
            ("http://[::1]/prod", true),
        ] {
            let parsed = Url::parse(url).unwrap();
            for variables in [PLAIN, &iam] {
                let auth = auth(url, variables).map_err(|error| error.to_string());
                assert_eq!(auth.is_ok(), accepted, "{url}: {auth:?}");
                match auth {
                    Ok(auth) => assert_eq!(auth.needs_direct_connections(&parsed), url.starts_with("http:"), "{url}"),
                    Err(error) => assert!(error.starts_with("LOOKUP_API_URL: found \"http://"), "{error}"),
                }
            }
            assert!(!auth(url, &[]).unwrap().needs_direct_connections(&parsed));
        }
        let stored = with_keys(&[(AUTH, "header"), ARN_OF_SECRET, ("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")]);
        assert!(auth(URL, &stored).unwrap().needs_direct_connections(&Url::parse(URL).unwrap()));
    }
}
