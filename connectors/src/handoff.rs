//! Hands work of an async task to a reader on its subtask's thread: a queue bounded in bytes that wakes the subtask.
//!
//! ```text
//!   task in the reader's scope -- reserve(bytes).await, send --> | bytes <= budget | --> try_take on the subtask's thread
//! ```

use std::sync::Arc;

use dataflow::contract::Waker;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Items at most in the queue, whatever they weigh.
const ITEMS_MAX: usize = 64;
/// One permit of the semaphore stands for this many bytes.
const UNIT: usize = 1024;

/// The bytes that an item may occupy until the reader takes it.
#[derive(Debug)]
pub(crate) struct Reservation(OwnedSemaphorePermit);

/// The task's end.
#[derive(Debug)]
pub(crate) struct Giver<T> {
    items: Option<Sender<(T, Reservation)>>,
    budget: Arc<Semaphore>,
    units: u32,
    waker: Waker,
}

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Taker<T> {
    items: Receiver<(T, Reservation)>,
}

/// What the reader finds.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    /// An item; its bytes are free again.
    Item(T),
    /// Nothing yet: the waker will be called.
    Nothing,
    /// The task has ended and everything it sent was taken.
    Ended,
}

/// A queue of at most `budget` bytes.
pub(crate) fn handoff<T>(budget: usize, waker: Waker) -> (Giver<T>, Taker<T>) {
    let units = u32::try_from(budget.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, 1 << 28);
    let (items, taken) = mpsc::channel(ITEMS_MAX);
    let giver = Giver { items: Some(items), budget: Arc::new(Semaphore::new(units as usize)), units, waker };
    (giver, Taker { items: taken })
}

impl<T> Giver<T> {
    /// Waits until `bytes` more fit. One item larger than the whole budget may pass alone.
    pub(crate) async fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        Arc::clone(&self.budget).acquire_many_owned(units).await.ok().map(Reservation)
    }

    /// Hands over an item; false where the reader is gone.
    pub(crate) async fn send(&self, item: T, reservation: Reservation) -> bool {
        let Some(items) = &self.items else { return false };
        let sent = items.send((item, reservation)).await.is_ok();
        self.waker.wake();
        sent
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        // Closed before the wake, or the woken reader would find nothing, not the end, and sleep for ever.
        self.items = None;
        self.waker.wake();
    }
}

impl<T> Taker<T> {
    /// The next item, without waiting.
    pub(crate) fn try_take(&mut self) -> Taken<T> {
        match self.items.try_recv() {
            Ok((item, reservation)) => {
                drop(reservation.0);
                Taken::Item(item)
            }
            Err(mpsc::error::TryRecvError::Empty) => Taken::Nothing,
            Err(mpsc::error::TryRecvError::Disconnected) => Taken::Ended,
        }
    }
}
