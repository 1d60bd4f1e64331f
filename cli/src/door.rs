//! Whether a process may listen where it is told to, and how it is protected there.
//!
//! Loopback needs nothing. Beyond it REST and metrics need somebody to be known (a token or a certificate) and TLS, the
//! connections between job managers and task managers need certificates of both sides; else the process does not start.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataflow::time::Clock;
use jobmanager::access::tls::{self, Asked, Dialling, TlsAcceptor};
use jobmanager::access::{self, Access, Role, Terms, Tokens};
use taskmanager::Papers;

use crate::args::{Door, Trust};
use crate::config;
use crate::exit::{Exit, Stop};
use crate::output::say;

/// What people connect to, or the processes of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// REST, the page, metrics.
    People,
    /// Control, the exchange of data.
    Processes,
}

/// What there is to protect a listener with.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts, any of which may be without the others"
)]
struct Means {
    token: bool,
    certificate: bool,
    authority: bool,
    proxy: bool,
}

/// Refuses to listen beyond this machine without protection. Pure.
fn check((flag, address): (&str, SocketAddr), who: Who, means: Means) -> Result<(), Stop> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let refuse = |lacks: &str, help: &str| {
        let text = format!("{flag} {address} would be reachable from other machines {lacks}");
        Err(Stop::new(Exit::Failed, text).help(help))
    };
    match who {
        Who::People if !means.token && !means.authority => refuse(
            "by anybody",
            "name a file with --token-file (it is made where there is none), or the authority of certificates with \
             --tls-client-ca; or listen on 127.0.0.1",
        ),
        Who::People if !means.certificate && !means.proxy => refuse(
            "without TLS, so that a token can be read on its way",
            "give a certificate with --tls-cert and --tls-key, or say --tls-terminated-upstream where a proxy has one; \
             or listen on 127.0.0.1",
        ),
        Who::Processes if !means.certificate || !means.authority => refuse(
            "by anybody",
            "give this process a certificate with --tls-cert and --tls-key, and the authority that signs those of the \
             others with --tls-client-ca; or listen on 127.0.0.1",
        ),
        Who::Processes if address.ip().is_unspecified() => refuse(
            "under no address that others could be told",
            "name the address of this machine by which the others reach it",
        ),
        Who::People | Who::Processes => Ok(()),
    }
}

/// What a process that listens is protected with.
pub(crate) struct Protection<'a> {
    door: &'a Door,
    trust: &'a Trust,
    environment: Option<String>,
}

impl<'a> Protection<'a> {
    pub(crate) fn new(door: &'a Door, trust: &'a Trust) -> Result<Self, Stop> {
        Ok(Self {
            door,
            trust,
            environment: config::token()?,
        })
    }

    /// Whether it may listen there.
    pub(crate) fn check(&self, listener: (&str, SocketAddr), who: Who) -> Result<(), Stop> {
        let means = Means {
            token: self.trust.token_file.is_some() || self.environment.is_some(),
            certificate: self.door.tls_cert.is_some(),
            authority: self.door.tls_client_ca.is_some(),
            proxy: self.door.tls_terminated_upstream,
        };
        check(listener, who, means)
    }

    /// Who is let in at REST.
    pub(crate) fn access(&self, listener: SocketAddr, clock: Arc<dyn Clock>) -> Result<Access, Stop> {
        let mut files = Vec::new();
        if let Some(file) = &self.trust.token_file {
            if access::make(file)? {
                say(&format!("a token was made: {}", file.display()));
            }
            files.push((file.clone(), Role::Write));
        }
        files.extend(self.door.read_token_file.iter().map(|file| (file.clone(), Role::Read)));
        let given: Vec<_> = self
            .environment
            .iter()
            .map(|token| (token.clone(), Role::Write))
            .collect();
        let tokens = match files.is_empty() && given.is_empty() {
            true => None,
            false => Some(Tokens::of(files, given)?),
        };
        let mut hosts = self.door.hosts.clone();
        if !listener.ip().is_unspecified() {
            hosts.push(match listener.ip() {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            });
        }
        let terms = Terms {
            tokens,
            certificates: self.door.tls_client_ca.is_some(),
            hosts,
            behind_proxy: self.door.tls_terminated_upstream,
        };
        Ok(Access::new(terms, clock))
    }

    /// TLS of REST.
    pub(crate) fn acceptor(&self) -> Result<Option<TlsAcceptor>, Stop> {
        let Some(papers) = self.papers() else { return Ok(None) };
        // A browser with a token has no certificate.
        let tokens = self.trust.token_file.is_some() || self.environment.is_some();
        let asked = match (&papers.authority, tokens) {
            (None, _) => Asked::Never,
            (Some(_), true) => Asked::Gladly,
            (Some(_), false) => Asked::Always,
        };
        Ok(Some(tls::acceptor(&papers, asked)?))
    }

