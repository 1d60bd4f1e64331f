//! The sending end of one channel on the wire: its credit, and the frames that were not yet received.
//!
//! ```text
//!             connection begins            first receipt                      receipts
//!   Waiting ────────────────────> Opening ───────────────> Open: frames leave ─────────> frames forgotten
//!      ^                             │ connection ends       │ connection ends
//!      └─────────────────────────────┴───────────────────────┘   what was not received is sent again
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use dataflow::contract::Waker;
use dataflow::element::Element;
use dataflow::error::Failure;
use parking_lot::Mutex;
use proto::v1::{Granted, Sent};

use super::address::Name;
use super::body::Writer;
use super::frame::{FRAME_BYTES_MAX, Outgoing, Time};
use super::peer::Peer;
use crate::channel::credit::{Window, WindowAction, WindowEvent};
use crate::channel::{ChannelId, Ended, Link};

/// Shared by an outlet and the connection to its peer.
pub(super) struct Sender {
    pub(super) number: u32,
    id: ChannelId,
    waker: Waker,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: Window,
    /// Not yet received, in order; the first has the number `first`.
    frames: VecDeque<Outgoing>,
    first: u64,
    /// The number of the next frame to leave on this connection.
    next: u64,
    /// Frames below this number have left on some connection: they must not change any more.
    left: u64,
    phase: Phase,
    /// It stands in the peer's list of those with something to send.
    listed: bool,
    outlet: OutletState,
    failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Waiting,
    Opening,
    Open,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum OutletState {
    #[default]
    Sending,
    /// It sent `End`; what is left is to be delivered.
    Ended,
    /// It is gone before its end; the receiver is to know.
    Gone,
}

/// What a channel has to send.
pub(super) enum Next {
    /// A frame, and perhaps more.
    More(Outgoing),
    /// The last for now.
    Last(Outgoing),
    /// The last at all.
    Final(Outgoing),
    /// Nothing now.
    Nothing,
}

/// Whether a channel is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Goes,
    Over,
}

impl Sender {
    pub(super) fn new(number: u32, id: ChannelId, waker: Waker) -> Self {
        Self {
            number,
            id,
            waker,
            state: Mutex::new(State {
                first: 1,
                next: 1,
                left: 1,
                ..State::default()
            }),
        }
    }

    /// A connection begins: the channel has to be opened on it.
    pub(super) fn begin(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Waiting;
        state.listed = true;
    }

    /// The next frame for the connection.
    pub(super) fn next(&self) -> Next {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Waiting => {
                state.phase = Phase::Opening;
                state.listed = false;
                Next::Last(Outgoing::open(self.number, Name::from(&self.id).into()))
            }
            Phase::Opening => {
                state.listed = false;
                Next::Nothing
            }
            Phase::Open if state.outlet == OutletState::Gone => {
                state.listed = false;
                Next::Final(Outgoing::close(self.number))
            }
            Phase::Open => {
                let Some(frame) = state.frame(state.next).cloned() else {
                    state.listed = false;
                    return Next::Nothing;
                };
                state.next += 1;
                state.left = state.left.max(state.next);
                if state.has_more() {
                    return Next::More(frame);
                }
                state.listed = false;
                Next::Last(frame)
            }
        }
    }

    /// The receiver says what it has, and what it has room for. Answers whether the channel has something to send now.
    pub(super) fn on(&self, granted: &Granted) -> (Life, Listed) {
        let mut state = self.state.lock();
        while state.first <= granted.received && state.frames.pop_front().is_some() {
            state.first += 1;
        }
        if state.outlet == OutletState::Ended && state.frames.is_empty() {
            return (Life::Over, Listed::No);
        }
        if !granted.refused.is_empty() {
            let failure = Failure::retry(format!("{} is refused by its receiver: {}", self.id, granted.refused));
            drop(state);
            self.fail(failure);
            return (Life::Over, Listed::No);
        }
        if state.phase == Phase::Opening {
            state.phase = Phase::Open;
            state.next = state.first;
        }
        state.next = state.next.max(state.first);
        let action = state.window.on(WindowEvent::Granted {
            total: granted.credit_bytes,
        });
        let listed = state.list();
        drop(state);
        if action == WindowAction::Wake {
            self.waker.wake();
        }
        (Life::Goes, listed)
    }

    /// Whether frames have left on this connection that were not yet received.
    pub(super) fn is_owed_a_receipt(&self) -> bool {
        let state = self.state.lock();
        state.phase == Phase::Open && state.next > state.first && !state.frames.is_empty()
    }

    /// The peer is gone.
    pub(super) fn fail(&self, failure: Failure) {
        let mut state = self.state.lock();
        state.failure.get_or_insert(failure);
        state.frames.clear();
        drop(state);
        self.waker.wake();
    }

    /// What to tell a person when the peer is gone.
    pub(super) fn gone(&self, peer: &str, reason: &str) -> Failure {
        Failure::retry(format!(
            "{}, which receives {} from {}, is gone with {peer}: {reason}",
            self.id.to, self.id.edge, self.id.from
        ))
    }

    fn push(&self, element: &Element, frame: impl FnOnce(u64) -> Outgoing) -> Result<Listed, Failure> {
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        state.merge(element);
        let sequence = state.first + state.frames.len() as u64;
        state.frames.push_back(frame(sequence));
        if matches!(element, Element::End) {
            state.outlet = OutletState::Ended;
        }
        Ok(state.list())
    }
}

