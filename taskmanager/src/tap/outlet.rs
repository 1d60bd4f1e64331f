//! What waits for the connection to the job manager: little, and what does not fit is left out.

use std::collections::VecDeque;
use std::sync::Arc;

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
}

#[derive(Debug, Default)]
struct Waiting {
    shown: VecDeque<Shown>,
    bytes: usize,
}

fn bytes(shown: &Shown) -> usize {
    shown.rows.iter().map(Row::weight).sum()
}

impl Outlet {
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
