//! The mysfits service's URL for the page.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, header};
use url::Url;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceAddress {
    /// A port of the host in the page's URL.
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

/// A host that DNS can't point at this machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host {
    Localhost,
    Address(IpAddr),
}

impl Host {
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::HOST).iter();
        let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
        match value.split_at_checked("localhost".len()) {
            Some((name, port)) if name.eq_ignore_ascii_case("localhost") => {
                address(&format!("127.0.0.1{port}")).map(|_| Self::Localhost)
            }
            _ => address(value).map(Self::Address),
        }
    }
}

fn address(authority: &str) -> Option<IpAddr> {
    // A scope is of this machine's, so that no URL has one.
    let authority = Some(authority).filter(|authority| !authority.contains('%'))?;
    let address = authority.parse().or_else(|_| format!("{authority}:80").parse::<SocketAddr>());
    Some(address.ok()?.ip())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

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

    fn host_of(values: &[&str]) -> Option<Host> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::HOST, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Host::from_headers(&headers)
    }

    #[test]
    fn addresses_and_localhost_are_accepted() {
        let address = |address: &str| Host::Address(address.parse().unwrap());
        for (value, host) in [
            ("localhost", Host::Localhost),
            ("localhost:8000", Host::Localhost),
            ("LocalHost:8000", Host::Localhost),
            ("127.0.0.1:8000", address("127.0.0.1")),
            ("192.168.1.20", address("192.168.1.20")),
            ("0.0.0.0:65535", address("0.0.0.0")),
            ("[::1]", address("::1")),
            ("[::1]:8000", address("::1")),
            ("[fd00::a]:8000", address("fd00::a")),
        ] {
            assert_eq!(host_of(&[value]), Some(host), "{value}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for value in [
            "",
            ":8000",
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "localhost.",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "user@127.0.0.1",
            "127.1",
            "0177.0.0.1",
            "2130706433",
            "127.0.0.1 ; script-src *",
            "127.0.0.1:",
            "127.0.0.1:+80",
            "127.0.0.1:65536",
            "127.0.0.1:80:80",
            "::1",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1%25lo]",
            "[127.0.0.1]",
            "locälhost",
        ] {
            assert_eq!(host_of(&[value]), None, "{value}");
        }
        assert_eq!(host_of(&[]), None);
        assert_eq!(host_of(&["localhost", "localhost"]), None);
    }
}
