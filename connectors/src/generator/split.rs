//! One split of a generator: every n-th group of events, and how fast they may come.

use std::time::Duration;

use dataflow::Failure;
use dataflow::contract::Split;
use dataflow::time::Instant;
use serde::{Deserialize, Serialize};

use crate::coordinates::SplitLabel;

/// What a split is; fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// Which one, from 0.
    pub(super) part: u64,
    /// Of how many.
    pub(super) of: u64,
}

impl Part {
    /// The index in the whole stream of the event at `place` of this split, where groups of `group` events are dealt out in turn.
    pub(super) fn index(self, group: u64, place: u64) -> u64 {
        let turn = (place / group).saturating_mul(self.of).saturating_add(self.part);
        turn.saturating_mul(group).saturating_add(place % group)
    }

    /// The split, at its beginning.
    pub(super) fn split(self) -> Split {
        let spec = serde_json::json!({ "part": self.part, "of": self.of });
        Split {
            id: format!("part-{}-of-{}", self.part, self.of),
            spec,
            position: serde_json::Value::Null,
        }
    }
}

/// A split that is being generated.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) part: Part,
    /// The place of the next event.
    pub(super) next: u64,
    pub(super) label: SplitLabel,
    pub(super) allowance: Option<Allowance>,
    /// The others are to be read first.
    pub(super) is_ahead: bool,
}

impl Held {
    /// Goes on with `split`; `throughput` is that of all splits together.
    pub(super) fn new(split: Split, throughput: Option<f64>, now: Instant) -> Result<Self, Failure> {
        let foreign = |error: serde_json::Error| {
            Failure::bug(format!("the split `{}` was not made by the generator", split.id)).because(&error)
        };
        let part: Part = serde_json::from_value(split.spec).map_err(foreign)?;
        let next: Option<u64> = serde_json::from_value(split.position).map_err(foreign)?;
        if part.of == 0 {
            return Err(Failure::bug(format!("the split `{}` is a part of nothing", split.id)));
        }
        let allowance = throughput.map(|rows| Allowance::new(rows / part.of as f64, now));
        let label = SplitLabel::new(&split.id);
        Ok(Self {
            id: split.id,
            part,
            next: next.unwrap_or(0),
            label,
            allowance,
            is_ahead: false,
        })
    }

    /// The split at the place of the next event.
    pub(super) fn snapshot(&self) -> Split {
        Split {
            position: self.next.into(),
            id: self.id.clone(),
            ..self.part.split()
        }
    }
}

/// Rows are worth waiting for at least this long, so that a slow stream is not a busy loop.
const PAUSE: Duration = Duration::from_millis(5);

/// How many rows may come by now. What was not used is kept for one second only, so that a stall is not followed by a flood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    rows_per_second: f64,
    rows: f64,
    counted: Instant,
}

impl Allowance {
    fn new(rows_per_second: f64, now: Instant) -> Self {
        Self {
            rows_per_second,
            rows: 0.0,
            counted: now,
        }
    }

    /// How many rows may come now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole rows only, and never below zero"
    )]
    pub(super) fn rows(&mut self, now: Instant) -> usize {
        let elapsed = now.since(self.counted).as_secs_f64();
        self.counted = now;
        self.rows = (self.rows + elapsed * self.rows_per_second).min(self.rows_per_second.max(1.0));
        self.rows as usize
    }

    /// Takes `count` rows off.
    pub(super) fn spend(&mut self, count: usize) {
        self.rows -= count as f64;
    }

    /// When the next row may come, or the few that make it worth while.
    pub(super) fn ready(&self) -> Instant {
        let seconds = ((1.0 - self.rows) / self.rows_per_second).max(0.0);
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(3600));
        self.counted + wait.max(PAUSE)
    }
}
