//! The `Host` of a request.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, header};

/// A host that DNS can't point at this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Localhost,
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Host {
    /// The host of a request, if it is acceptable.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::HOST).iter();
        let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
        let host = without_port(value)?;
        if let Some(address) = host.strip_prefix('[') {
            return Some(Self::V6(address.strip_suffix(']')?.parse().ok()?));
        }
        if let Ok(address) = host.parse() {
            return Some(Self::V4(address));
        }
        host.eq_ignore_ascii_case("localhost").then_some(Self::Localhost)
    }
}

fn without_port(authority: &str) -> Option<&str> {
    match authority.rsplit_once(':') {
        // A colon within brackets is part of an address.
        Some((host, port)) if !port.ends_with(']') => {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            (digits && port.parse::<u16>().is_ok()).then_some(host)
        }
        _ => Some(authority),
    }
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
        let v6 = |address: &str| Host::V6(address.parse().unwrap());
        for (value, host) in [
            ("localhost", Host::Localhost),
            ("localhost:8000", Host::Localhost),
            ("LocalHost:8000", Host::Localhost),
            ("127.0.0.1:8000", Host::V4(Ipv4Addr::LOCALHOST)),
            ("192.168.1.20", Host::V4(Ipv4Addr::new(192, 168, 1, 20))),
            ("0.0.0.0:65535", Host::V4(Ipv4Addr::UNSPECIFIED)),
            ("[::1]", v6("::1")),
            ("[::1]:8000", v6("::1")),
            ("[fd00::a]:8000", v6("fd00::a")),
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
