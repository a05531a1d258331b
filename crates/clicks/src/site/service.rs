//! Where the page finds the mysfits service.

use url::Url;

use super::host::Host;

/// What is known of the service before anybody asks for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceAddress {
    /// The service of this process, at a port of the host that the page is found at.
    Local(u16),
    /// Another one, wherever the page is.
    External(ServiceUrl),
}

/// Why a service can't be named to a browser.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceUrlError {
    /// Not a URL of HTTP.
    #[error("the service's URL is not one with http:// or https://")]
    NotHttp,
    /// Everybody who sees the page would see it.
    #[error("the service's URL has a user or a password in it, which the page would show")]
    Credentials,
    /// Paths are appended to it.
    #[error("the service's URL has a query or a fragment: accepted is a base URL")]
    NotABase,
}

/// The service, as a page's scripts ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUrl {
    /// Without a slash at its end: paths begin with theirs, and `prod//mysfits` is not `prod/mysfits` to API Gateway.
    url: String,
    /// The scheme, the host and the port.
    origin: String,
}

impl ServiceAddress {
    /// A service by its base URL.
    pub(crate) fn external(url: &str) -> Result<Self, ServiceUrlError> {
        let url = Url::parse(url).map_err(|_| ServiceUrlError::NotHttp)?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(ServiceUrlError::NotHttp);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ServiceUrlError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ServiceUrlError::NotABase);
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self::External(ServiceUrl { url: url.as_str().trim_end_matches('/').to_owned(), origin }))
    }

    /// The service, to a page that was found at `host`.
    pub(super) fn seen_from(&self, host: &Host) -> ServiceUrl {
        match self {
            Self::External(url) => url.clone(),
            Self::Local(port) => {
                let origin = match host {
                    Host::Localhost => format!("http://localhost:{port}"),
                    Host::V4(address) => format!("http://{address}:{port}"),
                    // A content security policy has no form for the address itself (CSP level 3, "host-source").
                    Host::V6(address) if address.is_loopback() => format!("http://localhost:{port}"),
                    Host::V6(address) => format!("http://[{address}]:{port}"),
                };
                ServiceUrl { url: origin.clone(), origin }
            }
        }
    }
}

impl ServiceUrl {
    pub(super) fn as_str(&self) -> &str {
        &self.url
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_local_service_is_where_the_page_is() {
        for (host, url) in [
            (Host::Localhost, "http://localhost:8002"),
            (Host::V4(Ipv4Addr::new(192, 168, 1, 20)), "http://192.168.1.20:8002"),
            (Host::V6("::1".parse().unwrap()), "http://localhost:8002"),
            (Host::V6("fd00::a".parse().unwrap()), "http://[fd00::a]:8002"),
        ] {
            let service = ServiceAddress::Local(8002).seen_from(&host);
            assert_eq!((service.as_str(), service.origin()), (url, url));
        }
    }

    #[test]
    fn another_service_is_where_it_is() {
        for (given, url, origin) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://mysfits.example/", "http://mysfits.example", "http://mysfits.example"),
            ("HTTPS://Mysfits.Example:443//", "https://mysfits.example", "https://mysfits.example"),
            ("https://a.example/prod", "https://a.example/prod", "https://a.example"),
            ("https://a.example:8443/a/prod/", "https://a.example:8443/a/prod", "https://a.example:8443"),
            ("https://a.example/a;b 'c", "https://a.example/a;b%20'c", "https://a.example"),
        ] {
            let service = ServiceAddress::external(given).unwrap().seen_from(&Host::Localhost);
            assert_eq!((service.as_str(), service.origin()), (url, origin), "{given}");
        }
    }

    #[test]
    fn what_a_page_can_not_use_is_refused() {
        for (given, message) in [
            ("", "the service's URL is not one with http:// or https://"),
            ("mysfits.example", "the service's URL is not one with http:// or https://"),
            ("ftp://mysfits.example", "the service's URL is not one with http:// or https://"),
            ("http://", "the service's URL is not one with http:// or https://"),
            ("http://me@a.example", "the service's URL has a user or a password in it, which the page would show"),
            ("http://:pw@a.example", "the service's URL has a user or a password in it, which the page would show"),
            ("http://a.example/?a", "the service's URL has a query or a fragment: accepted is a base URL"),
            ("http://a.example/#a", "the service's URL has a query or a fragment: accepted is a base URL"),
        ] {
            let refused = ServiceAddress::external(given).map_err(|error| error.to_string());
            assert_eq!(refused.unwrap_err(), message, "{given}");
        }
    }
}
