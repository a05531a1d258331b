//! The middleware of the pages: the check of the `Host`, and the headers for the browser.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error;
use super::host::Host;
use super::service::{ServiceAddress, ServiceUrl};

pub(super) const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Checks the `Host`, and sets the [`ServiceUrl`] in the request's extensions.
pub(super) async fn guard(State(service): State<Arc<ServiceAddress>>, mut request: Request, next: Next) -> Response {
    let service = Host::from_headers(request.headers()).map(|host| service.for_host(&host));
    // Fails closed. A host and an origin have valid characters of a header only.
    let Ok(policy) = HeaderValue::try_from(content_security_policy(service.as_ref())) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let response = match service {
        // A folder's redirect would lead to another host: a browser reads `//pipeline/` as one.
        _ if request.uri().path().starts_with("//") => error(StatusCode::NOT_FOUND, "unknown page"),
        Some(service) => {
            request.extensions_mut().insert(service);
            next.run(request).await
        }
        None => error(StatusCode::MISDIRECTED_REQUEST, "invalid Host; accepted are localhost and IP addresses"),
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        // For a developer, whose files change.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, response).into_response()
}

/// Allows this origin and the mysfits service only.
fn content_security_policy(service: Option<&ServiceUrl>) -> String {
    let service = service.map(|service| format!(" {}", service.origin)).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{service}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_strict() {
        let service = ServiceAddress::external("https://a.example/prod/").unwrap();
        let service = service.for_host(&Host::Localhost);
        for (service, connect) in [(None, "'self'"), (Some(&service), "'self' https://a.example")] {
            assert_eq!(
                content_security_policy(service),
                format!(
                    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {connect}; \
                     base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                )
            );
        }
    }
}
