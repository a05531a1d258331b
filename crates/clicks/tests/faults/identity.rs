//! A service with an invalid certificate, or without an address.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use test_support::certificates::{CertificateAuthority, acceptor};
use test_support::put_client::BATCH;
use test_support::up::Up;

use crate::clicks::{event, put};
use crate::counts::{Counts, check_in, delivers, fails};
use crate::misbehaving::{Misbehaving, with_service};

#[test]
fn an_invalid_certificate_fails_the_batch() {
    let (trusted, untrusted) = (CertificateAuthority::new(), CertificateAuthority::new());
    let right = trusted.sign("localhost");
    for (name, wrong) in [
        ("a certificate of an unknown authority", untrusted.sign("localhost")),
        ("a certificate of another name", trusted.sign("mysfits.example")),
    ] {
        // The handshakes that still have the wrong certificate.
        let wrong_ones = Arc::new(AtomicUsize::new(usize::MAX));
        let (left, right) = (Arc::clone(&wrong_ones), right.clone());
        let service = Misbehaving::with_tls(acceptor(move || {
            let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if taken.is_ok() { wrong.clone() } else { right.clone() }
        }));
        let roots = trusted.file();
        let url = format!("https://localhost:{}", service.port());
        let variables = [&format!("SSL_CERT_FILE={}", roots.path().display()), "LOOKUP_TIMEOUT_MS=10000"];
        let up = Up::start(&with_service(&url, &variables));

        fails(&up, &format!("{name}, lasting"), &event(0), "Lambda.FunctionError");
        assert!(up.log().contains("certificate"), "{}", up.log());
        assert_eq!((service.connections(), service.paths().len()), (16, 0), "it got a request");

        wrong_ones.store(3, Ordering::SeqCst);
        delivers(&up, &format!("{name}, three times"), &event(1));
        assert_eq!((service.connections(), service.paths().len()), (20, 1));
    }
}

#[test]
fn an_unknown_host_of_the_service_fails_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    // Never a host (RFC 2606, section 2). Without a network, the look-up takes its time.
    let options = with_service("http://no-such-host.invalid", &["LOOKUP_TIMEOUT_MS=500"]);
    let mut up = Up::start_in(folder.path(), &options);
    fails(&up, "a name that is not found, lasting", &event(0), "Lambda.FunctionError");
    assert_eq!(up.stop().code, Some(0));

    // The fix is a deployment with the right name.
    let service = Misbehaving::start(test_support::mysfits_service::healthy);
    let url = format!("http://localhost:{}", service.port());
    let mut up = Up::start_in(folder.path(), &with_service(&url, &[]));
    put(&up, event(1));
    assert_eq!(up.stop().code, Some(0));
    check_in(&up, "a name that is not found, over", &event(1), Counts::delivered(BATCH));
}
