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
    budget: Budget,
    waker: Waker,
}

/// The bytes of a queue, shared by those who fetch for it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    units: u32,
}

impl Budget {
    /// Waits until `bytes` more fit, in the order of the calls. One item larger than the whole budget may pass alone.
    pub(crate) async fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        Arc::clone(&self.free)
            .acquire_many_owned(units)
            .await
            .ok()
            .map(Reservation)
    }
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
    let units = u32::try_from(budget.div_ceil(UNIT))
        .unwrap_or(u32::MAX)
        .clamp(1, 1 << 28);
    let (items, taken) = mpsc::channel(ITEMS_MAX);
    let budget = Budget {
        free: Arc::new(Semaphore::new(units as usize)),
        units,
    };
    let giver = Giver {
        items: Some(items),
        budget,
        waker,
    };
    (giver, Taker { items: taken })
}

impl<T> Giver<T> {
    /// The bytes of this queue, for those who fetch several items at once.
    pub(crate) fn budget(&self) -> Budget {
        self.budget.clone()
    }

    /// Waits until `bytes` more fit.
    pub(crate) async fn reserve(&self, bytes: usize) -> Option<Reservation> {
        self.budget.reserve(bytes).await
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
