//! What a running deployment is told, as messages.

use bytes::Bytes;
use dataflow::contract::Split;
use dataflow::element::Roll;
use dataflow::id::{Epoch, Generation, JobId, SubtaskId};
use proto::v1;
use proto::v1::to_task_manager::Message;

use super::named;
use crate::source::Bound;
use crate::tap::Wanted;

/// One thing that subtasks of a deployment are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Go, for this reason.
    Cancel(String),
    /// These are to go, for this reason; the others stay.
    CancelSome(String, Vec<SubtaskId>),
    /// Obey this generation from now on.
    Adopt {
        /// The new one.
        anew: Generation,
        /// The head of the chain.
        epoch: Epoch,
    },
    /// End the input.
    Drain,
    /// Send a barrier out.
    Trigger {
        /// Its counter.
        counter: u64,
        /// What the sinks do with open files.
        roll: Roll,
    },
    /// Let a barrier that was sent out overtake what flows.
    Overtake {
        /// Its counter.
        counter: u64,
        /// What the sinks do with open files.
        roll: Roll,
    },
    /// Commit what was prepared for a barrier.
    Commit {
        /// The epoch whose record covers it.
        epoch: Epoch,
        /// The barrier's counter.
        counter: u64,
    },
    /// Every sink has committed an epoch.
    Recorded {
        /// The epoch.
        epoch: Epoch,
        /// Whether it was the last.
        last: bool,
    },
    /// Read no further than this.
    Bound {
        /// Who.
        subtask: SubtaskId,
        /// How far.
        bound: Bound,
    },
    /// Show rows of a step.
    Tap(Box<Wanted>),
    /// Show none any more.
    Untap(u64),
    /// Read these.
    Assign {
        /// Who.
        subtask: SubtaskId,
        /// What.
        splits: Vec<Split>,
        /// Whether there will be no more.
        no_more: bool,
    },
}

impl Order {
    /// The message to a task manager with subtasks of this deployment.
    #[must_use]
    pub fn message(&self, job: &JobId, generation: Generation) -> v1::ToTaskManager {
        let fence = Some(super::fence(job, generation));
        let message = match self.clone() {
            Self::Cancel(reason) => Message::Cancel(v1::Cancel {
                fence,
                reason,
                subtasks: Vec::new(),
            }),
            Self::CancelSome(reason, some) => Message::Cancel(v1::Cancel {
                fence,
                reason,
                subtasks: some.into_iter().map(named).collect(),
            }),
            Self::Adopt { anew, epoch } => Message::Adopt(v1::Adopt {
                fence,
                anew: Some(super::fence(job, anew)),
                epoch: epoch.0,
            }),
            Self::Drain => Message::Drain(v1::Drain { fence }),
            Self::Trigger { counter, roll } => Message::Trigger(v1::Trigger {
                fence,
                barrier: Some(barrier(counter, roll)),
                overtake: false,
            }),
            Self::Overtake { counter, roll } => Message::Trigger(v1::Trigger {
                fence,
                barrier: Some(barrier(counter, roll)),
                overtake: true,
            }),
            Self::Commit { epoch, counter } => Message::Commit(v1::Commit {
                fence,
                epoch: epoch.0,
                counter,
            }),
            Self::Recorded { epoch, last } => Message::Recorded(v1::Recorded {
                fence,
                epoch: epoch.0,
                r#final: last,
            }),
            Self::Bound { subtask, bound } => Message::Bound(v1::Bound {
                fence,
                subtask: Some(named(subtask)),
                until_ms: bound.until_ms,
                slowest: Some(named(bound.slowest)),
            }),
            Self::Tap(wanted) => Message::Tap(tap(fence, *wanted)),
            Self::Untap(tap) => Message::Untap(v1::Untap { fence, tap }),
            Self::Assign {
                subtask,
                splits,
                no_more,
            } => {
                let encode = |split| Bytes::from(serde_json::to_vec(&split).expect("a split is plain JSON"));
                let splits = splits.into_iter().map(encode).collect();
                Message::AssignSplits(v1::AssignSplits {
                    fence,
                    subtask: Some(named(subtask)),
                    splits,
                    no_more,
                })
            }
        };
        v1::ToTaskManager {
            message: Some(message),
            ..v1::ToTaskManager::default()
        }
    }
}

fn tap(fence: Option<v1::Fence>, wanted: Wanted) -> v1::Tap {
    let json = |written: Result<Vec<u8>, serde_json::Error>| Bytes::from(written.expect("a schema is plain JSON"));
    let open = wanted.condition.as_ref().and_then(|condition| condition.open.as_ref());
    v1::Tap {
        fence,
        tap: wanted.tap,
        vertex: wanted.vertex.0,
        indexes: wanted.indexes,
        step: wanted.step,
        fields: open.map_or_else(Bytes::new, |(fields, _)| json(serde_json::to_vec(fields.as_ref()))),
        format: open.map_or_else(Bytes::new, |(_, format)| json(serde_json::to_vec(format))),
        condition: wanted
            .condition
            .map(|condition| condition.expression.sql)
            .unwrap_or_default(),
        rows_per_second: wanted.rows_per_second,
        row_bytes_max: wanted.row_bytes_max,
        duration_ms: u64::try_from(wanted.duration.as_millis()).unwrap_or(u64::MAX),
    }
}

fn barrier(counter: u64, roll: Roll) -> v1::Barrier {
    v1::Barrier {
        counter,
        roll_all: roll == Roll::All,
    }
}
