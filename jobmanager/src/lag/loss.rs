//! Rows that came to a point and of which nothing was heard behind it: a difference of numbers, nothing else.
//!
//! ```text
//!   step before ──out──>  in ─ step ─ out + filtered + late + dead
//!                └ edge: out − in ┘  └ step: in − the others ┘
//! ```

use std::collections::BTreeMap;

use dataflow::element::columns::is_timed;
use dataflow::recipe::Port;
use dataflow::tally::{Account, MINUTE_MS, Tallies, Tally};

use planner::job::LossAlarm;

use super::points::{Feeder, Point, Points};
use crate::rest::types::{Loss, LossMinute, Where};

/// When a loss is worth an alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// The share of a minute's rows above which it is.
    pub(crate) share: f64,
    /// How long a minute must be over.
    pub(crate) settle_ms: i64,
}

impl Limits {
    /// Those of a document.
    pub(crate) fn of(alarm: LossAlarm) -> Self {
        Self {
            share: alarm.above,
            settle_ms: i64::try_from(alarm.settle.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// What is missing at every point where anything is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    /// One for each such point, in the order of the graph.
    pub(crate) losses: Vec<Loss>,
}

/// One side of a difference: rows by minute, and all of them.
#[derive(Clone, Debug, Default)]
struct Side {
    minutes: BTreeMap<i64, u64>,
    all: u64,
}

impl Side {
    fn add(&mut self, tally: &Tally, count: impl Fn(&Account) -> u64) {
        for (minute, account) in tally.minutes() {
            let sum = self.minutes.entry(minute).or_default();
            *sum = sum.saturating_add(count(&account));
        }
        self.all = self.all.saturating_add(count(&tally.total()));
    }
}

/// Finds what is missing in these tallies, which are of one cut.
pub(crate) fn find(points: &Points<'_>, tallies: &Tallies, limits: Limits, now_ms: i64) -> Verdict {
    let mut losses = Vec::new();
    for point in &points.steps {
        losses.extend(before(points, point, tallies));
        losses.extend(inside(point, tallies));
    }
    for loss in &mut losses {
        judge(loss, limits, now_ms);
    }
    Verdict { losses }
}

/// What is missing between two steps: the sum of what is missing on the way.
pub(crate) fn between(points: &Points<'_>, verdict: &Verdict, (from, to): (usize, usize)) -> i64 {
    let way = points.way(from, to);
    let names: Vec<&str> = way.iter().map(|step| points.steps[*step].node.name.as_str()).collect();
    let is_on = |loss: &&Loss| match loss.at {
        Where::Step => names.contains(&loss.step.as_str()),
        Where::Before => names[..].contains(&loss.step.as_str()) && Some(&loss.step.as_str()) != names.first(),
    };
    verdict.losses.iter().filter(is_on).map(|loss| loss.lost).sum()
}

/// How two sides are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    /// Minute by minute: both count by the same time.
    ByMinute,
    /// As sums over all minutes.
    AsSums,
}

/// Rows that were given to a step and did not come to it.
fn before(points: &Points<'_>, point: &Point<'_>, tallies: &Tallies) -> Option<Loss> {
    if point.fed.is_empty() || point.multiplied {
        return None;
    }
    let (mut given, mut came) = (Side::default(), Side::default());
    let mut by_minute = point.takes_time();
    for Feeder { step, port } in &point.fed {
        let feeder = &points.steps[*step];
        by_minute &= match port {
            Port::Main => is_timed(&feeder.node.output),
            Port::Late => is_timed(&feeder.node.input),
            Port::Dead => false,
        };
        let buried = feeder.buries_late();
        if let Some(tally) = tallies.get(&feeder.node.name) {
            given.add(tally, |account| match port {
                Port::Main => account.rows_out,
                Port::Late => account.late,
                Port::Dead => account.dead + if buried { account.late } else { 0 },
            });
        }
    }
    if let Some(tally) = tallies.get(&point.node.name) {
        came.add(tally, |account| account.rows_in);
    }
    let compared = if by_minute {
        Compared::ByMinute
    } else {
        Compared::AsSums
    };
    difference((&point.node.name, Where::Before), (&given, &came), compared)
}

/// Rows that came to a step and of which it says nothing.
fn inside(point: &Point<'_>, tallies: &Tallies) -> Option<Loss> {
    if !point.node.recipe.carries_row_by_row() {
        return None;
    }
    let tally = tallies.get(&point.node.name)?;
    let (mut came, mut accounted) = (Side::default(), Side::default());
    came.add(tally, |account| account.rows_in);
    accounted.add(tally, Account::accounted);
    difference((&point.node.name, Where::Step), (&came, &accounted), Compared::ByMinute)
}

fn difference((step, at): (&str, Where), (before, behind): (&Side, &Side), compared: Compared) -> Option<Loss> {
    let mut minutes = Vec::new();
    if compared == Compared::ByMinute {
        for (minute, rows) in &before.minutes {
            let lost = signed(*rows, behind.minutes.get(minute).copied().unwrap_or(0));
            minutes.push(LossMinute {
                minute_ms: minute.saturating_mul(MINUTE_MS),
                rows: *rows,
                lost,
            });
        }
        for (minute, rows) in behind
            .minutes
            .iter()
            .filter(|(minute, _)| !before.minutes.contains_key(minute))
        {
            minutes.push(LossMinute {
                minute_ms: minute.saturating_mul(MINUTE_MS),
                rows: 0,
                lost: signed(0, *rows),
            });
        }
        minutes.retain(|minute| minute.lost != 0);
        minutes.sort_by_key(|minute| minute.minute_ms);
    }
    let lost = signed(before.all, behind.all);
    (lost != 0 || !minutes.is_empty()).then(|| Loss {
        step: step.to_owned(),
        at,
        rows: before.all,
        lost,
        minutes,
        alarm: false,
    })
}

fn signed(before: u64, behind: u64) -> i64 {
    let difference = before.abs_diff(behind);
    let difference = i64::try_from(difference).unwrap_or(i64::MAX);
    if before >= behind { difference } else { -difference }
}

/// Whether somebody must be told.
fn judge(loss: &mut Loss, limits: Limits, now_ms: i64) {
    let much = |rows: u64, lost: i64| lost.unsigned_abs() as f64 > limits.share * rows as f64;
    loss.alarm = if loss.minutes.is_empty() {
        much(loss.rows, loss.lost)
    } else {
        let settled = |minute: &&LossMinute| {
            minute
                .minute_ms
                .saturating_add(MINUTE_MS)
                .saturating_add(limits.settle_ms)
                <= now_ms
        };
        let mut minutes = loss.minutes.iter().filter(settled);
        minutes.any(|minute| much(minute.rows, minute.lost))
    };
}
