//! The `Host` of a request.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

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

/// An address, in brackets if it is one of IPv6, with or without a port.
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
