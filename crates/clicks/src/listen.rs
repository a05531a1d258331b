//! The address to listen on.

use std::io;
use std::net::{IpAddr, SocketAddr};

use anyhow::anyhow;
use tokio::net::TcpListener;

use crate::error::UsageError;

/// `option` is that of the port.
pub(crate) async fn bind(option: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|cause| could_not_listen(option, address, &cause))
}

pub(crate) fn could_not_listen(option: &str, address: SocketAddr, cause: &io::Error) -> anyhow::Error {
    if cause.kind() == io::ErrorKind::AddrNotAvailable {
        let (host, all) = (address.ip(), if address.is_ipv4() { "0.0.0.0" } else { "::" });
        let accepted = format!("accepted is one of its addresses, or {all} for all of them");
        return UsageError(format!("`--host`: found {host}, which this machine does not have; {accepted}")).into();
    }
    anyhow!("could not listen on {address} ({cause}); choose another port with `--{option} N`, or 0 for any free one")
}

/// There is no authentication.
pub(crate) fn warn_beyond_loopback(host: IpAddr) {
    if !host.to_canonical().is_loopback() {
        tracing::warn!(
            "listening on {host}, beyond loopback: anyone in the network can put and read records (`--host`)"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_machine_is_wrong_usage() {
        let error = |address: &str, kind: io::ErrorKind| {
            could_not_listen("port", address.parse().unwrap(), &io::Error::from(kind))
        };
        for (address, expected) in [
            (
                "192.0.2.1:0",
                "`--host`: found 192.0.2.1, which this machine does not have; accepted is one of its addresses, or 0.0.0.0 for all \
                 of them",
            ),
            (
                "[2001:db8::1]:0",
                "`--host`: found 2001:db8::1, which this machine does not have; accepted is one of its addresses, or :: for all \
                 of them",
            ),
        ] {
            let error = error(address, io::ErrorKind::AddrNotAvailable);
            assert_eq!(error.downcast_ref(), Some(&UsageError(expected.to_owned())));
        }
        assert!(!error("127.0.0.1:1", io::ErrorKind::AddrInUse).is::<UsageError>());
    }
}
