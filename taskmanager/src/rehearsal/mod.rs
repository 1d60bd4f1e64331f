//! A whole datastream without threads, with rows and time given by hand: what the tests in a document are run on.
//!
//! ```text
//!   rows, watermarks, time, end ──> Rehearsal ──> every subtask in turn, until nothing moves ──> what each sink was handed
//! ```
//!
//! Enters: a deployment message, as a cluster would send it; rows as records of the sources' formats; the time. Leaves: the
//! rows that each sink would have written. Who calls: `weir test`. Must stay true: what runs is what a task manager runs,
//! from the deployment message on: decoders, operators, partitions, channels, gates and the sinks' queues are the real ones,
//! and only readers and sinks are stood in for; nothing depends on the machine's clock, and nothing leaves the process but
//! what the state spills into the scratch folder. Not here: checkpoints; what stands in a test (planner), what was expected
//! (cli).

mod collected;
mod given;
mod stand_in;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dataflow::element::Watermark;
use dataflow::store::Stores;
use dataflow::time::{Clock as _, Instant, ManualClock};
use dataflow::{Failure, Registry, Scope};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::deploy::{Handle, Site, unthreaded};
use crate::memory::Memory;
use crate::network::{Exchange, Identity};
use crate::operators::Outlook;
use crate::state::Scratch;
use crate::task::mailbox::Control;
use crate::task::{Played, Task};
use collected::Collected;
use given::Given;
use stand_in::{Source, named, stand_in};
pub use wire::Message;

/// The incarnation that the deployment message of a rehearsal names, so that every channel stays in the process.
pub const INCARNATION: &str = "rehearsal";
/// Memory for all of it.
const MEMORY: u64 = 256 << 20;
/// The clock is stopped at most so often on the way that it is asked to go.
const STOPS_MAX: usize = 100_000;
/// So often everybody has a turn before it is said that there will be no end.
const ROUNDS_MAX: usize = 10_000_000;

/// A datastream that is played through by hand.
pub struct Rehearsal {
    players: Vec<Player>,
    sources: BTreeMap<String, Source>,
    collected: BTreeMap<String, Collected>,
    clock: ManualClock,
    scope: Scope,
    runtime: Runtime,
}

/// One subtask.
struct Player {
    handle: Handle,
    task: Task,
    /// The source that it reads, if it reads one.
    source: Option<String>,
    /// Its sinks: node and step.
    sinks: Vec<(usize, String)>,
}

/// What a rehearsal is played in.
pub struct Stage {
    /// The formats; of connectors none is asked.
    pub registry: Registry,
    /// Never opened: for what wants a door all the same.
    pub stores: Arc<dyn Stores>,
    /// The time, which only the rehearsal moves.
    pub clock: ManualClock,
    /// Of one thread, which nobody else uses: what comes of it is the same each time.
    pub runtime: Runtime,
    /// A folder for what does not fit into memory.
    pub scratch: PathBuf,
}

impl Rehearsal {
    /// Brings the subtasks of a deployment to life.
    ///
    /// # Errors
    /// What would fail the deployment: expressions and formats that cannot run.
    pub fn begin(message: Message, stage: Stage) -> Result<Self, Failure> {
        let mut deployment = wire::deployment(message)?;
        // Time is said at once, not as often as is good for the stream.
        deployment.buffer_timeout = Duration::ZERO;
        let (rows, collected) = stand_in(&mut deployment);
        let Stage {
            registry,
            stores,
            clock,
            runtime,
            scratch,
        } = stage;
        let scope = Scope::root("rehearsal", runtime.handle().clone());
        let connectors = vec![given::connector(&rows), collected::connector(&collected)];
        let identity = Identity {
            task_manager: INCARNATION.to_owned(),
            incarnation: INCARNATION.to_owned(),
        };
        let shared = Arc::new(clock.clone());
        let site = Site {
            registry: Registry::new(connectors, registry.formats().to_vec()),
            state_stores: Arc::clone(&stores),
            stores,
            clock: shared.clone(),
            scope: scope.clone(),
            data_runtime: runtime.handle().clone(),
            exchange: Exchange::new(identity, shared, scope.clone()),
            incarnation: INCARNATION.to_owned(),
            memory: Memory::new(MEMORY, 1),
            scratch: Arc::new(Scratch::new(scratch, INCARNATION)),
            // What a subtask has to say is seen when it is played.
            reports: Arc::new(|_, _| {}),
        };
        let named: Vec<_> = deployment.subtasks.iter().map(named).collect();
        let players = unthreaded(deployment, &site)?.into_iter().zip(named);
        let player = |((handle, task), (source, sinks))| Player {
            handle,
            task,
            source,
            sinks,
        };
        let mut rehearsal = Self {
            players: players.map(player).collect(),
            sources: BTreeMap::new(),
            collected,
            clock,
            scope,
            runtime,
        };
        rehearsal.open(rows);
        rehearsal.settle()?;
        Ok(rehearsal)
    }

