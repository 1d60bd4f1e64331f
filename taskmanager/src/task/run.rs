//! The loop of a subtask's thread.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use dataflow::contract::Committable;
use dataflow::element::{Barrier, Batch, Element, Watermark};
use dataflow::time::{Clock, Instant};
use dataflow::{Failure, crash};

use super::drift::Drift;
use super::gauges::{Gauges, Wait};
use super::life::{Happened, Life, Status};
use super::mailbox::{Control, Mailbox};
use super::report::{Identity, Report, Reports, moved};
use crate::chain::{Chain, Progress, Signal};
use crate::checkpoint::{Acknowledgement, Acknowledgements, Snapshot, Triggered};
use crate::gate::{self, Gate};
use crate::operators::{self, Moment, Source, SplitChange};
use crate::overtaken::Stow;
use crate::writer::{Notice, Occasion};

/// Operators that want to know the time are told so often at most while rows flow.
const TICK: Duration = Duration::from_millis(1);

/// Where a subtask's elements come from.
pub(crate) enum Input {
    /// From the world.
    Source(Source),
    /// From other subtasks.
    Gate(Box<Gate>),
}

/// What a task is made of.
pub(crate) struct Parts {
    /// Who it is.
    pub(crate) identity: Identity,
    /// Where it is told things.
    pub(crate) mailbox: Mailbox,
    /// Where it tells things.
    pub(crate) reports: Reports,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// What it counts.
    pub(crate) gauges: Arc<Gauges>,
    /// Where its elements come from.
    pub(crate) input: Input,
    /// What it does with them.
    pub(crate) chain: Chain,
    /// Its sinks: node and step.
    pub(crate) sinks: Vec<(usize, String)>,
    /// Its nodes with state: node and step.
    pub(crate) stateful: Vec<(usize, String)>,
    /// What each sink commits again before the first row.
    pub(crate) restored: BTreeMap<usize, Vec<Committable>>,
    /// Rows that a restored barrier had passed in front of sinks, by node.
    pub(crate) unwritten: BTreeMap<usize, Vec<Batch>>,
    /// How far its source may run ahead, where that is bounded.
    pub(crate) drift: Option<Drift>,
    /// Where that goes which barriers overtake; none where they cannot.
    pub(crate) stow: Option<Stow>,
}

/// How far the end of the input has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// There may be more.
    Open,
    /// There is no more, and time has run out: what that makes the operators give is on its way.
    TimeRunsOut,
    /// `End` was sent; it may still wait for credit.
    Sent,
}

/// What came of a task's being played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Played {
    /// It did something.
    Something,
    /// There was nothing to do.
    Nothing,
}

/// One subtask at work.
pub(crate) struct Task {
    pub(super) parts: Parts,
    pub(super) life: Life,
    pub(super) barriers: Acknowledgements,
    /// Sinks that still commit what was restored.
    restoring: usize,
    /// A barrier that the job manager asked for and that has not passed yet.
    pub(super) triggered: Triggered,
    /// A barrier whose place is here, and how long it was aligned. It waits for what the operators hold back to have more of
    /// it together, and then for what stands before it in the outputs: so no barrier ever waits in one.
    pub(super) passing: Option<(Barrier, Duration)>,
    /// A barrier that is not to wait for what stands before it.
    pub(super) overtaking: Option<Barrier>,
    /// How the input comes to its end.
    ending: Ending,
    /// When the operators were last told the time.
    ticked: Instant,
    /// Up to here time is accounted for.
    accounted: Instant,
}

impl Task {
    /// Ready to run.
    pub(crate) fn new(parts: Parts) -> Self {
        let now = parts.clock.now();
        Self {
            life: Life::Restoring,
            barriers: Acknowledgements::new(parts.sinks.iter().cloned(), parts.stateful.iter().cloned()),
            restoring: 0,
            triggered: Triggered::default(),
            passing: None,
            overtaking: None,
            ending: Ending::Open,
            // The operators know the time before the first row.
            ticked: now - TICK,
            accounted: now,
            parts,
        }
    }

