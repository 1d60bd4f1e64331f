//! What a subtask does when it is told to obey another leader, or that a record covers a barrier.

use dataflow::id::Generation;

use super::report::{Report, Stand};
use super::run::{Input, Task};
use crate::writer::Occasion;

impl Task {
    /// Obeys another leader from here on; what it knows of this subtask is in the answer.
    pub(super) fn adopt(&mut self, generation: Generation, counter: u64) {
        self.parts.identity.obeys = generation;
        let mut stand = Stand {
            life: self.life,
            counter: counter.max(self.barriers.latest()),
            held: Vec::new(),
            finished: Vec::new(),
            wants: false,
        };
        if let Input::Source(source) = &mut self.parts.input {
            stand.held = source.snapshot().into_iter().map(|split| split.id).collect();
            stand.finished = source.finished().splits().map(str::to_owned).collect();
            stand.wants = source.wants();
        }
        self.report(Report::Adopted(stand));
    }

    pub(super) fn commit(&mut self, epoch: u64, counter: u64) {
        if let Input::Source(source) = &mut self.parts.input {
            source.finished().recorded(counter);
        }
        let orders = self.barriers.commit(epoch, counter);
        if orders.is_empty() {
            self.report(Report::Committed(epoch));
        }
        for (node, committables) in orders {
            self.parts
                .chain
                .commit(node, committables, Occasion::Recorded { epoch });
        }
    }
}
