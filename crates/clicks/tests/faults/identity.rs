//! A service that is not who it should be, or has no address.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use test_support::put_client::BATCH;
use test_support::up::Up;

use crate::authority::{Authority, acceptor};
use crate::clicks::{event, put};
use crate::counts::{Counts, check_in, delivers, fails};
use crate::misbehaving::{Misbehaving, asking};

#[test]
fn what_becomes_of_clicks_while_the_certificate_is_wrong() {
    let (trusted, stranger) = (Authority::new(), Authority::new());
    let right = trusted.sign("localhost");
    for (name, wrong) in [
        ("a certificate of an unknown authority", stranger.sign("localhost")),
        ("a certificate of another name", trusted.sign("mysfits.example")),
    ] {
        // How many handshakes are to come that show the wrong one.
        let wrong_ones = Arc::new(AtomicUsize::new(usize::MAX));
        let (left, right) = (Arc::clone(&wrong_ones), right.clone());
        let service = Misbehaving::with_tls(acceptor(move || {
            let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if taken.is_ok() { wrong.clone() } else { right.clone() }
        }));
        let roots = trusted.file();
        let url = format!("https://localhost:{}", service.port());
        let variables = [&format!("SSL_CERT_FILE={}", roots.path().display()), "MYSFITS_TIMEOUT_MS=10000"];
        let up = Up::start(&asking(&url, &variables));

        fails(&up, &format!("{name}, lasting"), &event(0), "Lambda.FunctionError");
        assert!(up.log().contains("certificate"), "{}", up.log());
        assert_eq!((service.connections(), service.paths().len()), (16, 0), "it was told something");

        wrong_ones.store(3, Ordering::SeqCst);
        delivers(&up, &format!("{name}, three times"), &event(1));
        assert_eq!((service.connections(), service.paths().len()), (20, 1));
    }
}

#[test]
fn what_becomes_of_clicks_while_the_name_of_the_service_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    // Never a host (RFC 2606, section 2). Where there is no network at all, to be told so takes its time.
    let options = asking("http://no-such-host.invalid", &["MYSFITS_TIMEOUT_MS=500"]);
    let mut up = Up::start_in(folder.path(), &options);
    fails(&up, "a name that is not found, lasting", &event(0), "Lambda.FunctionError");
    assert_eq!(up.stop().code, Some(0));

    // Mended as it is mended: with the right name, a deployment.
    let service = Misbehaving::start(crate::service::well_built);
    let url = format!("http://localhost:{}", service.port());
    let mut up = Up::start_in(folder.path(), &asking(&url, &[]));
    put(&up, event(1));
    assert_eq!(up.stop().code, Some(0));
    check_in(&up, "a name that is not found, over", &event(1), Counts::delivered(BATCH));
}
