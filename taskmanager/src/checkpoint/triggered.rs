//! The barrier that a subtask was asked for and that has not passed it yet. Pure.
//!
//! Must stay true: of two that were asked for the newer one waits, in whatever order the messages came.

use dataflow::element::Barrier;

/// What waits for its place between rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Triggered(Option<Barrier>);

impl Triggered {
    /// A barrier is asked for.
    pub fn ask(&mut self, barrier: Barrier) {
        // The same message may come again, and late: it must not push out the one that is waited for now.
        if self.0.is_none_or(|waiting| waiting.id < barrier.id) {
            self.0 = Some(barrier);
        }
    }

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> Option<Barrier> {
        self.0
    }

    /// Its place is here.
    pub fn take(&mut self) -> Option<Barrier> {
        self.0.take()
    }

    /// A barrier passes by another way, and with it all before it.
    pub fn passed(&mut self, counter: u64) {
        self.0 = self.0.filter(|waiting| waiting.id.counter > counter);
    }
}

#[cfg(test)]
mod tests {
    use dataflow::element::Roll;
    use dataflow::id::{BarrierId, Generation};

    use super::*;

    fn barrier(counter: u64) -> Barrier {
        let generation = Generation { term: 1, deployment: 1 };
        Barrier {
            id: BarrierId { generation, counter },
            roll: Roll::Keep,
        }
    }

    #[test]
    fn a_trigger_that_comes_again_does_not_push_out_the_newer_one() {
        let mut triggered = Triggered::default();
        triggered.ask(barrier(2));
        triggered.ask(barrier(1));
        assert_eq!(triggered.take(), Some(barrier(2)));
        assert_eq!(triggered.take(), None);
    }

    #[test]
    fn what_passes_takes_along_what_was_asked_for_before_it() {
        let mut triggered = Triggered::default();
        triggered.ask(barrier(2));
        triggered.passed(1);
        assert_eq!(triggered.take(), Some(barrier(2)));
        triggered.ask(barrier(3));
        triggered.passed(3);
        assert_eq!(triggered.take(), None);
    }
}
