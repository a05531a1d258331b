//! What stands before each page: the check of the `Host`, and the headers that bind the browser.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::host::Host;
use super::refusal;
use super::service::{ServiceAddress, ServiceUrl};

pub(super) const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Answers a request by the page that it asks for, which finds the [`ServiceUrl`] in the request's extensions.
pub(super) async fn guard(State(service): State<Arc<ServiceAddress>>, mut request: Request, next: Next) -> Response {
    let service = Host::of(request.headers()).map(|host| service.seen_from(&host));
    // Fails closed; neither a host nor an origin has a character that a header may not have.
    let Ok(policy) = HeaderValue::try_from(content_security_policy(service.as_ref())) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let response = match service {
        // A folder's redirect would lead to another host: `//pipeline/` is one to a browser.
        _ if request.uri().path().starts_with("//") => refusal(StatusCode::NOT_FOUND, "no such page"),
        Some(service) => {
            request.extensions_mut().insert(service);
            next.run(request).await
        }
        None => refusal(
            StatusCode::MISDIRECTED_REQUEST,
            "this page answers to localhost and to IP addresses: open it by one of them",
        ),
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        // Files change while a page is worked on: a browser is to ask each time.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, response).into_response()
}

/// Everything is from here, but for the mysfits.
fn content_security_policy(service: Option<&ServiceUrl>) -> String {
    let service = service.map(|service| format!(" {}", service.origin())).unwrap_or_default();
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
        let service = service.seen_from(&Host::Localhost);
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
