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

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dataflow::contract::Waker;
use dataflow::error::Failure;
use dataflow::scope::Scope;
use dataflow::time::Clock;

use crate::channel::{ChannelId, Inlet, Outlet, Receiving};

/// After this long without an answer a peer counts as gone.
pub const GIVE_UP: Duration = Duration::from_secs(30);

/// Which process this is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The task manager's name.
    pub task_manager: String,
    /// New with every start of the process.
    pub incarnation: String,
}

/// A task manager that channels lead to or come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    /// Which process.
    pub identity: Identity,
    /// `host:port` of its exchange.
    pub address: String,
}

/// One process' end of all channels to and from other processes. Cheap to clone.
#[derive(Clone)]
pub struct Exchange {
    inner: Arc<Inner>,
}

struct Inner {
    _identity: Identity,
    _clock: Arc<dyn Clock>,
    _scope: Scope,
}

impl Exchange {
    /// An exchange whose connections live in `scope`, on a runtime that no work on data can starve.
    #[must_use]
    pub fn new(identity: Identity, clock: Arc<dyn Clock>, scope: Scope) -> Self {
        Self { inner: Arc::new(Inner { _identity: identity, _clock: clock, _scope: scope }) }
    }

    /// Serves the exchange on a listener until the scope ends; answers at once.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn serve(&self, listener: tokio::net::TcpListener) -> Result<SocketAddr, Failure> {
        let _ = &self.inner;
        let address = listener.local_addr();
        address.map_err(|error| Failure::fail("the exchange has no address").because(&error))
    }

    /// The sending end of a channel to another process. Dials if there is no connection yet; answers at once.
    ///
    /// The receiving end may be made before or after, at its process. `waker` wakes the sending subtask.
    #[must_use]
    pub fn outlet(&self, id: ChannelId, peer: &PeerAddress, waker: Waker) -> Outlet {
        let _ = (id, peer, waker);
        unimplemented!()
    }

    /// The receiving end of a channel from another process, whichever connection it comes on; answers at once.
    #[must_use]
    pub fn inlet(&self, id: ChannelId, receiving: Receiving) -> Inlet {
        let _ = (id, receiving);
        unimplemented!()
    }
}

/// A batch as it came from the wire.
#[derive(Debug)]
pub(crate) struct EncodedBatch;

impl EncodedBatch {
    pub(crate) fn decode(self) -> Result<dataflow::element::Batch, std::io::Error> {
        unimplemented!()
    }
}