    /// Runs to the end of its life. What goes wrong is reported before the channels are dropped, so that the job
    /// manager hears the cause before the neighbours' complaints.
    pub(crate) fn run(mut self) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.live()));
        let failure = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => failure,
            Err(panic) => panicked(panic.as_ref()),
        };
        self.happened(Happened::Failed(failure));
    }

    /// Works without a thread of its own for as long as there is something to do: for a rehearsal, which turns the clock.
    /// Whether there was anything.
    pub(crate) fn play(&mut self) -> Result<Played, Failure> {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if self.life == Life::Restoring {
                self.restore();
            }
            let mut played = Played::Nothing;
            while !self.life.is_over() && self.attend()?.is_none() {
                played = Played::Something;
            }
            self.parts.chain.flush().map(|()| played)
        }));
        outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
    }

    /// When it wants to be played again though nothing comes.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.parts.chain.wake_at()
    }

    /// Event time comes to here, whatever the rows say.
    pub(crate) fn say(&mut self, watermark: Watermark) -> Result<(), Failure> {
        if !self.parts.chain.is_through() || self.parts.chain.held().is_some() {
            return Err(
                Failure::fail("a watermark cannot pass the rows before it that still wait in a step")
                    .help("let time pass before it comes"),
            );
        }
        self.parts.chain.signal(Signal::Watermark(watermark))
    }

    /// Whether the end of its input has left it.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.life, Life::Ended | Life::Over)
    }

    fn live(&mut self) -> Result<(), Failure> {
        self.restore();
        while !self.life.is_over() {
            self.turn()?;
        }
        Ok(())
    }

    fn restore(&mut self) {
        crash::point("restore.before");
        for (node, committables) in std::mem::take(&mut self.parts.restored) {
            if !committables.is_empty() {
                self.restoring += 1;
                self.parts.chain.commit(node, committables, Occasion::Restored);
            }
        }
        for (node, batches) in std::mem::take(&mut self.parts.unwritten) {
            self.parts.chain.restore_writer(node, batches);
        }
        if self.restoring == 0 {
            self.happened(Happened::Restored);
        }
    }

    fn happened(&mut self, happened: Happened) {
        if let Some(status) = self.life.on(happened) {
            if status == Status::Running {
                crash::point("restore.after");
            }
            moved(&self.parts.reports, &self.parts.identity, status);
        }
    }

    pub(super) fn report(&self, report: Report) {
        (self.parts.reports)(&self.parts.identity, report);
    }

    /// Control first, then one step of data, or a sleep.
    fn turn(&mut self) -> Result<(), Failure> {
        match self.attend()? {
            None => self.account(),
            Some(wait) => self.sleep(&wait)?,
        }
        Ok(())
    }

    /// Control first, then one step of data; or what it would have to wait for.
    fn attend(&mut self) -> Result<Option<Wait>, Failure> {
        while let Some(control) = self.parts.mailbox.take() {
            self.on(control)?;
            if self.life.is_over() {
                return Ok(None);
            }
        }
        if self.parts.mailbox.has_overflown() {
            return Err(Failure::bug("more control messages than a subtask's mailbox holds"));
        }
        let now = self.parts.clock.now();
        match self.advance(now)? {
            Some(wait) if self.settles(&wait)? => Ok(None),
            wait => Ok(wait),
        }
    }

    /// Nothing is waiting to come in: whether an operator gives now what it has held back to have more of it together.
    fn settles(&mut self, wait: &Wait) -> Result<bool, Failure> {
        Ok(!wait.is_elsewhere() && self.parts.chain.is_through() && self.parts.chain.settle()?)
    }

    /// The time since it was accounted for last was spent at work.
    fn account(&mut self) {
        let now = self.parts.clock.now();
        self.parts.gauges.spend(None, now.since(self.accounted));
        self.accounted = now;
    }

    fn sleep(&mut self, wait: &Wait) -> Result<(), Failure> {
        self.parts.chain.flush()?;
        self.account();
        self.parts.gauges.wait(wait, self.accounted);
        // Held up, nobody is told the time: what is due would only wait for the same.
        let wake_at = self.parts.chain.wake_at().filter(|_| !wait.is_elsewhere());
        let limit = wake_at.map(|at| at.since(self.accounted).max(TICK));
        self.parts.mailbox.sleep(limit);
        let now = self.parts.clock.now();
        self.parts.gauges.wake(wait, now.since(self.accounted));
        self.accounted = now;
        Ok(())
    }

    /// One step; or what it would have to wait for.
    fn advance(&mut self, now: Instant) -> Result<Option<Wait>, Failure> {
        match self.life {
            Life::Restoring => return Ok(Some(Wait::Restore)),
            Life::Ended => return Ok(Some(Wait::LastRecord)),
            Life::Over => return Ok(None),
            Life::Running => {}
        }
        if self.overtaking.is_some() && self.overtake(now)? {
            return Ok(None);
        }
        if self.ending == Ending::Sent {
            return self.end();
        }
        if let Some((barrier, alignment)) = self.passing {
            return self.wait_to_pass(barrier, alignment, now);
        }
        if let Some(wait) = self.parts.chain.blocked()? {
            return Ok(Some(wait));
        }
        if self.parts.chain.step(now)? == Progress::Moved {
            return Ok(None);
        }
        let held = self.parts.chain.held();
        if self.ending == Ending::TimeRunsOut && held.is_none() {
            self.ending = Ending::Sent;
            self.parts.chain.broadcast(&Element::End, now)?;
            return Ok(None);
        }
        self.parts.chain.flush_due(now)?;
        if now.since(self.ticked) >= TICK && self.parts.chain.is_clocked() {
            return self.tick(now).map(|()| None);
        }
        if let Some(wait) = held {
            let passed = self.pass_barrier(now)?;
            return Ok(Some(wait).filter(|_| !passed));
        }
        match &mut self.parts.input {
            Input::Source(_) => self.read(),
            Input::Gate(gate) => match gate.next(now)? {
                Some(input) => self.take(input).map(|()| None),
                None => Ok(Some(Wait::Input(gate.waits_for()))),
            },
        }
    }

    /// Lets a barrier pass while rows wait in the chain: they are state. Not where some could not even come to wait.
    fn pass_barrier(&mut self, now: Instant) -> Result<bool, Failure> {
        if !self.parts.chain.is_through() {
            return Ok(false);
        }
        let next = match &mut self.parts.input {
            // No barrier comes with the input when that has ended.
            _ if self.ending != Ending::Open => self.triggered.take().map(|barrier| (barrier, Duration::ZERO)),
            Input::Source(_) => self.triggered.take().map(|barrier| (barrier, Duration::ZERO)),
            Input::Gate(gate) => gate
                .next_barrier(now)?
                .map(|aligned| (aligned.barrier, aligned.duration)),
        };
        match next {
            Some(passing) => {
                self.passing = Some(passing);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn tick(&mut self, now: Instant) -> Result<(), Failure> {
        self.ticked = now;
        let moment = Moment {
            instant: now,
            wall: self.parts.clock.wall(),
            held_up: Duration::from_micros(self.parts.gauges.backpressured_us.get()),
        };
        self.parts.chain.tick(moment)
    }

    fn take(&mut self, input: gate::Input) -> Result<(), Failure> {
        let chain = &mut self.parts.chain;
        match input {
            gate::Input::Batch(batch) => chain.enter(batch),
            gate::Input::Watermark(watermark) => chain.signal(Signal::Watermark(watermark)),
            gate::Input::Idle => chain.signal(Signal::Idle),
            gate::Input::Barrier(aligned) => {
                self.passing = Some((aligned.barrier, aligned.duration));
                Ok(())
            }
            gate::Input::End => self.begin_end(),
        }
    }

    fn read(&mut self) -> Result<Option<Wait>, Failure> {
        if let Some(barrier) = self.triggered.take() {
            self.passing = Some((barrier, Duration::ZERO));
            return Ok(None);
        }
        if let Some(slowest) = self.keep_pace() {
            return Ok(Some(Wait::Drift(slowest)));
        }
        let Input::Source(source) = &mut self.parts.input else {
            return Ok(None);
        };
        match source.poll()? {
            operators::Event::Batch(batch) => self.parts.chain.enter(batch)?,
            operators::Event::Finished(split) => {
                source.finished().add(self.barriers.latest(), split.clone());
                self.parts.chain.splits(&SplitChange::Finished(split.clone()));
                self.report(Report::SplitFinished(split));
            }
            operators::Event::Wanting => self.report(Report::SplitsWanted),
            operators::Event::End => self.begin_end()?,
            operators::Event::Wait => return Ok(Some(Wait::Input("input".to_owned()))),
        }
        Ok(None)
    }

    /// Says how far the source has come, and holds what is too far ahead; whom all of it waits for, if it does.
    fn keep_pace(&mut self) -> Option<String> {
        let drift = self.parts.drift.as_mut()?;
        let pace = drift.on(&self.parts.chain.reached());
        if let Some(reached) = pace.say {
            self.report(Report::Reached(reached));
        }
        if let Input::Source(source) = &mut self.parts.input
            && source.hold(&pace.hold)
        {
            self.parts.chain.splits(&SplitChange::Held(pace.hold));
        }
        pace.wait
    }

    /// No row follows: time runs out, and behind what that makes the operators give goes `End`.
    fn begin_end(&mut self) -> Result<(), Failure> {
        if self.parts.drift.is_some() {
            // Whatever is left of it holds up nobody.
            self.report(Report::Reached(None));
        }
        self.ending = Ending::TimeRunsOut;
        self.parts.chain.signal(Signal::Watermark(Watermark::MAX))
    }

    /// Ends once `End` has left by every output.
    fn end(&mut self) -> Result<Option<Wait>, Failure> {
        if let Some(wait) = self.parts.chain.pump()? {
            return Ok(Some(wait));
        }
        self.happened(Happened::InputEnded);
        match self.triggered.take() {
            Some(barrier) => self.checkpoint(barrier, Duration::ZERO).map(|()| None),
            None => Ok(None),
        }
    }

    fn on(&mut self, control: Control) -> Result<(), Failure> {
        match control {
            Control::Cancel => self.happened(Happened::Cancel),
            Control::Release => self.happened(Happened::Released),
            Control::Drain => {
                if let Input::Source(source) = &mut self.parts.input {
                    source.drain();
                }
            }
            Control::Assign { splits, outlook } => {
                if let Input::Source(source) = &mut self.parts.input {
                    let ids = splits.iter().map(|split| split.id.clone()).collect();
                    source.assign(splits, outlook)?;
                    self.parts.chain.splits(&SplitChange::Assigned(ids));
                }
            }
            Control::Bound { until_ms, slowest } => {
                if let Some(drift) = &mut self.parts.drift {
                    drift.bound(until_ms, slowest);
                }
            }
            // Only an ended subtask answers by itself; the others wait for the barrier's place in their data.
            Control::Trigger(barrier) if self.life == Life::Ended => self.checkpoint(barrier, Duration::ZERO)?,
            Control::Trigger(barrier) => self.triggered.ask(barrier),
            Control::Overtake(barrier) => self.told_to_overtake(barrier)?,
            Control::Commit { epoch, counter } => self.commit(epoch, counter),
            Control::Adopt { generation, counter } => self.adopt(generation, counter),
            Control::Notice(node, notice) => self.noticed(node, notice)?,
        }
        Ok(())
    }

    fn noticed(&mut self, node: usize, notice: Notice) -> Result<(), Failure> {
        match notice {
            Notice::Failed(failure) => return Err(failure),
            Notice::Prepared { counter, prepared } => {
                let now = self.parts.clock.now();
                if let Some(acknowledgement) = self.barriers.prepared(node, counter, prepared, now) {
                    self.acknowledge(acknowledgement);
                }
            }
            Notice::Kept { counter, kept } => {
                let now = self.parts.clock.now();
                if let Some(acknowledgement) = self.barriers.kept(node, counter, kept, now) {
                    self.acknowledge(acknowledgement);
                }
            }
            Notice::Stowed { counter, stowed } => {
                let now = self.parts.clock.now();
                if let Some(acknowledgement) = self.barriers.stowed(counter, stowed, now) {
                    self.acknowledge(acknowledgement);
                }
            }
            Notice::Committed {
                occasion: Occasion::Recorded { epoch },
            } => {
                if self.barriers.committed(node, epoch) {
                    self.report(Report::Committed(epoch));
                }
            }
            Notice::Committed {
                occasion: Occasion::Restored,
            } => {
                self.restoring -= 1;
                if self.restoring == 0 {
                    self.happened(Happened::Restored);
                }
            }
        }
        Ok(())
    }

    pub(super) fn acknowledge(&self, acknowledgement: Acknowledgement) {
        self.report(Report::Acknowledged(acknowledgement));
    }

    /// A barrier's place is here: what the operators hold back goes before it, and it passes once all of that has left.
    fn wait_to_pass(&mut self, barrier: Barrier, alignment: Duration, now: Instant) -> Result<Option<Wait>, Failure> {
        if let Some(wait) = self.parts.chain.blocked()? {
            return Ok(Some(wait));
        }
        match self.parts.chain.step(now)? {
            Progress::Moved => return Ok(None),
            // Only time moves it on.
            Progress::Held if now.since(self.ticked) >= TICK => return self.tick(now).map(|()| None),
            Progress::Held => return Ok(self.parts.chain.held()),
            Progress::Through => {}
        }
        if self.parts.chain.settle()? {
            return Ok(None);
        }
        self.parts.chain.flush()?;
        let wait = self.parts.chain.pump()?;
        if wait.is_none() {
            self.passing = None;
            self.checkpoint(barrier, alignment)?;
        }
        Ok(wait)
    }

    /// The barrier passes: on to the neighbours, then into the snapshot. Nothing is under way in the chain.
    fn checkpoint(&mut self, barrier: Barrier, alignment: Duration) -> Result<(), Failure> {
        debug_assert!(self.parts.chain.is_through(), "a barrier does not overtake rows");
        let counter = barrier.id.counter;
        self.triggered.passed(counter);
        if self.barriers.has_seen(counter) {
            return Ok(());
        }
        let now = self.parts.clock.now();
        if self.ending != Ending::Sent {
            self.parts.chain.broadcast(&Element::Barrier(barrier), now)?;
        }
        let done = self.barriers.begin(counter, self.snapshot(), alignment, now);
        crash::point("snapshot.before");
        self.parts.chain.freeze(counter)?;
        self.parts.chain.prepare(barrier);
        self.barriers.spent(counter, self.parts.clock.now().since(now));
        crash::point("snapshot.after");
        if let Some(acknowledgement) = done {
            self.acknowledge(acknowledgement);
        }
        Ok(())
    }

    /// Counts and splits, as they are now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            counts: self.parts.gauges.counts(),
            ..Snapshot::default()
        };
        if let Input::Source(source) = &self.parts.input {
            let splits = source.snapshot();
            if !splits.is_empty() {
                let value = serde_json::to_value(splits).expect("splits hold JSON values");
                snapshot.nodes.insert(source.step().to_owned(), value);
            }
        }
        snapshot
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Failure::bug(format!("a subtask panicked: {text}"))
}
