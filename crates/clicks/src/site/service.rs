//! The mysfits service's URL for the page.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use url::Url;

use super::host::Host;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceAddress {
    /// The service of this process: a port of the host in the page's URL.
    Local(u16),
    External(ServiceUrl),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUrl {
    /// Without a trailing slash: paths begin with one, and to API Gateway `prod//mysfits` is not `prod/mysfits`.
    pub(super) url: String,
    pub(super) origin: String,
}

impl ServiceAddress {
    pub(crate) fn external(url: &str) -> Result<Self, &'static str> {
        let url = Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let url = url.ok_or("invalid URL of the service; accepted is one with http:// or https://")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "found a user or a password in the service's URL, which the page would show; accepted is a URL without",
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("found a query or a fragment in the service's URL; accepted is a base URL");
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self::External(ServiceUrl { url: url.as_str().trim_end_matches('/').to_owned(), origin }))
    }

    pub(super) fn for_host(&self, host: &Host) -> ServiceUrl {
        match self {
            Self::External(url) => url.clone(),
            Self::Local(port) => {
                let origin = match host {
                    // A content security policy has no form for the loopback address of IPv6 (CSP level 3, "host-source").
                    Host::Localhost | Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)) => {
                        format!("http://localhost:{port}")
                    }
                    Host::Address(address) => format!("http://{}", SocketAddr::new(*address, *port)),
                };
                ServiceUrl { url: origin.clone(), origin }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_service_has_the_host_of_the_page() {
        for (host, url) in [
            (Host::Localhost, "http://localhost:8002"),
            (Host::Address("192.168.1.20".parse().unwrap()), "http://192.168.1.20:8002"),
            (Host::Address("::1".parse().unwrap()), "http://localhost:8002"),
            (Host::Address("fd00::a".parse().unwrap()), "http://[fd00::a]:8002"),
        ] {
            let service = ServiceAddress::Local(8002).for_host(&host);
            assert_eq!((service.url.as_str(), service.origin.as_str()), (url, url));
        }
    }

    #[test]
    fn an_external_service_has_its_own_url() {
        for (given, url, origin) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://mysfits.example/", "http://mysfits.example", "http://mysfits.example"),
            ("HTTPS://Mysfits.Example:443//", "https://mysfits.example", "https://mysfits.example"),
            ("https://a.example/prod", "https://a.example/prod", "https://a.example"),
            ("https://a.example:8443/a/prod/", "https://a.example:8443/a/prod", "https://a.example:8443"),
            ("https://a.example/a;b 'c", "https://a.example/a;b%20'c", "https://a.example"),
        ] {
            let service = ServiceAddress::external(given).unwrap().for_host(&Host::Localhost);
            assert_eq!((service.url.as_str(), service.origin.as_str()), (url, origin), "{given}");
        }
    }

    #[test]
    fn a_url_that_a_page_can_not_use_is_refused() {
        for (given, message) in [
            ("", "invalid URL of the service; accepted is one with http:// or https://"),
            ("mysfits.example", "invalid URL of the service; accepted is one with http:// or https://"),
            ("ftp://mysfits.example", "invalid URL of the service; accepted is one with http:// or https://"),
            ("http://", "invalid URL of the service; accepted is one with http:// or https://"),
            (
                "http://me@a.example",
                "found a user or a password in the service's URL, which the page would show; accepted is a URL without",
            ),
            (
                "http://:pw@a.example",
                "found a user or a password in the service's URL, which the page would show; accepted is a URL without",
            ),
            ("http://a.example/?a", "found a query or a fragment in the service's URL; accepted is a base URL"),
            ("http://a.example/#a", "found a query or a fragment in the service's URL; accepted is a base URL"),
        ] {
            assert_eq!(ServiceAddress::external(given).unwrap_err(), message, "{given}");
        }
    }
}
