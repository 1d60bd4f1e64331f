//! What one subtask does as parts of traces that the job manager began: it restores, lets a barrier through, commits.

use std::time::Duration;

use dataflow::trace::{Context, Traced};
use dataflow::traced;
use tracing::field::Empty;

use crate::deploy::Handle;
use crate::task::Report;
use crate::task::life::Status;

/// What is under way: at most one of each, since at most one barrier is.
#[derive(Default)]
pub(super) struct Traces {
    restore: Option<Traced>,
    barrier: Option<(u64, Traced)>,
    commit: Option<(u64, Traced)>,
}

impl Traces {
    /// It is being deployed.
    pub(super) fn restores(handle: &Handle, asked: Option<Context>) -> Self {
        let (identity, vertex) = (&handle.identity, &handle.name);
        let restore = asked.map(|asked| {
            let (job, subtask, attempt) = (&identity.job, identity.subtask, &identity.attempt);
            traced!(Some(asked), "restore", %job, vertex, %subtask, attempt)
        });
        Self {
            restore,
            ..Self::default()
        }
    }

    /// A barrier was asked for.
    pub(super) fn triggered(&mut self, handle: &Handle, counter: u64, asked: Context) {
        // Asked for again, to overtake: it is still the same.
        if self.barrier.as_ref().is_some_and(|(known, _)| *known == counter) {
            return;
        }
        let (job, subtask) = (&handle.identity.job, handle.identity.subtask);
        let traced = traced!(
            Some(asked), "snapshot", %job, vertex = handle.name, %subtask, align_ms = Empty, prepare_ms = Empty, overtook_bytes = Empty
        );
        self.barrier = Some((counter, traced));
    }

    /// An epoch is to be committed.
    pub(super) fn commits(&mut self, handle: &Handle, epoch: u64, asked: Context) {
        let (job, subtask) = (&handle.identity.job, handle.identity.subtask);
        let traced = traced!(Some(asked), "commit of a sink", %job, vertex = handle.name, %subtask, epoch);
        self.commit = Some((epoch, traced));
    }

    /// The subtask says something.
    pub(super) fn heard(&mut self, report: &Report) {
        match report {
            Report::Status(status) => {
                if let (Some(restore), Status::Failed(failure)) = (self.restore.take(), status) {
                    restore.fail(&failure.message);
                }
            }
            Report::Acknowledged(done) => {
                let (barrier, over) = (self.barrier.take(), |counter| counter <= done.counter);
                match barrier {
                    Some((counter, traced)) if over(counter) => {
                        traced.say("align_ms", ms(done.alignment));
                        traced.say("prepare_ms", ms(done.prepare));
                        if let Some(bytes) = done.overtook {
                            traced.say("overtook_bytes", bytes);
                        }
                    }
                    later => self.barrier = later,
                }
            }
            Report::Committed(epoch) => {
                if self.commit.as_ref().is_some_and(|(known, _)| known <= epoch) {
                    self.commit = None;
                }
            }
            Report::SplitsWanted
            | Report::SplitFinished(_)
            | Report::Reached(_)
            | Report::Adopted(_)
            | Report::Left => {}
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
