//! Wakes a reader's subtask at an instant, so that a reader that has to wait returns instead of sleeping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dataflow::Scope;
use dataflow::contract::{ReaderContext, Waker};
use dataflow::time::{Clock, Instant};

/// One alarm of one reader; at most one is set at a time, and it rings in the reader's scope.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    scope: Scope,
    clock: Arc<dyn Clock>,
    waker: Waker,
    set: Arc<AtomicBool>,
}

impl Alarm {
    /// An alarm that wakes the subtask of `context`.
    pub(crate) fn new(context: &ReaderContext) -> Self {
        Self {
            scope: context.scope.clone(),
            clock: Arc::clone(&context.clock),
            waker: context.waker.clone(),
            set: Arc::default(),
        }
    }

    /// Wakes the subtask at `deadline`. While an alarm is set this does nothing: whoever is woken asks again.
    pub(crate) fn set(&self, deadline: Instant) {
        if self.set.swap(true, Ordering::AcqRel) {
            return;
        }
        let (clock, waker, set) = (Arc::clone(&self.clock), self.waker.clone(), Arc::clone(&self.set));
        self.scope.run(async move {
            clock.sleep_until(deadline).await;
            // Cleared before the wake, so that the woken reader can set the next one.
            set.store(false, Ordering::Release);
            waker.wake();
        });
    }
}