    /// Every subtask of a source gets a split.
    fn open(&mut self, rows: BTreeMap<String, Given>) {
        for (name, rows) in rows {
            let reads = |(index, player): (usize, &Player)| (player.source.as_deref() == Some(&*name)).then_some(index);
            let subtasks: Vec<usize> = self.players.iter().enumerate().filter_map(reads).collect();
            for (place, index) in subtasks.iter().enumerate() {
                self.players[*index].handle.mail.post(Control::Assign {
                    splits: vec![given::split(place)],
                    outlook: Outlook::Last,
                });
            }
            let source = Source {
                rows,
                subtasks,
                turn: 0,
            };
            self.sources.insert(name, source);
        }
    }

    /// Rows of a source, in order, each as one record of its format, or as the JSON of its columns. Where the source has
    /// several subtasks, they take turns.
    ///
    /// # Errors
    /// No source of this name, rows that are not of its columns, or what would fail a subtask.
    pub fn rows(&mut self, source: &str, records: Vec<Vec<u8>>) -> Result<(), Failure> {
        let Some(found) = self.sources.get_mut(source) else {
            return Err(Failure::bug(format!("there is no source `{source}` in the deployment")));
        };
        let among = found.subtasks.len().max(1);
        for record in records {
            found.rows.push(found.turn % among, record);
            found.turn += 1;
        }
        self.settle()
    }

    /// Event time comes to here, in one source or in all.
    ///
    /// # Errors
    /// Rows that still wait before it, or what would fail a subtask.
    pub fn watermark(&mut self, source: Option<&str>, at_ms: i64) -> Result<(), Failure> {
        let meant = self
            .sources
            .iter()
            .filter(|(name, _)| source.is_none_or(|source| source == name.as_str()));
        let subtasks: Vec<usize> = meant.flat_map(|(_, source)| source.subtasks.iter().copied()).collect();
        for index in subtasks {
            self.players[index].task.say(Watermark(at_ms))?;
        }
        self.settle()
    }

    /// The clock goes on, and stops wherever somebody wants to be told the time.
    ///
    /// # Errors
    /// What would fail a subtask; too many stops on the way.
    pub fn wait(&mut self, time: Duration) -> Result<(), Failure> {
        let end = self.clock.now() + time;
        for _ in 0..STOPS_MAX {
            if self.clock.now() >= end {
                return Ok(());
            }
            self.turn_clock(self.wake_at().map_or(end, |at| at.min(end)))?;
        }
        Err(Failure::fail(format!(
            "the clock was stopped {STOPS_MAX} times on its way of {} ms",
            time.as_millis()
        ))
        .help("let less time pass at once"))
    }

    /// All input is over: time runs out, and whatever waits for the clock has its time.
    ///
    /// # Errors
    /// What would fail a subtask; rows that would wait for ever.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.sources.values().for_each(|source| source.rows.end());
        self.settle()?;
        for _ in 0..STOPS_MAX {
            if self.players.iter().all(|player| player.task.has_ended()) {
                return Ok(());
            }
            let Some(at) = self.wake_at() else {
                return Err(Failure::bug("a subtask waits for nothing and has not ended"));
            };
            self.turn_clock(at)?;
        }
        let text = format!("rows still wait after the clock was stopped {STOPS_MAX} times");
        Err(Failure::fail(text).help("give fewer rows, or let more of them through at once"))
    }

    /// What a sink was handed since it was last asked, in order; none where there is no such sink.
    pub fn take(&mut self, sink: &str) -> Option<Vec<Value>> {
        self.collected.get_mut(sink).map(Collected::take)
    }

    fn wake_at(&self) -> Option<Instant> {
        self.players.iter().filter_map(|player| player.task.wake_at()).min()
    }

    /// It is this late, or at least a millisecond later than it was.
    fn turn_clock(&mut self, to: Instant) -> Result<(), Failure> {
        let way = to.since(self.clock.now());
        self.clock.advance(way.max(Duration::from_millis(1)));
        self.settle()
    }

    /// Plays everybody until nothing moves any more and every sink has what it was handed.
    fn settle(&mut self) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut moved = Played::Nothing;
            for player in &mut self.players {
                if player.task.play()? == Played::Something {
                    moved = Played::Something;
                }
            }
            // The workers of the sinks have a turn.
            self.runtime.block_on(tokio::task::yield_now());
            if moved == Played::Nothing && self.is_written() {
                return Ok(());
            }
        }
        Err(Failure::bug("a rehearsal that does not come to rest"))
    }

    /// Whether the sinks hold every row that their subtasks have counted.
    fn is_written(&self) -> bool {
        let mut sent: BTreeMap<&str, u64> = BTreeMap::new();
        for player in &self.players {
            for (index, step) in &player.sinks {
                *sent.entry(step).or_default() += player.handle.gauges.nodes[*index].records_out.get();
            }
        }
        let written = |(step, rows): (&str, u64)| {
            let collected = self.collected.get(step);
            collected.is_none_or(|collected| collected.count() >= rows)
        };
        sent.into_iter().all(written)
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.scope.cancel();
    }
}
