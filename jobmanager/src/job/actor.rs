//! The task of one job: hears events, lets the machines decide, and hands their actions to `performing`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dataflow::id::{Epoch, Generation, JobId, SubtaskId};
use dataflow::store::{Store, Stores};
use dataflow::tally::Tallies;
use dataflow::time::{Clock, Instant, WallTime};
use dataflow::{Disposition, Failure, Registry, Scope, crash, trace};
use tokio::sync::{mpsc, watch};

use super::changing;
use super::counting::Judged;
use super::deployment::Deployment;
use super::ending::Course;
use super::event::{Event, Handle};
use super::history::{Blame, History};
use super::life::{self, Life};
use super::operations::Operations;
use super::saving::Saving;
use super::series::Series;
use super::sweeping;
use super::traces::Traces;
use crate::checkpoint::{self, Config, Coordinator};
use crate::cluster::{Cluster, Report, Reported, SubtaskState};
use crate::execution::attempt::Event as AttemptEvent;
use crate::execution::{ExecutionGraph, expand};
use crate::lag::Lines;
use crate::recover::{Adoption, Found, RestartPolicy};
use crate::rest::types::{Cause, Missing, State, Summary};
use crate::source;
use crate::store::{Amendment, Appended, Chain, Document, Entry, Error, Ledger, Reached, Record, Standing};
use crate::tap::Taps;

/// Events that may wait for a job.
const EVENTS: usize = 4 << 10;

/// Longest pause between two tries at reading a chain.
const BEGIN_PAUSE_MAX: Duration = Duration::from_secs(10);

/// What all jobs of a job manager share.
#[derive(Clone)]
pub struct Context {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Owns the jobs' tasks.
    pub scope: Scope,
    /// The task managers.
    pub cluster: Cluster,
    /// The connectors, for their enumerators.
    pub registry: Arc<Registry>,
    /// Opens the stores that sources name.
    pub stores: Arc<dyn Stores>,
    /// The state folder.
    pub store: Arc<dyn Store>,
    /// What is wished of every datastream.
    pub ledger: Arc<Ledger>,
    /// Counts the deployments of this leader over all jobs, so that no generation repeats.
    pub deployments: Arc<AtomicU32>,
}

impl Context {
    /// A generation that nobody had before.
    #[must_use]
    pub fn next_generation(&self) -> Generation {
        let deployment = self.deployments.fetch_add(1, Ordering::Relaxed) + 1;
        Generation {
            term: self.cluster.identity().term,
            deployment,
        }
    }
}

/// Where a job begins.
#[derive(Debug)]
pub enum Begin {
    /// Its record 0 has just been made.
    New(Box<(Record, Document)>),
    /// Its chain was read; the document is another than the chain's, where given.
    Resume(Box<(Record, Document)>, Option<Box<Document>>),
    /// Its chain is still to be read.
    Recover,
}

/// Starts the task of a job.
#[must_use]
pub fn spawn(context: &Context, job: JobId, begin: Begin, entry: Entry) -> Handle {
    let (own, events) = mpsc::channel(EVENTS);
    let since = context.clock.wall();
    let begun = entry.begun.unwrap_or(since);
    let known = Summary {
        started_ms: Some(begun.0),
        ..Summary::begin(&job.name, job.to_string(), (State::Created, since.0))
    };
    let summary = watch::Sender::new(known);
    let handle = Handle {
        job: job.clone(),
        events: own.clone(),
        summary: summary.subscribe(),
    };
    let scope = context.scope.child(job.to_string());
    let context = Context {
        scope: scope.clone(),
        ..context.clone()
    };
    context.cluster.enroll(job.clone(), own.clone());
    let panicked = summary.clone();
    let asked = trace::current();
    let work = async move {
        let chain = Chain::new(context.store.clone(), job.clone(), context.clock.clone());
        let recovers = matches!(begin, Begin::Recover);
        let cause = Cause::of(&begin);
        let (read, trouble) = read(&context, &chain, begin, &summary).await;
        let mut actor = Actor::new(context, (job, chain), read, (events, own), summary);
        actor.traces = Traces::asked(asked);
        actor.enter_version(cause);
        actor.begin_run(begun, entry.run);
        if recovers {
            actor.look_for_subtasks();
        }
        actor.begin(trouble, &entry.standing);
        actor.run().await;
    };
    scope.spawn(work, move |outcome| {
        if let Err(failure) = outcome {
            tracing::error!(%failure, "the task of a job panicked");
            panicked.send_modify(|summary| {
                summary.state = State::Failed;
                summary.reason = Some(failure.message);
                summary.help = Some(
                    "this is a defect of Weir, please report it; a restart of the job manager takes the job up again"
                        .to_owned(),
                );
            });
        }
    });
    handle
}

