//! The mysfits service's URL for the page.

use url::Url;

use super::host::Host;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceAddress {
    /// The service of this process: a port of the host in the page's URL.
    Local(u16),
    External(ServiceUrl),
}

/// A URL that the page can't use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceUrlError {
    #[error("invalid URL of the service; accepted is one with http:// or https://")]
    NotHttp,
    #[error("found a user or a password in the service's URL, which the page would show; accepted is a URL without")]
    Credentials,
    #[error("found a query or a fragment in the service's URL; accepted is a base URL")]
    NotABase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUrl {
    /// Without a trailing slash: paths begin with one, and to API Gateway `prod//mysfits` is not `prod/mysfits`.
    url: String,
    origin: String,
}

impl ServiceAddress {
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

    /// The service for a page at `host`.
    pub(super) fn for_host(&self, host: &Host) -> ServiceUrl {
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
    fn the_local_service_has_the_host_of_the_page() {
        for (host, url) in [
            (Host::Localhost, "http://localhost:8002"),
            (Host::V4(Ipv4Addr::new(192, 168, 1, 20)), "http://192.168.1.20:8002"),
            (Host::V6("::1".parse().unwrap()), "http://localhost:8002"),
            (Host::V6("fd00::a".parse().unwrap()), "http://[fd00::a]:8002"),
        ] {
            let service = ServiceAddress::Local(8002).for_host(&host);
            assert_eq!((service.as_str(), service.origin()), (url, url));
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
            assert_eq!((service.as_str(), service.origin()), (url, origin), "{given}");
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
            let refused = ServiceAddress::external(given).map_err(|error| error.to_string());
            assert_eq!(refused.unwrap_err(), message, "{given}");
        }
    }
}
