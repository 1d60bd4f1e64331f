//! The one door to a subtask's thread: control, in order, and a bell that says that data may have moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use dataflow::contract::{Split, Waker};
use dataflow::element::Barrier;
use dataflow::id::Generation;

use crate::operators::Outlook;
use crate::writer::Notice;

/// So many control messages may wait: one barrier, its commit and splits are under way at a time, so this is ample.
const CAPACITY: usize = 1024;

/// What a subtask is told. Looked at before any row.
#[derive(Debug)]
pub(crate) enum Control {
    /// Stop now.
    Cancel,
    /// End as if the input were at its end.
    Drain,
    /// Begin, or answer, a checkpoint.
    Trigger(Barrier),
    /// A barrier is not to wait any longer for what stands before it.
    Overtake(Barrier),
    /// A record covers a barrier.
    Commit {
        /// The record's number.
        epoch: u64,
        /// The barrier.
        counter: u64,
    },
    /// Obey this one from now on, whose barriers are above the counter.
    Adopt {
        /// Whom.
        generation: Generation,
        /// The highest barrier that was asked for here before.
        counter: u64,
    },
    /// The final record is committed.
    Release,
    /// More splits, and whether they are the last.
    Assign {
        /// The splits.
        splits: Vec<Split>,
        /// Whether there will be more.
        outlook: Outlook,
    },
    /// How far the source may go.
    Bound {
        /// Up to this event time.
        until_ms: i64,
        /// The slowest subtask.
        slowest: String,
    },
    /// A sink's worker at this node says something.
    Notice(usize, Notice),
}

/// The sending side of a mailbox. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    control: Sender<Control>,
    bell: Sender<()>,
    overflown: Arc<AtomicBool>,
}

/// The receiving side, on the subtask's thread.
#[derive(Debug)]
pub(crate) struct Mailbox {
    control: Receiver<Control>,
    bell: Receiver<()>,
    overflown: Arc<AtomicBool>,
}

/// A new mailbox: both sides.
pub(crate) fn mailbox() -> (Mail, Mailbox) {
    let (control_in, control_out) = bounded(CAPACITY);
    let (bell_in, bell_out) = bounded(1);
    let overflown = Arc::new(AtomicBool::new(false));
    let mail = Mail {
        control: control_in,
        bell: bell_in,
        overflown: Arc::clone(&overflown),
    };
    (
        mail,
        Mailbox {
            control: control_out,
            bell: bell_out,
            overflown,
        },
    )
}

impl Mail {
    /// Posts. A mailbox that is full ends its subtask; one whose thread has left drops what comes.
    pub(crate) fn post(&self, control: Control) {
        if let Err(error) = self.control.try_send(control)
            && error.is_full()
        {
            self.overflown.store(true, Ordering::Release);
        }
        self.wake();
    }

    /// Posts what a sink's worker says.
    pub(crate) fn notice(&self, node: usize, notice: Notice) {
        self.post(Control::Notice(node, notice));
    }

    /// Rings. Once is enough until the thread has looked.
    pub(crate) fn wake(&self) {
        let _ = self.bell.try_send(());
    }

    /// For readers and channels.
    pub(crate) fn waker(&self) -> Waker {
        let mail = self.clone();
        Waker::new(move || mail.wake())
    }
}

impl Mailbox {
    /// The next control message, if one has come.
    pub(crate) fn take(&self) -> Option<Control> {
        self.control.try_recv().ok()
    }

    /// Sleeps until something was posted or rung since the last sleep, or until `limit` has passed.
    pub(crate) fn sleep(&self, limit: Option<Duration>) {
        match limit {
            // Whoever could ring is gone only when the subtask itself is.
            None => drop(self.bell.recv()),
            Some(limit) => match self.bell.recv_timeout(limit) {
                Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            },
        }
    }

    /// Whether a message was lost because too many waited.
    pub(crate) fn has_overflown(&self) -> bool {
        self.overflown.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_posted_while_nobody_looks_rings_at_the_next_sleep() {
        let (mail, mailbox) = mailbox();
        mail.post(Control::Drain);
        mail.wake();
        mailbox.sleep(None);
        assert!(matches!(mailbox.take(), Some(Control::Drain)));
        assert!(mailbox.take().is_none());
    }

    #[test]
    fn a_full_mailbox_says_so_and_blocks_nobody() {
        let (mail, mailbox) = mailbox();
        for _ in 0..CAPACITY {
            mail.post(Control::Drain);
        }
        assert!(!mailbox.has_overflown());
        mail.post(Control::Cancel);
        assert!(mailbox.has_overflown());
    }
}