/// The head of the chain, with our fence behind it. What may pass is tried until it does.
async fn read(
    context: &Context,
    chain: &Chain,
    begin: Begin,
    summary: &watch::Sender<Summary>,
) -> (Option<(Record, Document)>, Option<Failure>) {
    let (known, amended) = match begin {
        Begin::New(known) => return (Some(*known), None),
        Begin::Resume(known, amended) => (Some(*known), amended.map(|document| *document)),
        Begin::Recover => (None, None),
    };
    let generation = context.next_generation();
    let mut pause = Duration::from_millis(200);
    loop {
        let error = match fenced(
            chain,
            generation,
            known.clone(),
            amended.clone(),
            context.clock.as_ref(),
        )
        .await
        {
            Ok(found) => return (Some(found), None),
            Err(error) => error,
        };
        let failure = error.failure();
        if failure.disposition != Disposition::Retry {
            return (None, Some(failure));
        }
        tracing::warn!(%failure, "the chain of a job cannot be read yet");
        summary.send_modify(|summary| summary.reason = Some(failure.message));
        context.clock.sleep(pause).await;
        pause = (pause * 2).min(BEGIN_PAUSE_MAX);
    }
}

async fn fenced(
    chain: &Chain,
    generation: Generation,
    known: Option<(Record, Document)>,
    amended: Option<Document>,
    clock: &dyn Clock,
) -> Result<(Record, Document), Error> {
    let (head, document) = match known {
        Some(known) => known,
        // A job that stands in the ledger has a record 0: nothing to restore is an error, never an empty start.
        None => chain.head().await?.ok_or_else(|| Error::gap(chain.path(0)))?,
    };
    let amendment = amended.clone().map(|amended| Amendment {
        document: amended,
        replaces: document.graph.clone(),
    });
    crash::point("fence.before");
    let head = chain.fence(head, generation, amendment, clock).await?;
    crash::point("fence.after");
    Ok((head, amended.unwrap_or(document)))
}

/// The task's own state: machines, and what they cannot know.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub(super) struct Actor {
    pub(super) context: Context,
    pub(super) job: JobId,
    pub(super) chain: Chain,
    pub(super) head: Option<Record>,
    pub(super) document: Option<Document>,
    pub(super) execution: ExecutionGraph,
    pub(super) life: Life,
    pub(super) coordinator: Coordinator,
    pub(super) deployment: Option<Deployment>,
    /// The one before, for people who ask what became of it; nothing is decided from it.
    pub(super) past: Option<Deployment>,
    pub(super) seats: crate::cluster::Seats,
    /// Open as long as subtasks of the job that run without a leader may be found.
    pub(super) adoption: Option<Adoption>,
    /// Those who are taken over in place of a deployment.
    pub(super) adopting: Option<Found>,
    /// What is down, or is started anew, while the rest of the job runs on.
    pub(super) mending: BTreeSet<SubtaskId>,
    pub(super) drain: bool,
    pub(super) concluded: bool,
    pub(super) last_reached: Reached,
    pub(super) last_tallies: Tallies,
    /// By what losses are judged.
    pub(super) judged: Option<Judged>,
    pub(super) lost: Option<Missing>,
    pub(super) record_bytes: u64,
    /// Checkpoints that could not be recorded.
    pub(super) unrecorded: u64,
    pub(super) traces: Traces,
    pub(super) record_trouble: Option<Failure>,
    pub(super) failed_at: Option<Instant>,
    pub(super) blame: Blame,
    pub(super) history: History,
    pub(super) series: Series,
    /// How old rows were at each step.
    pub(super) lags: Lines,
    pub(super) taps: Taps,
    /// The deployment that the taps were planned for.
    pub(super) tapped: Generation,
    pub(super) operations: Operations,
    /// The change that is under way.
    pub(super) pending: Option<changing::Pending>,
    /// The savepoints that are under way.
    pub(super) saving: Vec<Saving>,
    pub(super) sweep_at: Instant,
    pub(super) sweep_under_way: bool,
    /// The head when it was swept last.
    pub(super) swept: Epoch,
    pub(super) state: State,
    pub(super) since: WallTime,
    pub(super) course: Course,
    pub(super) summary: watch::Sender<Summary>,
    pub(super) own: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
}

