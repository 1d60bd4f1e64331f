//! The asynchronous half of a sink: a queue bounded in bytes, and a task on the runtime for I/O that empties it.
//!
//! ```text
//!   subtask's thread ── write, prepare ──> [queue] ──> worker ──> Sink::write, prepare
//!                    ── commit ─────────> [urgent] ──>   │
//!                    <── Notice: prepared, committed, failed
//! ```
//!
//! Enters: batches, barriers, commits. Leaves: notices to the subtask's mailbox. Who calls: the sink operator and the
//! subtask's loop; no call waits. Must stay true: what is written after a barrier stays behind its prepare; a commit
//! waits for no row; a barrier that overtakes hands over the rows that it passed; a sink that hangs is dropped with its scope. Not here: what a record covers (checkpoint).

mod queue;

use std::sync::Arc;

use dataflow::contract::{Committable, Cut, Prepared, Sink};
use dataflow::element::{Barrier, Batch};
use dataflow::{Failure, Scope, crash};

use crate::channel::compact;
use crate::overtaken::Stowed;
use crate::state::Kept;
use crate::task::mailbox::Mail;
use queue::{Order, Queue};

/// What works behind a subtask says to it.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Everything before the barrier is durable.
    Prepared {
        /// The barrier.
        counter: u64,
        /// What is to be committed, and what the sink goes on from.
        prepared: Prepared,
    },
    /// Committed.
    Committed {
        /// What was said with the order.
        occasion: Occasion,
    },
    /// What a node's state was at the barrier is durable.
    Kept {
        /// The barrier.
        counter: u64,
        /// What the snapshot says of it.
        kept: Kept,
    },
    /// What a barrier overtook is durable.
    Stowed {
        /// The barrier.
        counter: u64,
        /// What the snapshot says of it.
        stowed: Stowed,
    },
    /// The sink cannot go on.
    Failed(Failure),
}

/// Why something is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The restored epoch held it; before the first row.
    Restored,
    /// A record covers it.
    Recorded {
        /// The record's number.
        epoch: u64,
    },
}

/// The handle of a sink's worker.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: Arc<Queue>,
}

impl Writer {
    /// Starts the worker of the sink at `node` in `scope`, whose runtime is the one for I/O.
    pub(crate) fn start(node: usize, sink: Box<dyn Sink>, limit_bytes: usize, scope: &Scope, mail: &Mail) -> Self {
        let queue = Arc::new(Queue::new(limit_bytes));
        let (orders, notices, last) = (Arc::clone(&queue), mail.clone(), mail.clone());
        scope.spawn(
            async move { work(node, sink, &orders, &notices).await },
            move |outcome| match outcome {
                Ok(None) => {}
                Ok(Some(failure)) | Err(failure) => last.notice(node, Notice::Failed(failure)),
            },
        );
        Self { queue }
    }

    /// Whether there is room for a batch. Where there is none, the subtask is woken when there is.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.has_room()
    }

    /// Queues rows. A view into a big shared buffer is copied out of it, so that what waits weighs what it says.
    pub(crate) fn write(&self, batch: Batch) {
        self.queue.push(Order::Write(Batch::new(compact(batch.records()))));
    }

    /// Queues a barrier.
    pub(crate) fn prepare(&self, barrier: Barrier) {
        self.queue.push(Order::Prepare(barrier));
    }

    /// Has the barrier's prepare pass the rows that wait, and answers those; none where it no longer waits itself.
    pub(crate) fn overtake(&self, counter: u64) -> Option<Vec<Batch>> {
        self.queue.overtake(counter)
    }

    /// Queues rows that a restored barrier had passed here.
    pub(crate) fn restore(&self, passed: Vec<Batch>) {
        passed
            .into_iter()
            .for_each(|batch| self.queue.push(Order::Write(batch)));
    }

    /// Bytes beyond what may wait.
    pub(crate) fn overdrawn(&self) -> usize {
        self.queue.bytes().saturating_sub(self.queue.limit())
    }

    /// Commits, before anything that waits.
    pub(crate) fn commit(&self, committables: Vec<Committable>, occasion: Occasion) {
        self.queue.push_urgent(Order::Commit(committables, occasion));
    }
}

/// Works until the sink fails; the scope ends it otherwise.
async fn work(node: usize, mut sink: Box<dyn Sink>, queue: &Queue, mail: &Mail) -> Failure {
    loop {
        let outcome = match queue.next().await {
            Order::Write(batch) => {
                let weight = queue::weight(&batch);
                let written = sink.write(batch.into_records()).await;
                if queue.release(weight) {
                    mail.wake();
                }
                written.map(|()| None)
            }
            Order::Prepare(barrier) => {
                let prepared = sink.prepare(Cut { roll: barrier.roll }).await;
                crash::point("prepare.after");
                prepared.map(|prepared| {
                    Some(Notice::Prepared {
                        counter: barrier.id.counter,
                        prepared,
                    })
                })
            }
            Order::Commit(committables, occasion) => {
                crash::point("commit.before");
                let committed = sink.commit(committables).await;
                crash::point("commit.after");
                committed.map(|()| Some(Notice::Committed { occasion }))
            }
        };
        match outcome {
            Ok(Some(notice)) => mail.notice(node, notice),
            Ok(None) => {}
            Err(failure) => return failure,
        }
    }
}
