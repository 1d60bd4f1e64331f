//! What a failure takes down: the whole job, or what is connected with what failed.

use std::collections::BTreeSet;

use dataflow::Failure;
use dataflow::id::SubtaskId;

use super::actor::Actor;
use super::history::Blame;
use super::life;

impl Actor {
    /// Lets the life decide about a failure of these subtasks. What is connected with them goes down with them; the rest runs
    /// on, where all of it is at work.
    pub(super) fn fail_of(&mut self, who: &BTreeSet<SubtaskId>, failure: Failure, blame: Blame) {
        let is_told = !self.life.has_survivors() || who.is_subset(&self.mending);
        if is_told && self.life.is_going_down() {
            return;
        }
        let failed = self.mending.union(who).copied().collect();
        let region = self.execution.regions_of(&failed);
        let is_over = self.head.as_ref().is_none_or(|head| head.last);
        let others = self
            .deployment
            .as_ref()
            .and_then(|deployment| deployment.at_work_besides(&region));
        if is_over || others.is_none_or(|others| others.is_empty()) {
            return self.fail(failure, blame);
        }
        self.mending = region;
        self.blame = blame;
        self.step(life::Event::PartFailed(failure));
    }

    /// Lets the life decide about a failure; a job that is going down anyway does not care.
    pub(super) fn fail(&mut self, failure: Failure, blame: Blame) {
        self.blame = blame;
        self.step(life::Event::Failed(failure));
    }

    pub(super) fn blame_of(&self, subtask: SubtaskId, task_manager: String) -> Blame {
        Blame {
            subtask: Some(subtask.to_string()),
            vertex: self.execution.subtask(subtask).map(|known| known.name.clone()),
            task_manager: Some(task_manager),
        }
    }

    pub(super) fn lost(&mut self, task_manager: &str, incarnation: &str, reason: &str) {
        let Some(deployment) = &mut self.deployment else { return };
        let lost = deployment.lost(task_manager, incarnation);
        if !lost.is_empty() {
            let failure = Failure::retry(format!("task manager {task_manager} is gone: {reason}"));
            let blame = Blame {
                task_manager: Some(task_manager.to_owned()),
                ..Blame::default()
            };
            self.fail_of(&lost.into_iter().collect(), failure, blame);
        }
    }

    /// The enumerator of a source cannot go on: its readers cannot either.
    pub(super) fn fail_source(&mut self, step: &str, failure: Failure) {
        let readers = self.execution.subtasks.iter();
        let readers = readers.filter(|subtask| subtask.source.as_deref() == Some(step));
        let readers = readers.map(|subtask| subtask.id).collect();
        self.fail_of(&readers, failure, Blame::default());
    }
}