    /// How the REST interface of another job manager is dialled.
    pub(crate) fn dialling(&self) -> Result<Option<Dialling>, Stop> {
        let dialling = self.papers().map(|mut papers| {
            papers.authority = self.trust.ca.clone().or(papers.authority);
            Dialling::new(&papers, self.door.tls_name.as_deref())
        });
        Ok(dialling.transpose()?)
    }

    /// How the processes of the cluster know each other.
    pub(crate) fn of_cluster(&self) -> Result<Option<Papers>, Stop> {
        let Some(tls::Papers {
            certificate,
            key,
            authority: Some(authority),
        }) = self.papers()
        else {
            return Ok(None);
        };
        let (certificate, key, authority) = (pem(&certificate)?, pem(&key)?, pem(&authority)?);
        Ok(Some(Papers::new(
            (&certificate, &key),
            &authority,
            self.door.tls_name.as_deref(),
        )))
    }

    fn papers(&self) -> Option<tls::Papers> {
        let Door {
            tls_cert,
            tls_key,
            tls_client_ca,
            ..
        } = self.door;
        Some(tls::Papers {
            certificate: tls_cert.clone()?,
            key: tls_key.clone()?,
            authority: tls_client_ca.clone(),
        })
    }
}

/// The bytes of a PEM file.
pub(crate) fn pem(file: &Path) -> Result<Vec<u8>, Stop> {
    fs::read(file).map_err(|error| Stop::new(Exit::Failed, format!("{}: {error}", file.display())))
}

/// The first token of a file, to be shown to a job manager.
pub(crate) fn token_of(file: &PathBuf) -> Result<String, Stop> {
    let cannot = |error: std::io::Error| {
        Stop::new(Exit::Failed, format!("the token file {}: {error}", file.display()))
            .help("write the token into it, or name another with --token-file or WEIR_TOKEN_FILE")
    };
    let text = fs::read_to_string(file).map_err(cannot)?;
    let mut lines = text.lines().map(str::trim);
    let token = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    token
        .map(str::to_owned)
        .ok_or_else(|| Stop::new(Exit::Failed, format!("there is no token in {}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(address: &str, who: Who, means: Means) -> Result<(), String> {
        check(("--listen", address.parse().unwrap()), who, means).map_err(|stop| stop.to_string())
    }

    #[test]
    fn loopback_needs_nothing() {
        for address in ["127.0.0.1:7080", "127.9.9.9:1", "[::1]:7080"] {
            for who in [Who::People, Who::Processes] {
                assert_eq!(may(address, who, Means::default()), Ok(()), "{address}");
            }
        }
    }

    #[test]
    fn beyond_it_somebody_must_be_known_and_nobody_may_listen_in() {
        let token = Means {
            token: true,
            ..Means::default()
        };
        let tls = Means {
            certificate: true,
            ..token
        };
        for address in ["0.0.0.0:7080", "10.0.0.1:7080", "[::]:7080", "[fd00::1]:7080"] {
            let bare = may(address, Who::People, Means::default()).unwrap_err();
            assert!(bare.contains("--token-file") && bare.contains("127.0.0.1"), "{bare}");
            let readable = may(address, Who::People, token).unwrap_err();
            assert!(readable.contains("--tls-cert"), "{readable}");
            let proxy = Means { proxy: true, ..token };
            let mutual = Means {
                certificate: true,
                authority: true,
                ..Means::default()
            };
            for means in [tls, proxy, mutual] {
                assert_eq!(may(address, Who::People, means), Ok(()), "{address} {means:?}");
            }
            let unproven = Means {
                certificate: true,
                ..Means::default()
            };
            assert!(may(address, Who::People, unproven).is_err());
        }
    }

    #[test]
    fn processes_of_a_cluster_need_certificates_of_both_sides_and_an_address() {
        let mutual = Means {
            certificate: true,
            authority: true,
            ..Means::default()
        };
        assert_eq!(may("10.0.0.1:7081", Who::Processes, mutual), Ok(()));
        for (means, address) in [
            (Means { token: true, ..mutual }, "0.0.0.0:7081"),
            (
                Means {
                    authority: false,
                    token: true,
                    ..mutual
                },
                "10.0.0.1:7081",
            ),
        ] {
            assert!(may(address, Who::Processes, means).is_err(), "{address} {means:?}");
        }
    }
}
