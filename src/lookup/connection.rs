//! How to connect to the service: its URL, the authentication, and the trusted certificate authorities.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Mutex;

use super::secret::CachedSecret;
use super::service_response::ItemFormat;
use crate::config::{Auth, Config};

/// What the clients of all invocations share.
#[derive(Debug)]
pub struct ServiceConnection {
    /// The base URL without a trailing slash: to API Gateway, `prod//items` is another path than `prod/items`.
    pub(super) base: String,
    pub(super) auth: Auth,
    pub(super) secret: Mutex<CachedSecret>,
    pub(super) without_proxy: bool,
    pub(super) timeout: Duration,
    pub(super) tls: ClientConfig,
    pub(super) format: ItemFormat,
}

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file with additional certificate authorities is not usable.
    #[error("SSL_CERT_FILE: found {path}, which is not usable; accepted: a PEM file with certificates", path = path.display())]
    ExtraRoots {
        /// The file.
        path: PathBuf,
        /// The error of the file system or the parser.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// rustls refuses the set-up.
    #[error("TLS can't be set up")]
    Rustls(#[from] rustls::Error),
}

impl ServiceConnection {
    /// Sets up TLS and the headers; sends no request.
    pub fn new(config: &Config) -> Result<Self, TlsError> {
        Ok(Self {
            base: config.api_url.as_str().trim_end_matches('/').to_owned(),
            auth: config.auth.clone(),
            secret: Mutex::default(),
            without_proxy: config.auth.needs_direct_connections(&config.api_url),
            timeout: config.timeout,
            tls: tls(config.extra_roots.as_deref())?,
            format: ItemFormat::new(config),
        })
    }
}

fn tls(extra_roots: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(root_store(extra_roots)?).with_no_client_auth())
}

/// The certificate authorities of Mozilla, and those in the file.
fn root_store(extra_roots: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_roots {
        add_roots(path, &mut roots).map_err(|source| TlsError::ExtraRoots { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

fn add_roots(path: &Path, roots: &mut RootCertStore) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let built_in = roots.len();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    if roots.len() == built_in { Err("no certificates in it".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_authorities_of_mozilla_are_built_in() {
        let built_in = webpki_roots::TLS_SERVER_ROOTS.len();
        assert!(built_in > 100);
        assert_eq!(root_store(None).unwrap().len(), built_in);
        let more = tempfile::NamedTempFile::new().unwrap();
        let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(more.path(), authority.cert.pem()).unwrap();
        assert_eq!(root_store(Some(more.path())).unwrap().len(), built_in + 1);
        assert!(root_store(Some(Path::new("/nowhere.pem"))).is_err());
    }
}
