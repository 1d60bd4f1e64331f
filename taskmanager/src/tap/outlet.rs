//! What waits for the connection to the job manager: little, and what does not fit is left out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Row, Shown};

/// So many bytes of rows wait at most, of all taps of a task manager.
const BYTES_MAX: usize = 1 << 20;
/// So many messages, some of which have counts only.
const WAITING_MAX: usize = 256;

/// Shared by everybody who watches and the one who sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outlet {
    waiting: Arc<Mutex<Waiting>>,
    bell: Arc<Notify>,
    /// How many watches there are: they share what all of them may cost.
    watches: Arc<AtomicU32>,
}

#[derive(Debug, Default)]
struct Waiting {
    shown: VecDeque<Shown>,
    bytes: usize,
}

fn bytes(shown: &Shown) -> usize {
    shown.rows.iter().map(Row::weight).sum()
}

/// That one more watches, as long as it is held.
#[derive(Debug)]
pub(super) struct Watching(Arc<AtomicU32>);

impl Watching {
    /// How many do, this one among them.
    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Outlet {
    /// One more watches.
    pub(super) fn watching(&self) -> Watching {
        self.watches.fetch_add(1, Ordering::Relaxed);
        Watching(Arc::clone(&self.watches))
    }

    /// Puts it behind what waits; `false` where there is no room.
    pub(crate) fn put(&self, shown: Shown) -> bool {
        let mut waiting = self.waiting.lock();
        let more = bytes(&shown);
        if waiting.shown.len() >= WAITING_MAX || (waiting.bytes + more > BYTES_MAX && waiting.bytes > 0) {
            return false;
        }
        waiting.bytes += more;
        waiting.shown.push_back(shown);
        drop(waiting);
        self.bell.notify_one();
        true
    }

    /// Waits until there is something to take. Cancel-safe.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// What has waited longest.
    pub(crate) fn take(&self) -> Option<Shown> {
        let mut waiting = self.waiting.lock();
        let shown = waiting.shown.pop_front()?;
        waiting.bytes = waiting.bytes.saturating_sub(bytes(&shown));
        Some(shown)
    }
}
