//! Wakes a reader's subtask at an instant, so that a reader that has to wait returns instead of sleeping.

use std::sync::Arc;

use dataflow::Scope;
use dataflow::contract::{ReaderContext, Waker};
use dataflow::time::{Clock, Instant};
use parking_lot::Mutex;

/// The alarm of one reader. It rings at the earliest instant that was asked for, in the reader's scope.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    scope: Scope,
    clock: Arc<dyn Clock>,
    waker: Waker,
    next: Arc<Mutex<Option<Instant>>>,
}

impl Alarm {
    /// An alarm that wakes the subtask of `context`.
    pub(crate) fn new(context: &ReaderContext) -> Self {
        Self {
            scope: context.scope.clone(),
            clock: Arc::clone(&context.clock),
            waker: context.waker.clone(),
            next: Arc::default(),
        }
    }

    /// Wakes the subtask at `deadline`, or earlier: whoever is woken looks at the clock and asks again.
    pub(crate) fn set(&self, deadline: Instant) {
        let mut next = self.next.lock();
        if next.is_some_and(|earlier| earlier <= deadline) {
            return;
        }
        *next = Some(deadline);
        drop(next);
        let (clock, waker, next) = (Arc::clone(&self.clock), self.waker.clone(), Arc::clone(&self.next));
        self.scope.run(async move {
            clock.sleep_until(deadline).await;
            // Cleared before the wake, so that the woken reader can ask again.
            let mut next = next.lock();
            if *next == Some(deadline) {
                *next = None;
            }
            drop(next);
            waker.wake();
        });
    }
}
