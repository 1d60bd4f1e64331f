//! One connection that frames come by: its channels, and the receipts that are to go back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use proto::v1::Granted;
use tokio::sync::Notify;
use tonic::{Status, Streaming};

use super::frame::Frame;
use super::receiver::{Delivered, Receiver};
use super::registry::Registry;

/// The receiving end of one connection.
pub(super) struct Connection {
    /// Grows with each connection of one sender. A late reader of an earlier one takes nothing back from a later one.
    pub(super) counter: u64,
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Default)]
struct State {
    channels: BTreeMap<u32, Arc<Receiver>>,
    /// Channels whose receipt has changed. One receipt says all, however many changes it covers.
    marked: BTreeSet<u32>,
    refused: BTreeMap<u32, &'static str>,
    end: Option<Result<(), Status>>,
}

impl Connection {
    /// The sender's connection of this number.
    pub(super) fn new(counter: u64) -> Self {
        Self {
            counter,
            state: Mutex::default(),
            ready: Notify::new(),
        }
    }

    /// The receipt of a channel has changed.
    pub(super) fn mark(&self, number: u32) {
        let fresh = self.state.lock().marked.insert(number);
        if fresh {
            self.ready.notify_one();
        }
    }

    /// A channel will not be taken.
    pub(super) fn refuse(&self, number: u32, reason: &'static str) {
        self.state.lock().refused.insert(number, reason);
        self.ready.notify_one();
    }

    /// The elements of this number are for this receiver.
    pub(super) fn attach(self: &Arc<Self>, number: u32, receiver: &Arc<Receiver>) {
        self.state.lock().channels.insert(number, Arc::clone(receiver));
        receiver.attach(self, number);
    }

    /// Takes frames until the connection ends. Never waits for a receiver: credit guarantees room.
    pub(super) async fn read(self: Arc<Self>, mut frames: Streaming<Frame>, registry: Arc<Registry>) {
        // Also where the scope ends first: the sender is not to wait for receipts of a connection that nobody reads.
        let _finish = Finish {
            connection: Arc::clone(&self),
            registry: Arc::clone(&registry),
        };
        loop {
            let taken = match frames.message().await {
                Ok(Some(frame)) => self.take(frame, &registry),
                Ok(None) => return,
                Err(status) => Err(status),
            };
            if let Err(status) = taken {
                tracing::debug!(%status, "data connection broke");
                self.state.lock().end = Some(Err(status));
                return;
            }
        }
    }

    /// Takes one frame.
    pub(super) fn take(self: &Arc<Self>, frame: Frame, registry: &Registry) -> Result<(), Status> {
        match frame {
            Frame::Hello(_) => Err(Status::invalid_argument("a second greeting")),
            Frame::Open { channel, name } => {
                registry.open(name.into(), self, channel);
                Ok(())
            }
            Frame::Content {
                channel,
                sequence,
                content,
            } => {
                let receiver = self.state.lock().channels.get(&channel).cloned();
                let Some(receiver) = receiver else {
                    return Err(Status::invalid_argument(format!("channel {channel} is not open")));
                };
                match receiver.deliver(self, sequence, content) {
                    // Every receipt lets the sender forget frames.
                    Delivered::Now | Delivered::Before => self.mark(channel),
                    Delivered::Stale => return Err(Status::aborted("a later connection has taken over")),
                    Delivered::Gap => {
                        return Err(Status::out_of_range(format!("a frame of channel {channel} is missing")));
                    }
                }
                Ok(())
            }
            Frame::Close { channel } => {
                let receiver = self.state.lock().channels.remove(&channel);
                if let Some(receiver) = receiver {
                    receiver.sender_gone(self);
                }
                Ok(())
            }
        }
    }

    /// The next receipt to go back; nothing after the end.
    pub(super) async fn receipt(&self) -> Option<Result<Granted, Status>> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some((channel, reason)) = state.refused.pop_first() {
                    return Some(Ok(Granted {
                        channel,
                        refused: reason.to_owned(),
                        ..Granted::default()
                    }));
                }
                if let Some(number) = state.marked.pop_first() {
                    let Some(receiver) = state.channels.get(&number).cloned() else {
                        continue;
                    };
                    drop(state);
                    return Some(Ok(receiver.receipt(number)));
                }
                if let Some(end) = &mut state.end {
                    // The error is said once, then the stream is over.
                    return std::mem::replace(end, Ok(())).err().map(Err);
                }
            }
            self.ready.notified().await;
        }
    }
}

/// Ends a connection when its reader ends, however that is.
struct Finish {
    connection: Arc<Connection>,
    registry: Arc<Registry>,
}

impl Drop for Finish {
    fn drop(&mut self) {
        self.registry.disconnect(&self.connection);
        let mut state = self.connection.state.lock();
        state.channels.clear();
        state.end.get_or_insert(Ok(()));
        drop(state);
        self.connection.ready.notify_one();
    }
}
