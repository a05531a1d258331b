//! Services with TLS: which certificates the function trusts, and how a proxy leads to them.

use std::io::{self, Write as _};

use runtime_api::{Function, Outcome};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{COCO, clicks_on, invoke, invoke_failing, settings};
use test_support::certificates::{CertificateAuthority, acceptor};
use test_support::mysfits_service::ScriptedMysfitsService;

/// A service with a certificate for `name`, and the PEM file of the authority that signed it.
async fn service_called(name: &str) -> (ScriptedMysfitsService, NamedTempFile) {
    let authority = CertificateAuthority::new();
    let certificate = authority.sign(name);
    (ScriptedMysfitsService::with_tls(acceptor(move || certificate.clone())).await, authority.file())
}

async fn function(url: &str, roots: &str) -> Function {
    Function::start(settings(&[("LOOKUP_API_URL", url), ("SSL_CERT_FILE", roots)])).await.unwrap()
}

#[tokio::test]
async fn a_service_with_a_trusted_certificate_gets_requests() {
    let (service, roots) = service_called("localhost").await;
    let url = format!("https://localhost:{}/prod/", service.port());
    let mut function = function(&url, roots.path().to_str().unwrap()).await;
    let result = invoke(&mut function, clicks_on(&[COCO])).await;
    assert_eq!((result.counts(), service.paths()), ((1, 0, 0), vec!["/prod/mysfits".to_owned()]));
}

/// The URL of a proxy with tunnels (RFC 9110, section 9.3.6) to `name`, which is the service at `port` of this machine.
async fn proxy_to(name: &'static str, port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await?);
        }
        if head.starts_with(format!("CONNECT {name}:443 ").as_bytes()) {
            let mut service = TcpStream::connect(("127.0.0.1", port)).await?;
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            copy_bidirectional(&mut client, &mut service).await?;
        }
        io::Result::Ok(())
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_proxy_leads_to_a_service_with_tls() {
    // Without the proxy it is never a host (RFC 2606, section 2).
    let name = "mysfits.example";
    let (service, roots) = service_called(name).await;
    let proxy = proxy_to(name, service.port()).await;
    let (url, roots) = (format!("https://{name}"), roots.path().to_str().unwrap().to_owned());
    let env = [("LOOKUP_API_URL", url.as_str()), ("SSL_CERT_FILE", &roots), ("HTTPS_PROXY", &proxy)];
    let mut function = Function::start(settings(&env)).await.unwrap();
    let result = invoke(&mut function, clicks_on(&[COCO])).await;
    assert_eq!((result.counts(), service.paths()), ((1, 0, 0), vec!["/mysfits".to_owned()]));
}

#[tokio::test]
async fn a_service_with_an_invalid_certificate_gets_no_request() {
    let (unknown, roots) = service_called("mysfits.example").await;
    let trusted = roots.path().to_str().unwrap();
    let url = format!("https://localhost:{}", unknown.port());
    for (what, roots) in [("an unknown authority", ""), ("another name", trusted)] {
        let mut function = function(&url, roots).await;
        let (error_type, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(error_type, "ServiceUnavailable", "{what}");
        assert!(message.contains("certificate"), "{what}: {message}");
    }
    assert_eq!(unknown.paths(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_without_certificates_fails_the_start() {
    let (_, good) = service_called("localhost").await;
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    // An invalid certificate is an error even beside a valid one.
    let both = std::fs::read_to_string(good.path()).unwrap() + bad;
    for content in ["", "not PEM", bad, &both] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let mut function = function("https://localhost:9", file.path().to_str().unwrap()).await;
        let invocation = function.invoke("{}").await.unwrap();
        let Outcome::Exited(status) = invocation.outcome else { panic!("{content}: {:?}", invocation.outcome) };
        assert_eq!(status.code(), Some(2), "{content}");
        assert!(invocation.logs[0].contains("SSL_CERT_FILE: found /"), "{content}: {:?}", invocation.logs);
    }
}
