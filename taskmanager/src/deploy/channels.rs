//! The channels of a deployment: both ends of those inside this process, one end of those that leave it.

use std::collections::BTreeMap;

use dataflow::contract::Waker;
use dataflow::id::{EdgeId, SubtaskId};

use super::{Common, Handle, Peer};
use crate::channel::{ChannelId, Inlet, Outlet, Receiving, local};
use crate::network::{Identity, PeerAddress};

/// The ends that one subtask holds.
#[derive(Default)]
pub(super) struct Ends {
    /// Of all incoming edges.
    pub(super) inlets: Vec<Inlet>,
    /// By edge, in the order of the receivers' indexes.
    pub(super) outlets: BTreeMap<EdgeId, Vec<Outlet>>,
}

/// Opens every channel that begins or ends at a subtask of the deployment.
pub(super) fn open(common: &Common, handles: &[Handle]) -> BTreeMap<SubtaskId, Ends> {
    let wakers: BTreeMap<SubtaskId, Waker> = handles
        .iter()
        .map(|handle| (handle.identity.subtask, handle.mail.waker()))
        .collect();
    let mut ends: BTreeMap<SubtaskId, Ends> = wakers.keys().map(|subtask| (*subtask, Ends::default())).collect();
    let mut halves = BTreeMap::new();
    for plan in &common.deployment.subtasks {
        let to = plan.identity.subtask;
        for (edge, peer) in plan
            .inputs
            .iter()
            .flat_map(|input| input.peers.iter().map(|peer| (input.edge, peer)))
        {
            let id = common.channel(edge, peer.subtask, to);
            let receiving = Receiving {
                pool: common.pool.clone(),
                clock: common.site.clock.clone(),
                waker: wakers[&to].clone(),
            };
            let inlet = match wakers.get(&peer.subtask).filter(|_| common.is_here(peer)) {
                Some(sender) => {
                    let (outlet, inlet) = local(id, receiving, sender.clone());
                    halves.insert((edge, peer.subtask, to), outlet);
                    inlet
                }
                None => common.site.exchange.inlet(id, receiving),
            };
            ends.entry(to).or_default().inlets.push(inlet);
        }
    }
    for plan in &common.deployment.subtasks {
        let from = plan.identity.subtask;
        for (edge, peer) in plan
            .outputs
            .iter()
            .flat_map(|output| output.peers.iter().map(|peer| (output.edge, peer)))
        {
            let outlet = halves.remove(&(edge, from, peer.subtask)).unwrap_or_else(|| {
                common.site.exchange.outlet(
                    common.channel(edge, from, peer.subtask),
                    &address(peer),
                    wakers[&from].clone(),
                )
            });
            ends.entry(from)
                .or_default()
                .outlets
                .entry(edge)
                .or_default()
                .push(outlet);
        }
    }
    ends
}

fn address(peer: &Peer) -> PeerAddress {
    let identity = Identity {
        task_manager: peer.task_manager.clone(),
        incarnation: peer.incarnation.clone(),
    };
    PeerAddress {
        identity,
        address: peer.data_address.clone(),
    }
}

impl Common {
    fn channel(&self, edge: EdgeId, from: SubtaskId, to: SubtaskId) -> ChannelId {
        let fence = &self.deployment.fence;
        ChannelId {
            job: fence.job.clone(),
            generation: fence.generation,
            edge,
            from,
            to,
        }
    }

    fn is_here(&self, peer: &Peer) -> bool {
        peer.incarnation == self.site.incarnation
    }
}