impl Actor {
    fn new(
        context: Context,
        (job, chain): (JobId, Chain),
        read: Option<(Record, Document)>,
        (events, own): (mpsc::Receiver<Event>, mpsc::Sender<Event>),
        summary: watch::Sender<Summary>,
    ) -> Self {
        let (head, document): (Option<Record>, _) = read.unzip();
        let head_reached = head.as_ref().map(|head| head.reached).unwrap_or_default();
        let last_tallies = head
            .as_ref()
            .map(|head| head.tallied.tallies.clone())
            .unwrap_or_default();
        let settings = document
            .as_ref()
            .map(|document| document.graph.settings.clone())
            .unwrap_or_default();
        let execution = document.as_ref().map(|document| expand(&document.graph));
        let epoch = head.as_ref().map(|head| head.epoch).unwrap_or_default();
        // Jitter needs to differ between jobs and starts, nothing more.
        let seed = u64::from(crc32fast::hash(job.to_string().as_bytes())) ^ context.clock.wall().0.unsigned_abs();
        let since = context.clock.wall();
        let sweep_at = sweeping::first(context.clock.now());
        let mut history = History::begin(since);
        history.inherit(head.as_ref().map_or(&[], |head| head.exceptions.as_slice()));
        Self {
            since,
            context,
            job,
            chain,
            head,
            document,
            execution: execution.unwrap_or_default(),
            life: Life::new(RestartPolicy::new(settings.restart, seed)),
            coordinator: Coordinator::new(
                Config::every(settings.checkpoint_interval).overtaking_after(settings.aligned_timeout),
                epoch,
            ),
            deployment: None,
            past: None,
            seats: crate::cluster::Seats::default(),
            adoption: None,
            adopting: None,
            mending: BTreeSet::new(),
            drain: false,
            concluded: false,
            last_reached: head_reached,
            last_tallies,
            judged: None,
            lost: None,
            record_bytes: 0,
            unrecorded: 0,
            traces: Traces::default(),
            record_trouble: None,
            failed_at: None,
            blame: Blame::default(),
            history,
            series: Series::default(),
            lags: Lines::default(),
            taps: Taps::default(),
            tapped: Generation::default(),
            operations: Operations::begin(since),
            pending: None,
            saving: Vec::new(),
            sweep_at,
            sweep_under_way: false,
            swept: epoch,
            state: State::Created,
            course: Course::begin(since),
            summary,
            own,
            events,
        }
    }

    fn begin(&mut self, trouble: Option<Failure>, standing: &Standing) {
        self.drain = *standing == Standing::Draining;
        match trouble {
            Some(failure) => self.step(life::Event::Failed(failure)),
            None => {
                let epoch = self.coordinator.head();
                self.say("INFO", format!("{} begins at {epoch}", self.job));
                self.step(life::Event::Start);
                if *standing == Standing::Stopping {
                    self.step(life::Event::StopAsked);
                }
            }
        }
        self.publish();
    }

