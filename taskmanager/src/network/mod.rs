//! The network: channels between task managers, many of them on one gRPC stream for each direction.
//!
//! ```text
//!   task manager A                                           task manager B
//!   Outlet ─> unacknowledged frames ─┐   Carry (A dials)  ┌─> queue ─> Inlet
//!   Outlet ─> unacknowledged frames ─┼═══════════════════>┼─> queue ─> Inlet
//!                ^                   └<═══════════════════┘      │
//!                └───────────── credit and receipts ─────────────┘
//! ```
//!
//! Enters: elements, through the outlets that [`Exchange::outlet`] gives. Leaves: the same, through the inlets of the peer's
//! [`Exchange::inlet`]. Who calls: `deploy` makes the channels, `service` serves the exchange.
//! Must stay true: frames of a channel arrive once and in order, whatever happens to connections: they are numbered, kept
//! until received, checked, and sent again after a redial. Nobody ever stops reading a stream: credit guarantees room,
//! so a slow consumer holds up no other channel.
//! A channel fails, with a failure to be retried that names the peer, when the peer's process is gone: a redial is
//! refused, or answered by another incarnation, or not answered for [`GIVE_UP`].
//! Not here: channels inside one process (`channel::local`).

mod address;
mod body;
mod carry;
mod codec;
mod connection;
mod dial;
pub mod frame;
mod papers;
mod peer;
mod receiver;
mod registry;
mod sender;
#[cfg(test)]
mod tests;

pub use address::{Identity, PeerAddress};
pub use papers::Papers;

pub(crate) use body::Reader;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow::buffer::Buffer;
use dataflow::contract::Waker;
use dataflow::error::Failure;
use dataflow::scope::Scope;
use dataflow::time::Clock;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::channel::{ChannelId, Inlet, Outlet, Receiving};
use carry::CarryService;
use dial::{Dialler, Patience};
use peer::Peer;
use registry::Registry;

/// After this long without an answer a peer counts as gone.
pub const GIVE_UP: Duration = Duration::from_secs(30);

/// One process' end of all channels to and from other processes. Cheap to clone.
#[derive(Clone)]
pub struct Exchange {
    me: Arc<Identity>,
    clock: Arc<dyn Clock>,
    scope: Scope,
    patience: Patience,
    papers: Option<Arc<Papers>>,
    registry: Arc<Registry>,
    peers: Arc<Mutex<BTreeMap<PeerAddress, Arc<Peer>>>>,
}

/// A batch as it came from the wire, to be read in its turn.
#[derive(Debug)]
pub(crate) struct EncodedBatch {
    pub(crate) body: Buffer,
}

impl Exchange {
    /// An exchange whose connections live in `scope`, on a runtime that no work on data can starve.
    #[must_use]
    pub fn new(me: Identity, clock: Arc<dyn Clock>, scope: Scope) -> Self {
        let (registry, peers) = (Arc::default(), Arc::default());
        Self {
            me: Arc::new(me),
            clock,
            scope,
            patience: Patience::default(),
            papers: None,
            registry,
            peers,
        }
    }

    /// The same, which speaks with those only that have a certificate of the cluster.
    #[must_use]
    pub fn with(self, papers: Option<Papers>) -> Self {
        let papers = papers.map(Arc::new);
        Self { papers, ..self }
    }

    /// Serves the exchange on a listener until the scope ends; answers at once, with the address.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn serve(&self, listener: TcpListener) -> Result<SocketAddr, Failure> {
        let unusable = |error: &std::io::Error| Failure::fail("the exchange has no address").because(error);
        let address = listener.local_addr().map_err(|error| unusable(&error))?;
        let service = CarryService::new(Arc::clone(&self.me), Arc::clone(&self.registry), self.scope.clone());
        let mut server = Server::builder();
        if let Some(papers) = &self.papers {
            let unusable = |error| Failure::fail("the certificates of the cluster").because(&error);
            server = server.tls_config(papers.server.clone()).map_err(unusable)?;
        }
        let serving = server
            .http2_keepalive_interval(Some(dial::PING.0))
            .http2_keepalive_timeout(Some(dial::PING.1))
            .initial_stream_window_size(dial::WINDOW)
            .initial_connection_window_size(dial::WINDOW)
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
        self.scope.run(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the exchange no longer listens");
            }
        });
        Ok(address)
    }

    /// The sending end of a channel to another process. Dials if there is no connection yet; answers at once.
    ///
    /// The receiving end may be made before or after, at its process. `waker` wakes the sending subtask.
    #[must_use]
    pub fn outlet(&self, id: ChannelId, peer: &PeerAddress, waker: Waker) -> Outlet {
        let mut peers = self.peers.lock();
        if let Some(peer) = peers.get(peer) {
            return peer.outlet(id, waker);
        }
        let peer = Arc::new(Peer::new(peer.clone()));
        peers.insert(peer.address.clone(), Arc::clone(&peer));
        let outlet = peer.outlet(id, waker);
        drop(peers);
        self.keep(peer);
        outlet
    }

    /// Keeps a peer connected for as long as there are channels to it.
    fn keep(&self, peer: Arc<Peer>) {
        let peers = Arc::clone(&self.peers);
        let me = Identity::clone(&self.me);
        let dialler = Dialler {
            me,
            clock: Arc::clone(&self.clock),
            patience: self.patience,
            papers: self.papers.clone(),
        };
        self.scope.run(async move {
            let retire = |peer: &Peer| {
                let mut peers = peers.lock();
                let unused = peer.is_unused();
                if unused {
                    peers.remove(&peer.address);
                }
                unused
            };
            dial::keep(Arc::clone(&peer), dialler, retire).await;
            // Another may have taken its place since it was retired.
            let mut peers = peers.lock();
            if peers.get(&peer.address).is_some_and(|known| Arc::ptr_eq(known, &peer)) {
                peers.remove(&peer.address);
            }
            drop(peers);
            // Channels that were made while it died.
            peer.die("its process is gone");
        });
    }

    /// The receiving end of a channel from another process, whichever connection it comes by; answers at once.
    ///
    /// What senders opened for earlier deployments of the same job and nobody took is refused from now on.
    #[must_use]
    pub fn inlet(&self, id: ChannelId, receiving: Receiving) -> Inlet {
        self.registry.inlet(id, receiving)
    }

    /// How many channels are received here, and how many senders wait for a receiver to be made.
    #[must_use]
    pub fn received(&self) -> (usize, usize) {
        self.registry.counts()
    }
}
