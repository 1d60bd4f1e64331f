//! Folds the rows of each key: in windows, in sessions, or for ever as a stream of changes.
//!
//! ```text
//!   batch ── arguments: expressions, once each ──> Input ──> Panes     windows of panes: fixed, sliding, cumulative, all
//!              └── failed rows: dead letters                 Sessions  windows of each key's own
//!                                                            Updating  no windows: before and after
//! ```
//!
//! The half of the work in front of a shuffle, where the planner has parted it, is an operator of its own (partial).
//!
//! Enters: batches, watermarks, the time. Leaves: results in batches, one for each pull; late rows; dead letters. Must
//! stay true: a row counts in every window it belongs to that is not closed, and in no other; no window fires twice but
//! for late rows; what is folded in any batches comes to the same. Not here: how values are folded (accumulate), where
//! state goes (state).

mod accumulate;
mod arguments;
mod input;
mod frames;
mod reached;
mod results;
mod body;
mod fresh;
mod panes;
mod members;
mod sessions;
mod updating;
mod apart;
mod partial;
#[cfg(test)]
mod tests;

pub(super) use reached::{Reached, Span};

use std::sync::Arc;
use std::time::Duration;

use dataflow::Failure;
use dataflow::element::{Batch, Watermark};
use dataflow::recipe::{self, Clocked, Node, Phase};
use dataflow::time::Instant;
use serde::{Deserialize, Serialize};

use super::late::LateRows;
use super::{Emitted, Ground, Moment, Operator, Outbox};
use crate::chain::dead::DeadLetters;
use crate::state::Cut;
use accumulate::{Layout, Shape};
use apart::Shared;
use body::Body;
use input::{Letters, Reading};
use partial::Partial;
use results::Results;

/// An aggregate at work.
pub(super) struct Aggregate {
    reading: Reading,
    body: Body,
    results: Results,
    shape: Arc<Shape>,
    clock: Clock,
    late: LateRows,
    /// It is the second half: what it would call late rows, nobody could read.
    counts_late: bool,
    dead: DeadLetters,
    outbox: Outbox,
}

/// Whose time it is, and how late it is.
struct Clock {
    by_clock: bool,
    early: Option<Duration>,
    /// When early results are given next.
    early_at: Option<Instant>,
    now: Moment,
    /// The time of rows that come: the clock's, but never before what was reached, though the clock is set back.
    wall: i64,
}

/// What is in a snapshot beside the keys' entries.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    /// The layouts that values have had.
    layouts: Vec<Layout>,
    /// How far time had come.
    #[serde(default)]
    reached: Vec<Span>,
    /// The latest event time that was seen.
    #[serde(default)]
    latest: Option<i64>,
    /// Which measures share tables of distinct values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    apart: Shared,
}

/// What notes say beside the layouts.
struct Known {
    past: Past,
    apart: Shared,
}

/// What is known of time.
struct Past {
    reached: Reached,
    latest: i64,
}

/// What the notes of a snapshot come to.
fn notes(node: &Node, ground: &Ground<'_>) -> Result<(Vec<Layout>, Known), Failure> {
    let (mut layouts, mut spans, mut latest): (Vec<Layout>, _, _) = (Vec::new(), Vec::new(), i64::MIN);
    let mut apart = Shared::new();
    for note in &ground.restored.notes {
        let note = Note::deserialize(note)
            .map_err(|error| Failure::fail(format!("the state of `{}` cannot be read", node.name)).because(&error))?;
        // All subtasks of a step have had the same layouts.
        if note.layouts.len() > layouts.len() {
            layouts = note.layouts;
        }
        // And have shared the same tables.
        if note.apart.len() > apart.len() {
            apart = note.apart;
        }
        spans.extend(note.reached);
        latest = latest.max(note.latest.unwrap_or(i64::MIN));
    }
    let reached = Reached::restore(spans, &ground.groups);
    let past = Past { reached, latest };
    Ok((layouts, Known { past, apart }))
}

/// What comes alive from an aggregate's recipe.
pub(super) fn build(
    recipe: &recipe::Aggregate,
    node: &Node,
    ground: &Ground<'_>,
) -> Result<Box<dyn Operator>, Failure> {
    Ok(match recipe.phase {
        Phase::Partial => Box::new(Partial::build(recipe, node, ground)?),
        Phase::Whole | Phase::Final => Box::new(Aggregate::build(recipe, node, ground)?),
    })
}

