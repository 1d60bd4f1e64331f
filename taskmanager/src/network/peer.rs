//! One peer that this process sends to: the channels to it, and which of them have something to send.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use dataflow::contract::Waker;
use parking_lot::Mutex;
use proto::v1::Granted;
use tokio::sync::Notify;

use super::address::PeerAddress;
use super::frame::Outgoing;
use super::sender::{Life, Listed, Next, RemoteLink, Sender};
use crate::channel::{ChannelId, Outlet};

/// The channels to one peer.
pub(super) struct Peer {
    pub(super) address: PeerAddress,
    state: Mutex<State>,
    /// There is something to send.
    ready: Notify,
}

#[derive(Default)]
struct State {
    channels: BTreeMap<u32, Arc<Sender>>,
    numbered: u32,
    /// Those with something to send, in turns of one frame.
    ready: VecDeque<u32>,
    /// Counts connections: what belongs to an older one is over.
    connection: u64,
}

impl Peer {
    pub(super) fn new(address: PeerAddress) -> Self {
        Self {
            address,
            state: Mutex::new(State::default()),
            ready: Notify::new(),
        }
    }

    /// As a person knows it.
    pub(super) fn describe(&self) -> String {
        format!(
            "task manager {} at {}",
            self.address.identity.task_manager, self.address.address
        )
    }

    /// A new channel to this peer.
    pub(super) fn outlet(self: &Arc<Self>, id: ChannelId, waker: Waker) -> Outlet {
        let mut state = self.state.lock();
        state.numbered += 1;
        let number = state.numbered;
        let sender = Arc::new(Sender::new(number, id.clone(), waker));
        sender.begin();
        state.channels.insert(number, Arc::clone(&sender));
        state.ready.push_back(number);
        drop(state);
        self.ready.notify_one();
        Outlet::new(id, Box::new(RemoteLink::new(sender, self)))
    }

    /// A channel has something to send.
    pub(super) fn list(&self, number: u32) {
        self.state.lock().ready.push_back(number);
        self.ready.notify_one();
    }

    /// A channel is over.
    pub(super) fn forget(&self, number: u32) {
        self.state.lock().channels.remove(&number);
    }

    /// Whether there are no channels.
    pub(super) fn is_unused(&self) -> bool {
        self.state.lock().channels.is_empty()
    }

    /// Whether frames have left that were not yet received.
    pub(super) fn is_owed_a_receipt(&self) -> bool {
        self.state
            .lock()
            .channels
            .values()
            .any(|sender| sender.is_owed_a_receipt())
    }

    /// A connection begins, on which every channel has to be opened; answers its number.
    pub(super) fn begin(&self) -> u64 {
        let mut state = self.state.lock();
        state.connection += 1;
        state.ready = state.channels.keys().copied().collect();
        state.channels.values().for_each(|sender| sender.begin());
        let connection = state.connection;
        drop(state);
        // Ends the stream of an older connection that may still be waiting.
        self.ready.notify_waiters();
        connection
    }

    /// The next frame for a connection; `None` when a later one has begun.
    pub(super) async fn next(&self, connection: u64) -> Option<Outgoing> {
        loop {
            let ready = self.ready.notified();
            match self.poll(connection) {
                Poll::Frame(frame) => return Some(frame),
                Poll::Over => {
                    // The wake-up may have been meant for the connection after this one.
                    self.ready.notify_one();
                    return None;
                }
                Poll::Nothing => ready.await,
            }
        }
    }

    fn poll(&self, connection: u64) -> Poll {
        let mut state = self.state.lock();
        if state.connection != connection {
            return Poll::Over;
        }
        while let Some(number) = state.ready.pop_front() {
            let Some(sender) = state.channels.get(&number) else {
                continue;
            };
            match sender.next() {
                Next::More(frame) => {
                    state.ready.push_back(number);
                    return Poll::Frame(frame);
                }
                Next::Last(frame) => return Poll::Frame(frame),
                Next::Final(frame) => {
                    state.channels.remove(&number);
                    return Poll::Frame(frame);
                }
                Next::Nothing => {}
            }
        }
        Poll::Nothing
    }

    /// The receiver says what it has of a channel, and what it has room for.
    pub(super) fn on(&self, granted: &Granted) {
        let Some(sender) = self.state.lock().channels.get(&granted.channel).cloned() else {
            return;
        };
        let (life, listed) = sender.on(granted);
        if life == Life::Over {
            self.forget(granted.channel);
        }
        if listed == Listed::Now {
            self.list(granted.channel);
        }
    }

    /// The peer is gone, and all channels to it.
    pub(super) fn die(&self, reason: &str) {
        let peer = self.describe();
        let channels = std::mem::take(&mut self.state.lock().channels);
        for sender in channels.values() {
            sender.fail(sender.gone(&peer, reason));
        }
    }
}

enum Poll {
    Frame(Outgoing),
    Nothing,
    Over,
}
