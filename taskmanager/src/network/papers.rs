//! The certificates by which task managers know each other: mutual TLS of the exchange.

use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// How this process shows who it is, and how others have to.
#[derive(Clone, Debug)]
pub struct Papers {
    pub(super) server: ServerTlsConfig,
    pub(super) client: ClientTlsConfig,
}

impl Papers {
    /// A certificate with its key and the authority that signs everybody's, as PEM; `name` is what the certificates of the
    /// others say, or else the address that is dialled.
    #[must_use]
    pub fn new((certificate, key): (&[u8], &[u8]), authority: &[u8], name: Option<&str>) -> Self {
        let identity = Identity::from_pem(certificate, key);
        let authority = Certificate::from_pem(authority);
        let mut client = ClientTlsConfig::new()
            .ca_certificate(authority.clone())
            .identity(identity.clone());
        if let Some(name) = name {
            client = client.domain_name(name);
        }
        Self {
            server: ServerTlsConfig::new().identity(identity).client_ca_root(authority),
            client,
        }
    }

    /// How others are dialled.
    #[must_use]
    pub fn client(&self) -> ClientTlsConfig {
        self.client.clone()
    }

    /// What those who dial have to show.
    #[must_use]
    pub fn server(&self) -> ServerTlsConfig {
        self.server.clone()
    }
}
