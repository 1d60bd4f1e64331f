//! TLS of what listens for HTTP and of who dials it: certificates from PEM files, rustls for the rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataflow::Failure;
pub use tokio_rustls::TlsAcceptor;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate with its key, and the authority that others are measured by.
#[derive(Clone, Debug)]
pub struct Papers {
    /// The certificate, and the chain behind it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority that signs the certificates of others.
    pub authority: Option<PathBuf>,
}

/// Whether who connects needs a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nobody is asked.
    Never,
    /// Who has one shows it; the others have something else to show.
    Gladly,
    /// Nobody gets in without.
    Always,
}

/// What accepts connections.
///
/// # Errors
/// Where a file cannot be read, or does not hold what it should.
pub fn acceptor(papers: &Papers, asked: Asked) -> Result<TlsAcceptor, Failure> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&papers.certificate, &error))?;
    let builder = match (asked, &papers.authority) {
        (Asked::Never, _) | (_, None) => builder.with_no_client_auth(),
        (asked, Some(authority)) => {
            let roots = Arc::new(roots(authority)?);
            let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            if asked == Asked::Gladly {
                verifier = verifier.allow_unauthenticated();
            }
            let verifier = verifier.build().map_err(|error| unusable(authority, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(certificates(&papers.certificate)?, key(&papers.key)?)
        .map_err(|error| unusable(&papers.key, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// How other job managers are dialled.
#[derive(Clone)]
pub struct Dialling {
    connector: TlsConnector,
    name: Option<ServerName<'static>>,
}

impl Dialling {
    /// By these papers; `name` is what the certificates of the others say, or else the address that is dialled.
    ///
    /// # Errors
    /// Where a file cannot be read, or does not hold what it should.
    pub fn new(papers: &Papers, name: Option<&str>) -> Result<Self, Failure> {
        let roots = match &papers.authority {
            Some(authority) => roots(authority)?,
            None => roots(&papers.certificate)?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&papers.certificate, &error))?;
        let config = builder
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&papers.certificate)?, key(&papers.key)?)
            .map_err(|error| unusable(&papers.key, &error))?;
        let no_name = |name: &str| Failure::fail(format!("`{name}` is not a name that a certificate can have"));
        let name = name
            .map(|name| ServerName::try_from(name.to_owned()).map_err(|_no_name| no_name(name)))
            .transpose()?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, name })
    }

    /// The connector, and the name to look for at an address.
    pub(crate) fn to(&self, address: &str) -> Option<(&TlsConnector, ServerName<'static>)> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = self.name.clone().or_else(|| ServerName::try_from(host).ok())?;
        Some((&self.connector, name))
    }
}

impl std::fmt::Debug for Dialling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialling")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Named, so that it does not matter what other libraries of the process have chosen.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found = CertificateDer::pem_file_iter(file).map_err(|error| unusable(file, &error))?;
    let all: Result<Vec<_>, _> = found.collect();
    let all = all.map_err(|error| unusable(file, &error))?;
    match all.is_empty() {
        true => Err(Failure::fail(format!("there is no certificate in {}", file.display()))),
        false => Ok(all),
    }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| unusable(file, &error))
}

fn roots(file: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| unusable(file, &error))?;
    }
    Ok(roots)
}

fn unusable(file: &Path, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::fail(format!("{} cannot be used for TLS", file.display()))
        .because(error)
        .help("it is to be a PEM file: a certificate with the chain behind it, or the key that belongs to it")
}
