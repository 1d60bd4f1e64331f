//! The end of a job: written into the ledger, with how it was for whoever asks later.

use std::collections::BTreeMap;
use std::time::Duration;

use dataflow::Failure;
use dataflow::id::JobId;
use dataflow::store::Error as StoreError;
use dataflow::time::{Clock, WallTime};

use super::actor::Actor;
use super::counting::LagAsked;
use super::event::Event;
use super::life::End;
use crate::rest::types::State;
use crate::run::{Run, Runs};
use crate::store::{Entry, Error, Ledger, Standing};

/// So many of the newest minutes of each step are kept of a run.
const MINUTES_KEPT: usize = 60;

const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_LONGEST: Duration = Duration::from_secs(10);

/// How far a run has come, for whoever asks when it is over.
#[derive(Debug)]
pub(super) struct Course {
    /// When it began.
    pub(super) begun: WallTime,
    /// When it came into each state, last.
    pub(super) moved: BTreeMap<State, WallTime>,
    /// When it was over.
    pub(super) ended: Option<WallTime>,
    /// The newest run of this name that is remembered.
    pub(super) newest: Option<u64>,
    /// Whether something became known behind its end.
    pub(super) outdated: bool,
}

impl Course {
    /// It begins now.
    pub(super) fn begin(now: WallTime) -> Self {
        Self {
            begun: now,
            moved: BTreeMap::new(),
            ended: None,
            newest: None,
            outdated: false,
        }
    }
}

impl Actor {
    /// Its run began then; `newest` is the one of this name that is remembered.
    pub(super) fn begin_run(&mut self, begun: WallTime, newest: Option<u64>) {
        self.course.begun = begun;
        self.course.moved.insert(State::Created, begun);
        self.course.newest = newest;
    }

    /// It is over: nothing of it runs any more.
    pub(super) fn conclude(&mut self, end: End) {
        let over = Failure::fail(format!("the datastream is {} before it was done", self.life.state()));
        self.end_change(Err(over.help("submit the changed document when it is to go on")));
        self.abandon_savepoints();
        (self.adoption, self.adopting) = (None, None);
        self.dismiss();
        self.context.cluster.release(&self.job);
        self.context.cluster.leave(&self.job);
        self.traces.is_over();
        let standing = match end {
            End::Finished => Standing::Finished,
            End::Stopped => Standing::Stopped,
            End::Cancelled => Standing::Cancelled,
            End::Failed(Failure { message, help, .. }) => Standing::Failed { message, help },
        };
        let at = self.context.clock.wall();
        self.course.ended = Some(at);
        let (ledger, clock, own) = (
            self.context.ledger.clone(),
            self.context.clock.clone(),
            self.own.clone(),
        );
        let (job, chain, head) = (self.job.clone(), self.chain.clone(), self.coordinator.head());
        let (runs, newest, run) = (self.runs(), self.course.newest, self.leave_behind());
        self.context.scope.run(async move {
            chain.hint(head).await;
            let number = written(&runs, newest, run).await;
            let outcome = ended(&ledger, clock.as_ref(), (&job, standing), (at, number)).await;
            // The job is there as long as anybody asks.
            let _ = own.send(Event::Concluded(outcome)).await;
        });
    }

    pub(super) fn concluded(&mut self, outcome: Result<Entry, Error>) {
        self.concluded = true;
        match outcome {
            Ok(entry) => self.course.newest = entry.run,
            Err(error) => self.say(
                "ERROR",
                format!("the end of the job is not written down: {}", error.failure().message),
            ),
        }
    }

    /// Remembers the run anew where something became known behind its end: that its last savepoint was made.
    pub(super) fn remember_late(&mut self) {
        let Some(ended) = self.course.ended.filter(|_| self.concluded && self.course.outdated) else {
            return;
        };
        self.course.outdated = false;
        let (ledger, job) = (self.context.ledger.clone(), self.job.clone());
        let (runs, newest, run) = (self.runs(), self.course.newest, self.leave_behind());
        self.course.newest = newest.map(|newest| newest + 1).or(Some(0));
        self.context.scope.run(async move {
            if let Some(number) = written(&runs, newest, run).await {
                name_late(&ledger, &job, (ended, number)).await;
            }
        });
    }

    fn runs(&self) -> Runs {
        let context = &self.context;
        Runs::of(&self.job.name, context.store.clone(), context.clock.clone())
    }

    /// How it is, as it will be seen once the end is written down.
    fn leave_behind(&mut self) -> Run {
        let mut datastream = self.describe();
        let (before, state) = (datastream.summary.state, self.life.state());
        let at = self.course.ended.unwrap_or(self.since);
        let mut lines = self.history.lines_after(0);
        if before != state {
            datastream.summary.state = state;
            datastream.summary.since_ms = at.0;
            datastream.moved_ms.insert(state.to_string(), at.0);
            lines.push(self.history.unsaid(at, format!("moved from {before} to {state}")));
        }
        if state == State::Finished {
            for subtask in datastream.vertices.iter_mut().flat_map(|vertex| &mut vertex.subtasks) {
                subtask.state = state.to_string();
            }
        }
        datastream.findings = super::findings::find(&datastream, at);
        Run {
            datastream,
            series: self.series.columns(),
            lag: self.lag(&LagAsked {
                minutes: MINUTES_KEPT,
                between: None,
            }),
            lines,
        }
    }
}

/// The number of a run, if it could be written: it is for people, and no end of a job waits for it.
async fn written(runs: &Runs, newest: Option<u64>, run: Run) -> Option<u64> {
    match runs.write(newest, run).await {
        Ok(number) => {
            runs.sweep(number).await;
            Some(number)
        }
        Err(error) => {
            tracing::warn!(error = error.failure().message, "a run is not remembered");
            None
        }
    }
}

async fn name_late(ledger: &Ledger, job: &JobId, (ended, number): (WallTime, u64)) {
    if let Err(error) = ledger.remember(job, ended, number).await {
        tracing::warn!(
            error = error.failure().message,
            "the last word of a run is not remembered"
        );
    }
}

/// Writes the end. The store may come back: the end of a job is not forgotten for a hiccup.
async fn ended(
    ledger: &Ledger,
    clock: &dyn Clock,
    (job, standing): (&JobId, Standing),
    (at, number): (WallTime, Option<u64>),
) -> Result<Entry, Error> {
    let mut pause = PAUSE_FIRST;
    loop {
        match ledger.set_at(job, standing.clone(), (at, number)).await {
            Err(Error::Store(StoreError::Unknown { .. } | StoreError::Full { .. })) => {
                clock.sleep(pause).await;
                pause = (pause * 2).min(PAUSE_LONGEST);
            }
            outcome => return outcome,
        }
    }
}
