//! A channel inside one process: batches are handed over, never serialised.

use std::sync::Arc;

use dataflow::contract::Waker;
use dataflow::element::Element;
use dataflow::error::Failure;
use parking_lot::Mutex;

use super::credit::{Window, WindowAction, WindowEvent};
use super::outlet::Ended;
use super::{ChannelId, Inlet, Intake, Item, Link, Outlet, Receiving, Upstream};

/// Both ends of a new channel between two subtasks of this process. `sender` wakes the sending subtask.
#[must_use]
pub fn local(id: ChannelId, receiving: Receiving, sender: Waker) -> (Outlet, Inlet) {
    let intake = Arc::new(Intake::new(id.clone(), receiving));
    let side = Arc::new(SendingSide {
        id: id.clone(),
        state: Mutex::new(State::default()),
        waker: sender,
    });
    let granted = intake.attach(Arc::clone(&side) as Arc<dyn Upstream>);
    side.granted(granted);
    let link = LocalLink {
        side,
        intake: Arc::clone(&intake),
    };
    (Outlet::new(id, Box::new(link)), Inlet::new(intake))
}

/// What the receiver tells the sender.
struct SendingSide {
    id: ChannelId,
    state: Mutex<State>,
    waker: Waker,
}

#[derive(Default)]
struct State {
    window: Window,
    closed: bool,
}

impl Upstream for SendingSide {
    fn granted(&self, total: u64) {
        let action = self.state.lock().window.on(WindowEvent::Granted { total });
        if action == WindowAction::Wake {
            self.waker.wake();
        }
    }

    fn closed(&self) {
        self.state.lock().closed = true;
        self.waker.wake();
    }
}

struct LocalLink {
    side: Arc<SendingSide>,
    intake: Arc<Intake>,
}

impl Link for LocalLink {
    fn credit(&mut self, least: u64) -> Result<Option<u64>, Failure> {
        let mut state = self.side.state.lock();
        if state.closed {
            return Err(receiver_gone(&self.side.id));
        }
        match state.window.on(WindowEvent::Asked { least }) {
            WindowAction::Send { credit } => Ok(Some(credit)),
            WindowAction::Blocked | WindowAction::Wake | WindowAction::None => Ok(None),
        }
    }

    fn carry(&mut self, element: Element, cost: u64, backlog: u64) -> Result<(), Failure> {
        {
            let mut state = self.side.state.lock();
            if state.closed {
                return Err(receiver_gone(&self.side.id));
            }
            state.window.on(WindowEvent::Sent { cost });
        }
        self.intake.deliver(Item::Element(element), cost, backlog);
        Ok(())
    }

    fn close(&mut self, ended: Ended) {
        if ended == Ended::No {
            self.intake.fail(sender_gone(&self.side.id));
        }
    }
}

pub(crate) fn receiver_gone(id: &ChannelId) -> Failure {
    Failure::retry(format!(
        "{}, which receives {} from {}, has gone away",
        id.to, id.edge, id.from
    ))
}

pub(crate) fn sender_gone(id: &ChannelId) -> Failure {
    Failure::retry(format!(
        "{}, which sends {} to {}, went away before its end",
        id.from, id.edge, id.to
    ))
}
