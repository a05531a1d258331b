//! The client's configuration: time-outs, region, credentials and address.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_firehose::config::Credentials;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use url::Url;

use crate::error::RedriveError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// 4 MiB over 1 Mbit/s. The service may store a call that timed out.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The default region and credentials of a service on this machine, as in LocalStack's documentation.
const LOCAL: (&str, &str) = ("us-east-1", "test");

/// The place is the region, or the address of another service than AWS.
pub(super) async fn load(endpoint: Option<&str>, of_service: &str) -> Result<(SdkConfig, String), RedriveError> {
    // It may be installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(CALL_TIMEOUT).build();
    let mut config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    // The service's variable precedes the general one (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = endpoint.map(str::to_owned).or_else(|| [of_service, "AWS_ENDPOINT_URL"].into_iter().find_map(variable));
    if let Some(endpoint) = &named {
        config = config.endpoint_url(endpoint);
    }
    let is_local = named.as_deref().and_then(CustomEndpoint::of).is_some_and(|endpoint| endpoint.is_local);
    if is_local && variable("AWS_ACCESS_KEY_ID").is_none() {
        config =
            config.credentials_provider(Credentials::new(LOCAL.1, LOCAL.1, None, None, "default of a local service"));
    }
    let config = config.load().await;
    let custom = named.as_deref().or(config.endpoint_url()).and_then(CustomEndpoint::of);
    let region = config.region().map(|region| region.as_ref().to_owned()).filter(|region| !region.is_empty());
    let region = region.or_else(|| custom.as_ref().map(|_| LOCAL.0.to_owned())).ok_or_else(no_region)?;
    let place = custom.map_or_else(|| region.clone(), |endpoint| endpoint.place);
    Ok((config.into_builder().region(Region::new(region)).build(), place))
}

fn no_region() -> RedriveError {
    RedriveError::Usage("no region is set; accepted is the stream's, such as us-east-1 (AWS_REGION)".to_owned())
}

#[derive(Debug, PartialEq, Eq)]
struct CustomEndpoint {
    /// `HOST-PORT`, which a file's name can contain.
    place: String,
    is_local: bool,
}

impl CustomEndpoint {
    fn of(endpoint: &str) -> Option<Self> {
        let url = Url::parse(endpoint).ok()?;
        let host = url.host_str()?;
        if [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].into_iter().any(|domain| host.ends_with(domain)) {
            return None;
        }
        let is_local = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        let host = if is_local { "localhost" } else { host };
        Some(Self { place: format!("{host}-{}", url.port_or_known_default()?), is_local })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_endpoint_is_identified_by_its_address() {
        let custom = |place: &str, is_local| Some(CustomEndpoint { place: place.to_owned(), is_local });
        for (endpoint, expected) in [
            ("http://127.0.0.1:8001", custom("localhost-8001", true)),
            ("http://localhost:8001/", custom("localhost-8001", true)),
            ("http://[::1]:8001", custom("localhost-8001", true)),
            ("https://firehose.test", custom("firehose.test-443", false)),
            ("https://firehose.eu-west-1.amazonaws.com", None),
            ("https://vpce-1.firehose.eu-west-1.vpce.amazonaws.com", None),
            ("https://notamazonaws.com", custom("notamazonaws.com-443", false)),
        ] {
            assert_eq!(CustomEndpoint::of(endpoint), expected, "{endpoint}");
        }
    }
}