    async fn run(mut self) {
        let mut slots = self.context.cluster.changed();
        let clock = self.context.clock.clone();
        loop {
            let deadline = self.deadline();
            let due = async {
                match deadline {
                    Some(deadline) => clock.sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let found = async {
                match &mut self.deployment {
                    Some(deployment) => deployment.reports.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // In one order, so that a simulated run can be repeated; what is rare goes first and starves nobody.
                biased;
                Ok(()) = slots.changed() => self.step(life::Event::SlotsChanged),
                Some(found) = found => self.found(found),
                event = self.events.recv() => match event {
                    Some(event) => self.hear(event),
                    None => return,
                },
                () = due => {}
            }
            self.step(life::Event::Tick);
            self.coordinate(checkpoint::Event::Tick);
            self.look_again();
            self.end_adoption();
            self.settle();
            self.dismiss();
            self.sweep_if_due();
            self.remember_late();
            self.publish();
            self.tend_taps();
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Reported { task_manager, reported } => self.reported(task_manager, reported),
            Event::Gauges(gauges) => {
                let now = self.context.clock.now();
                for (subtask, mut gauges) in gauges {
                    self.hear_of_rows(subtask, &mut gauges);
                    if let Some(deployment) = &mut self.deployment {
                        deployment.observe(subtask, gauges, now);
                    }
                }
            }
            Event::Logged { task_manager, logged } => self.logged(task_manager, logged),
            Event::Tapped(tapped) => self.tapped(tapped),
            Event::TaskManagerLost {
                task_manager,
                incarnation,
                reason,
            } => self.lost(&task_manager, &incarnation, &reason),
            Event::Recorded { record, outcome } => self.recorded(*record, outcome),
            Event::Swept(outcome) => self.swept(outcome),
            Event::Saved { operation, outcome } => self.saved(operation, outcome),
            Event::Amended { record, outcome } => self.amended(*record, outcome),
            Event::RecordTrouble(epoch, failure) => {
                if self.record_trouble.is_none() {
                    self.say(
                        "WARN",
                        format!("the record of {epoch} cannot be written yet: {failure}"),
                    );
                }
                self.record_trouble = Some(failure);
            }
            Event::Concluded(outcome) => self.concluded(outcome),
            Event::Asked(ask) => self.asked(ask),
        }
    }

    fn reported(&mut self, task_manager: String, reported: Reported) {
        let Reported {
            generation,
            subtask,
            attempt,
            report,
        } = reported;
        let is_current = |deployment: &Deployment| {
            deployment.generation == generation && deployment.attempt_of(subtask).as_ref() == Some(&attempt)
        };
        if !self.deployment.as_ref().is_some_and(is_current) {
            return self.heard_of_another(generation, subtask, &report);
        }
        match report {
            Report::State(state) => self.changed(subtask, task_manager, state),
            Report::Acknowledged {
                counter,
                snapshot,
                aligned,
            } => {
                let barrier = dataflow::id::BarrierId { generation, counter };
                self.coordinate(checkpoint::Event::Acknowledged(checkpoint::Acknowledgement {
                    subtask,
                    barrier,
                    snapshot,
                    aligned,
                }));
            }
            Report::Committed(epoch) => {
                self.coordinate(checkpoint::Event::Committed {
                    subtask,
                    epoch: Epoch(epoch),
                });
            }
            Report::Reached(reached_ms) => self.keep_together(subtask, reached_ms),
            Report::SplitsWanted => self.read_on(subtask, source::Event::Wanted(subtask)),
            Report::Adopted(stand) => self.stands(subtask, stand),
            Report::SplitFinished(split) => self.read_on(subtask, source::Event::Finished(subtask, split)),
        }
    }

    fn read_on(&mut self, subtask: SubtaskId, event: source::Event) {
        let actions = self
            .deployment
            .as_mut()
            .map(|deployment| deployment.sources.reader(subtask, event));
        self.assign(actions.unwrap_or_default());
    }

    fn changed(&mut self, subtask: SubtaskId, task_manager: String, state: SubtaskState) {
        let Some(deployment) = &mut self.deployment else { return };
        match state {
            SubtaskState::Running => {
                deployment.on(subtask, AttemptEvent::Running);
                self.tap_again(subtask);
            }
            SubtaskState::Ended => {
                if deployment.on(subtask, AttemptEvent::Ended) {
                    self.coordinate(checkpoint::Event::Ended(subtask));
                }
            }
            SubtaskState::Cancelled => {
                if deployment.on(subtask, AttemptEvent::Cancelled) {
                    let failure = Failure::retry(format!("{subtask} was taken down by {task_manager}"));
                    self.fail_of(&[subtask].into(), failure, self.blame_of(subtask, task_manager));
                }
            }
            SubtaskState::Failed(failure) => {
                if deployment.on(subtask, AttemptEvent::Failed) {
                    let failure = Failure {
                        message: format!("{subtask} on {task_manager}: {}", failure.message),
                        ..failure
                    };
                    self.fail_of(&[subtask].into(), failure, self.blame_of(subtask, task_manager));
                }
            }
        }
    }

    fn found(&mut self, discovered: source::Discovered) {
        match discovered.found {
            Ok(found) => {
                let actions = self
                    .deployment
                    .as_mut()
                    .map(|deployment| deployment.sources.found(&discovered.source, found));
                self.assign(actions.unwrap_or_default());
            }
            Err(failure) => self.fail_source(&discovered.source, failure),
        }
    }

    fn recorded(&mut self, record: Record, outcome: Result<Appended, Error>) {
        self.record_trouble = None;
        let epoch = record.epoch;
        let refusal = match outcome {
            Ok(Appended::Ours) => {
                self.head = Some(record);
                self.coordinate(checkpoint::Event::Recorded(epoch));
                return;
            }
            // Ours by another road: an earlier try that was thought to have failed.
            Ok(Appended::Foreign(found))
                if (found.generation, found.counter) == (record.generation, record.counter) =>
            {
                self.head = Some(*found);
                self.coordinate(checkpoint::Event::Recorded(epoch));
                return;
            }
            #[cfg(feature = "testing")]
            Ok(Appended::Foreign(_)) if crate::testing::is_planted(crate::testing::Mutant::ForeignAdopted) => {
                self.head = Some(record);
                self.coordinate(checkpoint::Event::Recorded(epoch));
                return;
            }
            Ok(Appended::Foreign(found)) => {
                let text = format!(
                    "{epoch} of {} was made by {}, which is not this job manager",
                    self.job, found.generation
                );
                Failure::fail(text)
                    .help("another job manager works on this state folder; this one steps down from the job")
            }
            Err(error) => error.failure(),
        };
        self.unrecorded += 1;
        self.coordinate(checkpoint::Event::Unrecordable(epoch, refusal.message.clone()));
        self.fail(refusal, Blame::default());
    }

    /// What follows from where the attempts are: all run, all have ended, all are gone.
    fn settle(&mut self) {
        let over = self.head.as_ref().is_some_and(|head| head.last);
        let survive = self.life.has_survivors();
        let (started, ended, gone) = match &self.deployment {
            Some(deployment) if survive => (deployment.has_started(), false, deployment.are_gone(&self.mending)),
            Some(deployment) => (deployment.has_started(), deployment.has_ended(), deployment.is_gone()),
            None => (false, false, true),
        };
        if self.life.state() == State::Deploying && started {
            self.step(if over {
                life::Event::AllRepeated
            } else {
                life::Event::AllRunning
            });
        }
        if ended {
            self.step(life::Event::AllEnded);
        }
        if gone && self.life.is_going_down() && self.coordinator.is_settled() {
            if survive {
                return self.step(if over {
                    life::Event::LastIsMade
                } else {
                    life::Event::Gone
                });
            }
            self.last_reached = self.reached();
            self.last_tallies = self.tallies_at_the_end();
            self.past = self.deployment.take();
            self.context.cluster.release(&self.job);
            self.step(life::Event::Gone);
        }
    }
}
