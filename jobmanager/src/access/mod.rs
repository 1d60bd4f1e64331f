//! Who may ask what of everything that listens for HTTP: by a token, or by a certificate; and by which names it is asked for.
//!
//! ```text
//!   connection ──tls──> Caller ──guard──> Access ──> admitted · 401 · 403 · 429
//! ```
//!
//! Enters: connections and heads of requests. Leaves: a verdict. Who calls: `rest`, and the task manager's metrics by `cli`.
//! Must stay true: a token is compared in constant time, is never printed, and is asked for again while a stream lasts;
//! whoever guesses is slowed down. Not here: whether a process may listen without any of this, which `cli` decides before
//! it listens.

mod throttle;
pub mod tls;
mod tokens;
#[cfg(test)]
mod tests;

pub use tokens::{Tokens, make};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dataflow::time::Clock;
use parking_lot::Mutex;

use throttle::Throttle;

/// Who asks, as far as the connection says.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Where the connection comes from.
    pub address: IpAddr,
    /// Whether it showed a certificate of the authority that is trusted.
    pub certified: bool,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

/// What is answered to a request before anything looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Admitted,
    /// Nobody knows who asks.
    Stranger,
    /// It is known, and may only look.
    MayOnlyRead,
    /// Too many guesses came from there; not before this long.
    Slow(Duration),
}

/// What is asked for at the door. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    tokens: Option<Tokens>,
    certificates: bool,
    hosts: Vec<String>,
    throttle: Option<Mutex<Throttle>>,
    clock: Arc<dyn Clock>,
}

/// How the door is kept.
#[derive(Default)]
pub struct Terms {
    /// The tokens that open it.
    pub tokens: Option<Tokens>,
    /// Whether certificates open it; the connection has checked them.
    pub certificates: bool,
    /// Names and addresses beside those of loopback by which this host is asked for.
    pub hosts: Vec<String>,
    /// Whether all connections come from a proxy, so that an address says nothing about who guesses.
    pub behind_proxy: bool,
}

impl Access {
    /// Open to whoever reaches it: for loopback.
    #[must_use]
    pub fn open(clock: Arc<dyn Clock>) -> Self {
        Self::new(Terms::default(), clock)
    }

    /// On these terms.
    #[must_use]
    pub fn new(terms: Terms, clock: Arc<dyn Clock>) -> Self {
        let Terms {
            tokens,
            certificates,
            hosts,
            behind_proxy,
        } = terms;
        let inner = Inner {
            tokens,
            certificates,
            hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
            throttle: (!behind_proxy).then(Mutex::default),
            clock,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether nobody is asked who they are.
    pub(crate) fn is_open(&self) -> bool {
        self.inner.tokens.is_none() && !self.inner.certificates
    }

    /// The time, for streams that end.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Whether a host is one of the names that were given, whatever the case.
    pub(crate) fn is_named(&self, host: &str) -> bool {
        self.inner.hosts.iter().any(|known| host.eq_ignore_ascii_case(known))
    }

    /// Whether somebody may do what `needed` says.
    pub(crate) fn admit(&self, caller: Option<Caller>, authorization: Option<&[u8]>, needed: Role) -> Verdict {
        if self.is_open() || (self.inner.certificates && caller.is_some_and(|caller| caller.certified)) {
            return Verdict::Admitted;
        }
        let (now, address) = (self.inner.clock.now(), caller.map(|caller| caller.address));
        let guesses = self.inner.throttle.as_ref().zip(address);
        if let Some(wait) = guesses.and_then(|(throttle, address)| throttle.lock().wait(address, now)) {
            return Verdict::Slow(wait);
        }
        // Without a word it is no guess: every page begins like that.
        let Some(given) = authorization else {
            return Verdict::Stranger;
        };
        let token = bearer(given).unwrap_or_default();
        let known = self.inner.tokens.as_ref();
        match known.and_then(|tokens| tokens.role(token, now)) {
            None => {
                if let Some((throttle, address)) = guesses {
                    throttle.lock().failed(address, now);
                }
                Verdict::Stranger
            }
            Some(role) if role < needed => Verdict::MayOnlyRead,
            Some(_) => Verdict::Admitted,
        }
    }
}

/// The token of a header `Authorization`.
fn bearer(given: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = given.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}
