//! Keeps the cuts of one node: small ones in the snapshot, large ones as files, written while data flows.
//!
//! ```text
//!   subtask's thread ── keep ──> [cuts that wait] ──> worker, on the runtime for I/O ──> files
//!                    <── Notice: kept, with what the snapshot says; failed
//! ```
//!
//! Enters: one cut a barrier, never waiting. Leaves: a notice for each, in their order. Who calls: the chain. Must stay
//! true: the list in a snapshot holds every cut from the first that is needed, those of aborted barriers too, for what they
//! hold has changed and is in no other; a file's name is never used again. Not here: which cuts are needed (tables say it),
//! which files nobody names any more (job manager).

mod list;
mod work;

pub(super) use work::{Work, file};

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use dataflow::Scope;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::cut::Pressure;
use super::kept::KeptCut;
use super::shelf::Shelf;
use super::{Cut, KeyGroups};
use crate::task::mailbox::Mail;
use crate::writer::Notice;

/// Where the files of a node go, and what they are called.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// Where; none where state must fit into the snapshots.
    pub(crate) shelf: Option<Shelf>,
    /// The beginning of every name: generation, attempt and node, which together never come again.
    pub(crate) prefix: String,
    /// The key groups that cuts are written for.
    pub(crate) groups: KeyGroups,
    /// So many bytes of cuts may wait; one may overdraw.
    pub(crate) limit_bytes: usize,
}

/// The handle of a node's keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    limit: usize,
    /// The key groups that are the subtask's.
    groups: Range<u32>,
}

/// What thread and worker share.
#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<VecDeque<(u64, Cut)>>,
    filled: Notify,
    /// Bytes of cuts that wait or are being written.
    bytes: AtomicUsize,
    /// Whether there are more cuts than there should be.
    crowded: AtomicBool,
    /// The number of the oldest cut.
    oldest: AtomicU64,
}

impl Keeper {
    /// Starts the worker of `node` in `scope`, whose runtime is the one for I/O. It goes on from what was restored, which counts
    /// as cut 0.
    pub(crate) fn start(node: usize, home: Home, restored: Vec<KeptCut>, scope: &Scope, mail: &Mail) -> Self {
        let shared = Arc::new(Shared::default());
        let (limit, groups) = (home.limit_bytes, home.groups.owned.clone());
        let (waiting, notices, last) = (Arc::clone(&shared), mail.clone(), mail.clone());
        let work = Work::new(home, restored);
        shared.note(work.list());
        scope.spawn(
            async move { keep_all(node, work, &waiting, &notices).await },
            move |outcome| match outcome {
                Ok(None) => {}
                Ok(Some(failure)) | Err(failure) => last.notice(node, Notice::Failed(failure)),
            },
        );
        Self { shared, limit, groups }
    }

    /// The next cut, yet empty.
    pub(crate) fn begin(&self, number: u64) -> Cut {
        Cut::new(number)
            .under(Pressure {
                crowded: self.shared.crowded.load(Ordering::Acquire),
                oldest: self.shared.oldest.load(Ordering::Acquire),
                room: self.limit,
            })
            .of(self.groups.clone())
    }

    /// Keeps what was cut at the barrier `counter`; the answer comes as a notice.
    pub(crate) fn keep(&self, counter: u64, cut: Cut) {
        self.shared.bytes.fetch_add(cut.len(), Ordering::AcqRel);
        self.shared.waiting.lock().push_back((counter, cut));
        self.shared.filled.notify_one();
    }

    /// Whether another cut may come. Where there is no room, the subtask is woken when there is.
    pub(crate) fn has_room(&self) -> bool {
        self.shared.bytes.load(Ordering::Acquire) < self.limit
    }
}

impl Shared {
    async fn next(&self) -> (u64, Cut) {
        loop {
            let filled = self.filled.notified();
            if let Some(next) = self.waiting.lock().pop_front() {
                return next;
            }
            filled.await;
        }
    }

    fn note(&self, list: &list::List) {
        self.crowded.store(list.is_crowded(), Ordering::Release);
        self.oldest.store(list.oldest(), Ordering::Release);
    }
}

/// Works until a cut cannot be kept; the scope ends it otherwise.
async fn keep_all(node: usize, mut work: Work, shared: &Shared, mail: &Mail) -> dataflow::Failure {
    loop {
        let (counter, cut) = shared.next().await;
        let bytes = cut.len();
        let kept = match work.keep(cut).await {
            Ok(kept) => kept,
            Err(failure) => return failure,
        };
        shared.note(work.list());
        shared.bytes.fetch_sub(bytes, Ordering::AcqRel);
        mail.notice(node, Notice::Kept { counter, kept });
    }
}

/// A range as a snapshot writes it.
fn pair(groups: &Range<u32>) -> [u32; 2] {
    [groups.start, groups.end]
}
