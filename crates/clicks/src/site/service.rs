//! The mysfits service's URL for the page.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, header};
use url::Url;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceAddress {
    /// A port of the host in the page's URL.
    Local(u16),
    External(PageServiceUrl),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageServiceUrl {
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
        Ok(Self::External(PageServiceUrl { url: url.as_str().trim_end_matches('/').to_owned(), origin }))
    }

    pub(super) fn for_host(&self, host: &str) -> PageServiceUrl {
        match self {
            Self::External(url) => url.clone(),
            Self::Local(port) => {
                let origin = format!("http://{host}:{port}");
                PageServiceUrl { url: origin.clone(), origin }
            }
        }
    }
}

/// The host of a page's URL, if DNS can't point it at this machine: `localhost`, or an IP address as in a URL.
pub(super) fn host(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::HOST).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let address = match value.split_at_checked("localhost".len()) {
        // As an address, so that its port is checked, too.
        Some((name, port)) if name.eq_ignore_ascii_case("localhost") => address(&format!("[::1]{port}")),
        _ => address(value),
    };
    Some(match address? {
        // A content security policy has no form for the loopback address of IPv6 (CSP level 3, "host-source").
        IpAddr::V6(Ipv6Addr::LOCALHOST) => "localhost".to_owned(),
        IpAddr::V6(address) => format!("[{address}]"),
        IpAddr::V4(address) => address.to_string(),
    })
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
            ("localhost", "http://localhost:8002"),
            ("192.168.1.20", "http://192.168.1.20:8002"),
            ("[::1]", "http://localhost:8002"),
            ("[fd00::a]", "http://[fd00::a]:8002"),
        ] {
            let service = ServiceAddress::Local(8002).for_host(&host_of(&[host]).unwrap());
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
            let service = ServiceAddress::external(given).unwrap().for_host("localhost");
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

    fn host_of(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::HOST, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        host(&headers)
    }

    #[test]
    fn addresses_and_localhost_are_accepted() {
        for (value, host) in [
            ("localhost", "localhost"),
            ("localhost:8000", "localhost"),
            ("LocalHost:8000", "localhost"),
            ("127.0.0.1:8000", "127.0.0.1"),
            ("192.168.1.20", "192.168.1.20"),
            ("0.0.0.0:65535", "0.0.0.0"),
            ("[::1]", "localhost"),
            ("[::1]:8000", "localhost"),
            ("[fd00::a]:8000", "[fd00::a]"),
        ] {
            assert_eq!(host_of(&[value]).as_deref(), Some(host), "{value}");
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
