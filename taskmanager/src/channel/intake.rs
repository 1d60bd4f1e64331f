//! The receiving queue of a channel: what came and was not yet taken, and the credit for more.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use dataflow::element::{Barrier, Batch, Element};
use dataflow::error::Failure;
use dataflow::id::BarrierId;
use parking_lot::Mutex;

use super::credit::{self, Grant, Grants, GrantsEvent};
use super::{ChannelId, Receiving};
use crate::network::EncodedBatch;

/// What waits in a channel.
#[derive(Debug)]
pub(crate) enum Item {
    /// As the operators know it.
    Element(Element),
    /// A batch as it came from the wire: decoded by who takes it, on that thread.
    Encoded(EncodedBatch),
}

/// Whoever sends into an intake.
pub(crate) trait Upstream: Send + Sync {
    /// So many bytes were granted since the opening.
    fn granted(&self, total: u64);

    /// The receiver is gone, or has all it wants.
    fn closed(&self);
}

/// Bytes of a channel, at its receiving end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fill {
    /// Came and were not yet taken.
    pub(crate) queued: u64,
    /// Wait at the sender, as it last said.
    pub(crate) backlog: u64,
    /// May still come.
    pub(crate) credit: u64,
}

/// Shared by an `Inlet` and whoever delivers to it.
pub(crate) struct Intake {
    id: ChannelId,
    receiving: Receiving,
    state: Mutex<State>,
}

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "three facts that hold independently of each other"
)]
struct State {
    queue: VecDeque<(Item, u64)>,
    grants: Grants,
    upstream: Option<Arc<dyn Upstream>>,
    failure: Option<Failure>,
    /// `take` gave nothing: whoever delivers next wakes the receiver.
    starving: bool,
    /// `End` came: the sender may go.
    ended: bool,
    /// The receiver is gone.
    closed: bool,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Intake").field(&self.id).finish()
    }
}

impl Intake {
    pub(crate) fn new(id: ChannelId, receiving: Receiving) -> Self {
        Self {
            id,
            receiving,
            state: Mutex::new(State {
                starving: true,
                ..State::default()
            }),
        }
    }

    pub(crate) fn id(&self) -> &ChannelId {
        &self.id
    }

    /// Names who is told of credit from now on; answers what is granted so far.
    pub(crate) fn attach(&self, upstream: Arc<dyn Upstream>) -> u64 {
        let mut state = self.state.lock();
        state.upstream = Some(upstream);
        state.grants.granted()
    }

    /// Bytes granted since the opening.
    pub(crate) fn granted(&self) -> u64 {
        self.state.lock().grants.granted()
    }

    /// Appends what the sender sent. `backlog` is what waits behind it there.
    pub(crate) fn deliver(&self, item: Item, cost: u64, backlog: u64) {
        let mut state = self.state.lock();
        if state.closed || state.ended {
            return;
        }
        state.ended = matches!(item, Item::Element(Element::End));
        let batch = matches!(item, Item::Encoded(_) | Item::Element(Element::Batch(_)));
        push_merged(&mut state.queue, item, cost);
        let grant = if batch {
            self.settle(&mut state, GrantsEvent::Received { cost, backlog })
        } else {
            None
        };
        // A barrier may be waited for by a receiver that takes nothing at present.
        let cuts = state.ended || state.queue.back().is_some_and(|(item, _)| is_barrier(item));
        let wanted = std::mem::take(&mut state.starving) || cuts;
        let upstream = grant.and_then(|grant| Some((grant, state.upstream.clone()?)));
        drop(state);
        announce(upstream);
        if wanted {
            self.receiving.waker.wake();
        }
    }