impl Aggregate {
    fn build(recipe: &recipe::Aggregate, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let (layouts, known) = notes(node, ground)?;
        let reading = Reading::new(recipe, node)?;
        let mut layout = reading.layout();
        if recipe.window.is_none() && recipe.phase == Phase::Whole {
            let counted = layout.iter_mut().zip(&recipe.measures);
            counted.for_each(|(measured, measure)| measured.apart = apart::is_counted(measure));
        }
        let shape = Arc::new(Shape::new(layout, layouts)?);
        let window = recipe.window.as_ref();
        let wall = known.past.reached.furthest().saturating_add(1).max(0);
        Ok(Self {
            reading,
            body: Body::new(recipe, &shape, known, ground)?,
            results: Results::new(recipe, node)?,
            shape,
            clock: Clock {
                by_clock: window.is_some_and(|window| window.clock == Clocked::Processing),
                early: window
                    .and_then(|window| window.emit_every_ms)
                    .map(Duration::from_millis),
                early_at: None,
                now: Moment::default(),
                wall,
            },
            late: LateRows::new(node, ground),
            counts_late: recipe.phase == Phase::Final,
            dead: ground.dead_letters(),
            outbox: Outbox::default(),
        })
    }
}

impl Operator for Aggregate {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        for part in self.reading.parts(batch.records())? {
            let mut letters = Letters {
                dead: &self.dead,
                outbox: &mut self.outbox,
                shape: &self.shape,
            };
            let input = self.reading.read(&part, self.clock.wall, &mut letters)?;
            if input.keys.is_empty() {
                continue;
            }
            let (rows, late) = self.body.fold(&input, &self.results)?;
            rows.into_iter().for_each(|rows| self.outbox.main(rows));
            if self.counts_late {
                self.late
                    .count(late.iter().map(|late| input.content.weight(late.row)).sum());
            } else {
                self.late.send(&input.records, late, &mut self.outbox)?;
            }
        }
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        if let Some(emitted) = self.outbox.take() {
            return Ok(Some(emitted));
        }
        if let Some(rows) = self.body.pull(&self.results)? {
            self.outbox.main(rows);
        }
        Ok(self.outbox.take())
    }

    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        // By the clock, only the end of all input is time.
        if !self.clock.by_clock || watermark == Watermark::MAX {
            self.body.reach(watermark.0);
        }
        Ok(())
    }

    fn is_clocked(&self) -> bool {
        self.clock.by_clock || self.clock.early.is_some()
    }

    fn wake_at(&self) -> Option<Instant> {
        let early = self.clock.early_at.filter(|_| self.body.is_fresh());
        let end = self.body.next_end().filter(|_| self.clock.by_clock);
        let end = end.map(|end| {
            let left = u64::try_from(end.saturating_sub(self.clock.wall)).unwrap_or(0);
            self.clock.now.instant + Duration::from_millis(left)
        });
        [early, end].into_iter().flatten().min()
    }

    fn tick(&mut self, now: Moment) -> Result<(), Failure> {
        self.clock.now = now;
        self.clock.wall = self.clock.wall.max(now.wall.0);
        if self.clock.by_clock {
            // Rows may come at this very instant.
            self.body.reach(self.clock.wall - 1);
        }
        if let Some(every) = self.clock.early {
            let at = *self.clock.early_at.get_or_insert(now.instant + every);
            if at <= now.instant {
                self.clock.early_at = Some(now.instant + every);
                self.body.early()?;
            }
        }
        Ok(())
    }

    fn freeze(&mut self, cut: &mut Cut) -> Result<(), Failure> {
        let mut note = Note {
            layouts: self.shape.layouts().to_vec(),
            ..Note::default()
        };
        if let Some(past) = self.body.freeze(cut) {
            note.reached = past.reached.spans();
            note.latest = Some(past.latest).filter(|latest| *latest > i64::MIN);
        }
        note.apart = self.body.apart();
        let note = serde_json::to_value(note);
        cut.note(note.map_err(|error| Failure::bug("a note that is not JSON").because(&error))?);
        Ok(())
    }
}
