//! The channels that this process receives, and those that senders have opened before they were made here.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::address::Name;
use super::connection::Connection;
use super::receiver::Receiver;
use crate::channel::{ChannelId, Inlet, Intake, Receiving, Upstream};

/// Channels that may wait for their receiver to be made. A deployment reaches its task managers one after the other;
/// whatever waits longer than that belongs to a deployment that is over.
const WAITING_MAX: usize = 1 << 16;

/// The receiving side of an exchange.
#[derive(Default)]
pub(super) struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    receivers: BTreeMap<Name, Arc<Receiver>>,
    waiting: BTreeMap<Name, (Arc<Connection>, u32)>,
}

impl Registry {
    /// The receiving end of a channel.
    pub(super) fn inlet(self: &Arc<Self>, id: ChannelId, receiving: Receiving) -> Inlet {
        let name = Name::from(&id);
        let intake = Arc::new(Intake::new(id, receiving));
        let receiver = Arc::new(Receiver::new(name.clone(), Arc::clone(&intake), Arc::clone(self)));
        intake.attach(Arc::clone(&receiver) as Arc<dyn Upstream>);
        let mut state = self.state.lock();
        let older = |waiting: &Name| waiting.job == name.job && waiting.generation < name.generation;
        let outdated: Vec<_> = state.waiting.extract_if(.., |waiting, _| older(waiting)).collect();
        let opened = state.waiting.remove(&name);
        state.receivers.insert(name, Arc::clone(&receiver));
        drop(state);
        for (_, (connection, number)) in outdated {
            connection.refuse(number, "a later deployment of its job has begun");
        }
        if let Some((connection, number)) = opened {
            connection.attach(number, &receiver);
        }
        Inlet::new(intake)
    }

    /// A sender opens a channel.
    pub(super) fn open(&self, name: Name, connection: &Arc<Connection>, number: u32) {
        let mut state = self.state.lock();
        if let Some(receiver) = state.receivers.get(&name).cloned() {
            drop(state);
            return connection.attach(number, &receiver);
        }
        if state.waiting.len() >= WAITING_MAX {
            drop(state);
            return connection.refuse(number, "too many channels wait for their receivers");
        }
        if state
            .waiting
            .get(&name)
            .is_none_or(|(known, _)| known.counter < connection.counter)
        {
            state.waiting.insert(name, (Arc::clone(connection), number));
        }
    }

    /// A receiver is gone.
    pub(super) fn forget(&self, name: &Name) {
        self.state.lock().receivers.remove(name);
    }

    /// A connection is over.
    pub(super) fn disconnect(&self, connection: &Arc<Connection>) {
        self.state
            .lock()
            .waiting
            .retain(|_, (waiting, _)| !Arc::ptr_eq(waiting, connection));
    }

    /// How many channels there are, and how many wait for their receivers.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.receivers.len(), state.waiting.len())
    }
}