    /// The sender is gone, or the way to it is: the receiver gets this instead of what it waits for.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut state = self.state.lock();
        if state.ended || state.closed || state.failure.is_some() {
            return;
        }
        state.failure = Some(failure);
        drop(state);
        self.receiving.waker.wake();
    }

    pub(super) fn take(&self) -> Result<Option<Item>, Failure> {
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        let Some((item, cost)) = state.queue.pop_front() else {
            state.starving = true;
            return Ok(None);
        };
        let grant = if cost > 0 {
            self.settle(&mut state, GrantsEvent::Consumed { cost })
        } else {
            None
        };
        let upstream = grant.and_then(|grant| Some((grant, state.upstream.clone()?)));
        drop(state);
        announce(upstream);
        Ok(Some(item))
    }

    /// Takes what is next if it is a barrier; rows and what is behind them stay.
    pub(super) fn take_barrier(&self) -> Result<Option<Barrier>, Failure> {
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        match state.queue.front() {
            None => state.starving = true,
            Some((Item::Element(Element::Barrier(barrier)), _)) => {
                let barrier = *barrier;
                state.queue.pop_front();
                return Ok(Some(barrier));
            }
            Some(_) => {}
        }
        Ok(None)
    }

    /// Whether a barrier has come and was not yet taken, or the end, which counts as every later one.
    pub(super) fn has_come(&self, barrier: BarrierId) -> bool {
        let state = self.state.lock();
        state.failure.is_none() && state.queue.iter().any(|(item, _)| cuts_at(item, barrier))
    }

    /// Takes a barrier out of its place; answers what stands before it, which stays, as elements: `read` makes them of what
    /// came from the wire. Who takes from this end calls, so that nobody else does meanwhile.
    pub(super) fn overtake(
        &self,
        barrier: BarrierId,
        mut read: impl FnMut(EncodedBatch) -> Result<Batch, Failure>,
    ) -> Result<Vec<Element>, Failure> {
        let mut state = self.state.lock();
        let place = state.queue.iter().position(|(item, _)| cuts_at(item, barrier));
        let before: Vec<(Item, u64)> = state.queue.drain(..place.unwrap_or(0)).collect();
        if state
            .queue
            .front()
            .is_some_and(|(item, _)| is_barrier(item) && cuts_at(item, barrier))
        {
            state.queue.pop_front();
        }
        drop(state);
        // Reading takes a while: whoever delivers does not wait for it.
        let mut passed = Vec::with_capacity(before.len());
        for (item, cost) in before {
            let element = match item {
                Item::Element(element) => element,
                Item::Encoded(encoded) => Element::Batch(read(encoded)?),
            };
            passed.push((element, cost));
        }
        let mut state = self.state.lock();
        for (element, cost) in passed.iter().rev() {
            state.queue.push_front((Item::Element(element.clone()), *cost));
        }
        drop(state);
        let says_something = |element: &Element| !matches!(element, Element::Barrier(_) | Element::End);
        Ok(passed
            .into_iter()
            .map(|(element, _)| element)
            .filter(says_something)
            .collect())
    }

    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.queue.clear();
        self.settle(&mut state, GrantsEvent::Closed);
        let upstream = state.upstream.take();
        drop(state);
        if let Some(upstream) = upstream {
            upstream.closed();
        }
    }

    /// Bytes that came and were not yet taken.
    pub(super) fn queued_bytes(&self) -> u64 {
        self.state.lock().grants.queued()
    }

    /// How full the channel is; nothing once its receiver has gone.
    pub(crate) fn fill(&self) -> Fill {
        let state = self.state.lock();
        if state.closed {
            return Fill::default();
        }
        Fill {
            queued: state.grants.queued(),
            backlog: state.grants.backlog(),
            credit: state.grants.unused(),
        }
    }

    fn settle(&self, state: &mut State, event: GrantsEvent) -> Option<Grant> {
        let now = self.receiving.clock.now();
        state.grants.on(event, now, &mut self.receiving.pool.0.lock())
    }
}

/// Tells the sender of its credit, without any lock of this end held.
fn announce(grant: Option<(Grant, Arc<dyn Upstream>)>) {
    if let Some((grant, upstream)) = grant {
        upstream.granted(grant.total);
    }
}

/// Appends to a queue in which nothing about time waits that something later makes worthless.
///
/// So that what costs no credit stays bounded too: between two batches at most one watermark and one `Idle`.
pub(crate) fn push_merged(queue: &mut VecDeque<(Item, u64)>, item: Item, cost: u64) {
    let back = |queue: &VecDeque<(Item, u64)>| match queue.back() {
        Some((Item::Element(Element::Idle), _)) => Tail::Idle,
        Some((Item::Element(Element::Watermark(_)), _)) => Tail::Watermark,
        Some(_) | None => Tail::Other,
    };
    match &item {
        Item::Element(Element::Idle) if back(queue) == Tail::Idle => return,
        Item::Element(Element::Watermark(new)) => {
            if back(queue) == Tail::Idle {
                queue.pop_back();
            }
            if let Some((Item::Element(Element::Watermark(old)), _)) = queue.back_mut() {
                *old = (*old).max(*new);
                return;
            }
        }
        Item::Element(Element::Batch(_) | Element::Barrier(_) | Element::Idle | Element::End) | Item::Encoded(_) => {}
    }
    queue.push_back((item, cost));
}

#[derive(PartialEq)]
enum Tail {
    Idle,
    Watermark,
    Other,
}

fn is_barrier(item: &Item) -> bool {
    matches!(item, Item::Element(Element::Barrier(_)))
}

/// Whether an item is this barrier, or stands for it.
fn cuts_at(item: &Item, barrier: BarrierId) -> bool {
    match item {
        Item::Element(Element::Barrier(found)) => found.id == barrier,
        Item::Element(Element::End) => true,
        Item::Element(Element::Batch(_) | Element::Watermark(_) | Element::Idle) | Item::Encoded(_) => false,
    }
}

/// The cost of an item in credit: only batches cost.
pub(crate) fn cost_of(element: &Element) -> u64 {
    match element {
        Element::Batch(batch) => credit::cost(batch),
        Element::Watermark(_) | Element::Barrier(_) | Element::Idle | Element::End => 0,
    }
}

/// Shows the batch an item is, at the sender where none is encoded yet.
pub(crate) fn into_batch(item: Item) -> Option<Batch> {
    match item {
        Item::Element(Element::Batch(batch)) => Some(batch),
        Item::Element(Element::Watermark(_) | Element::Barrier(_) | Element::Idle | Element::End)
        | Item::Encoded(_) => None,
    }
}