/// Whether a channel came to the list of those with something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// It is to be put there.
    Now,
    /// It is there, or need not be.
    No,
}

impl State {
    fn frame(&self, sequence: u64) -> Option<&Outgoing> {
        self.frames
            .get(usize::try_from(sequence.checked_sub(self.first)?).ok()?)
    }

    fn has_more(&self) -> bool {
        self.next < self.first + self.frames.len() as u64
    }

    fn list(&mut self) -> Listed {
        let something = self.phase == Phase::Open && (self.has_more() || self.outlet == OutletState::Gone);
        if !something || self.listed {
            return Listed::No;
        }
        self.listed = true;
        Listed::Now
    }

    /// Forgets statements about time that `element` makes worthless, where they have never left.
    fn merge(&mut self, element: &Element) {
        loop {
            let last = self.first + self.frames.len() as u64 - 1;
            let waits = !self.frames.is_empty() && last >= self.left;
            let worthless = match (element, self.frames.back().map(Outgoing::time)) {
                (Element::Watermark(_), Some(Time::Idle)) | (Element::Idle, Some(Time::Idle)) => true,
                (Element::Watermark(new), Some(Time::Watermark(old))) => old <= new.0,
                _ => false,
            };
            if !waits || !worthless {
                return;
            }
            self.frames.pop_back();
        }
    }
}

/// The way of an outlet to its peer.
pub(super) struct RemoteLink {
    sender: Arc<Sender>,
    peer: Weak<Peer>,
    writer: Writer,
}

impl RemoteLink {
    pub(super) fn new(sender: Arc<Sender>, peer: &Arc<Peer>) -> Self {
        Self {
            sender,
            peer: Arc::downgrade(peer),
            writer: Writer::default(),
        }
    }

    fn announce(&self, listed: Listed) {
        if listed == Listed::Now
            && let Some(peer) = self.peer.upgrade()
        {
            peer.list(self.sender.number);
        }
    }

    fn encode(&mut self, element: &Element, cost: u64, backlog: u64) -> Result<Option<Outgoing>, Failure> {
        let Element::Batch(batch) = element else {
            return Ok(None);
        };
        let id = &self.sender.id;
        let body = self
            .writer
            .write(batch.records())
            .map_err(|error| Failure::bug(format!("a batch for {id} cannot be written")).because(&error))?;
        let header = Sent {
            channel: self.sender.number,
            row_bytes: cost,
            backlog_bytes: backlog,
            ..Sent::default()
        };
        let frame = Outgoing::batch(header, body);
        if frame.len() > FRAME_BYTES_MAX {
            let (bytes, limit) = (frame.len(), FRAME_BYTES_MAX >> 20);
            return Err(Failure::fail(format!(
                "a row of {bytes} bytes is too large for {}: at most {limit} MiB",
                id.edge
            ))
            .help("drop or shorten the large field before the step that shuffles or changes the parallelism"));
        }
        Ok(Some(frame))
    }
}

impl Link for RemoteLink {
    fn credit(&mut self, least: u64) -> Result<Option<u64>, Failure> {
        let mut state = self.sender.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        match state.window.on(WindowEvent::Asked { least }) {
            WindowAction::Send { credit } => Ok(Some(credit)),
            WindowAction::Blocked | WindowAction::Wake | WindowAction::None => Ok(None),
        }
    }

    fn carry(&mut self, element: Element, cost: u64, backlog: u64) -> Result<(), Failure> {
        let encoded = self.encode(&element, cost, backlog)?;
        if cost > 0 {
            self.sender.state.lock().window.on(WindowEvent::Sent { cost });
        }
        let number = self.sender.number;
        let listed = self.sender.push(&element, |sequence| match encoded {
            Some(frame) => frame.numbered(sequence),
            None => Outgoing::signal(number, sequence, &element).expect("whatever is no batch is a signal"),
        })?;
        self.announce(listed);
        Ok(())
    }

    fn close(&mut self, ended: Ended) {
        let mut state = self.sender.state.lock();
        let over = match ended {
            Ended::Yes => state.frames.is_empty() || state.failure.is_some(),
            Ended::No => {
                state.outlet = OutletState::Gone;
                state.frames.clear();
                state.failure.is_some()
            }
        };
        let listed = state.list();
        drop(state);
        if over && let Some(peer) = self.peer.upgrade() {
            peer.forget(self.sender.number);
        }
        self.announce(listed);
    }
}
