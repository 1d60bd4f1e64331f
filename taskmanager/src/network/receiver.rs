//! The receiving end of one channel on the wire: which frames it has, and on which connection they come now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use proto::v1::Granted;

use super::EncodedBatch;
use super::address::Name;
use super::connection::Connection;
use super::frame::Content;
use super::registry::Registry;
use crate::channel::{Intake, Item, Upstream};

/// Outlives connections: from the making of the inlet to its end.
pub(super) struct Receiver {
    name: Name,
    intake: Arc<Intake>,
    registry: Arc<Registry>,
    /// Held while an element is delivered, so that two connections cannot swap elements.
    order: Mutex<()>,
    /// The highest number that was delivered.
    received: AtomicU64,
    /// Where receipts go.
    at: Mutex<Option<(Arc<Connection>, u32)>>,
    closed: AtomicBool,
}

/// What became of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// It is in the queue.
    Now,
    /// It was there before.
    Before,
    /// It came by a connection that another has replaced.
    Stale,
    /// One before it is missing.
    Gap,
}

impl Receiver {
    pub(super) fn new(name: Name, intake: Arc<Intake>, registry: Arc<Registry>) -> Self {
        Self {
            name,
            intake,
            registry,
            order: Mutex::new(()),
            received: AtomicU64::new(0),
            at: Mutex::new(None),
            closed: AtomicBool::new(false),
        }
    }

    /// From now on the channel's elements come by this connection, under this number, unless it comes by a later one.
    ///
    /// The reader of a connection that broke may be late: what it still finds there must not take the channel back.
    pub(super) fn attach(&self, connection: &Arc<Connection>, number: u32) {
        let order = self.order.lock();
        let mut at = self.at.lock();
        if at.as_ref().is_some_and(|(known, _)| known.counter > connection.counter) {
            return;
        }
        *at = Some((Arc::clone(connection), number));
        drop(at);
        drop(order);
        connection.mark(number);
    }

    fn comes_by(&self, connection: &Arc<Connection>) -> bool {
        self.at
            .lock()
            .as_ref()
            .is_some_and(|(at, _)| Arc::ptr_eq(at, connection))
    }

    /// Takes one element that came by `connection`.
    pub(super) fn deliver(&self, connection: &Arc<Connection>, sequence: u64, content: Content) -> Delivered {
        let _order = self.order.lock();
        if !self.comes_by(connection) {
            return Delivered::Stale;
        }
        let received = self.received.load(Ordering::Relaxed);
        if sequence <= received {
            return Delivered::Before;
        }
        if sequence > received + 1 {
            return Delivered::Gap;
        }
        self.received.store(sequence, Ordering::Relaxed);
        match content.into_element() {
            Ok(element) => self.intake.deliver(Item::Element(element), 0, 0),
            Err((body, cost, backlog)) => self.intake.deliver(Item::Encoded(EncodedBatch { body }), cost, backlog),
        }
        Delivered::Now
    }

    /// The sender is gone before its end.
    pub(super) fn sender_gone(&self, connection: &Arc<Connection>) {
        if self.comes_by(connection) {
            self.intake.fail(crate::channel::sender_gone(self.intake.id()));
        }
    }

    /// The receipt as it stands.
    pub(super) fn receipt(&self, number: u32) -> Granted {
        let refused = if self.closed.load(Ordering::Acquire) {
            "it has gone away"
        } else {
            ""
        };
        Granted {
            channel: number,
            credit_bytes: self.intake.granted(),
            received: self.received.load(Ordering::Relaxed),
            refused: refused.to_owned(),
        }
    }

    fn mark(&self) {
        let at = self.at.lock().clone();
        if let Some((connection, number)) = at {
            connection.mark(number);
        }
    }
}

impl Upstream for Receiver {
    fn granted(&self, _total: u64) {
        self.mark();
    }

    fn closed(&self) {
        self.closed.store(true, Ordering::Release);
        self.registry.forget(&self.name);
        self.mark();
    }
}
