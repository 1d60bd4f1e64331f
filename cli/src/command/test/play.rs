//! Plays one test: what is given goes into a rehearsal, and what comes out is compared.

use std::path::Path;

use dataflow::Failure;
use dataflow::id::{Epoch, Generation, JobId};
use dataflow::time::{ManualClock, WallTime};
use jobmanager::cluster::{Seat, Seats};
use jobmanager::deploy::{Plan, dispatch};
use jobmanager::execution::expand;
use jobmanager::restore::Restoration;
use planner::job::JobGraph;
use planner::spec::{Act, Expected, Given, Span, Spanned, Test};
use taskmanager::rehearsal::{INCARNATION, Rehearsal, Stage};

use super::compare::{self, Mismatch};
use crate::planning::Rehearsable;
use crate::wiring::{self, Parts};

/// Midnight of 2026-01-01: the time of day at which a test begins that does not say another.
const CLOCK: i64 = 1_767_225_600_000;

/// What came of a test.
pub(super) enum Outcome {
    /// Everything is as expected.
    Passed,
    /// Something is not.
    Failed(Vec<Mismatch>),
    /// It could not be played to its end: why, and what to do.
    Stopped(String, Option<String>),
}

/// Brings the datastream to life, by the way that a cluster takes: expanded, seated, dispatched, deployed.
pub(super) fn begin(test: &Test, graph: &JobGraph, parts: &Parts, scratch: &Path) -> Result<Rehearsal, Failure> {
    let job = JobId {
        name: graph.name.clone(),
        life: 1,
    };
    let execution = expand(graph);
    let seat = Seat {
        task_manager: INCARNATION.to_owned(),
        incarnation: INCARNATION.to_owned(),
        data_address: String::new(),
    };
    let subtasks = execution.subtasks.iter().map(|subtask| (subtask.id, seat.clone()));
    let seats = Seats {
        subtasks: subtasks.collect(),
    };
    let plan = Plan {
        job: &job,
        graph,
        execution: &execution,
        seats: &seats,
        epoch: Epoch(0),
        restoration: &Restoration::default(),
        state_url: "",
    };
    let generation = Generation { term: 1, deployment: 1 };
    let message = dispatch(plan, generation).remove(&seat);
    let clock = test.clock.map_or(CLOCK, |clock| clock.value);
    let stage = Stage {
        registry: parts.catalog.registry().clone(),
        stores: parts.stores.clone(),
        clock: ManualClock::at(WallTime(clock)),
        runtime: wiring::rehearsal_runtime()?,
        scratch: scratch.to_owned(),
    };
    Rehearsal::begin(
        message.ok_or_else(|| Failure::bug("a datastream without subtasks"))?,
        stage,
    )
}

/// Plays the acts; what is not as expected.
pub(super) fn play(mut rehearsal: Rehearsal, test: &Test, datastream: &Rehearsable) -> Result<Vec<Mismatch>, Failure> {
    let mut mismatches = Vec::new();
    for act in &test.acts {
        for given in &act.given {
            give(&mut rehearsal, given, datastream)?;
        }
        judge(&mut rehearsal, act, (test.name.span, datastream), &mut mismatches)?;
    }
    Ok(mismatches)
}

fn give(rehearsal: &mut Rehearsal, given: &Given, datastream: &Rehearsable) -> Result<(), Failure> {
    match given {
        Given::Rows { source, rows, .. } => {
            let source = the_one(source.as_ref(), &datastream.sources)?;
            rehearsal.rows(source, rows.iter().map(|row| row.value.bytes()).collect())
        }
        Given::Watermark { source, at } => {
            let source = source.as_ref().map(|source| source.value.as_str());
            rehearsal.watermark(source, at.value)
        }
        Given::Wait(time) => rehearsal.wait(time.value),
        Given::End(_) => rehearsal.end(),
    }
}

/// What came since the act before. Dead letters that nobody expects are a mismatch too; sinks that are not named wait.
fn judge(
    rehearsal: &mut Rehearsal,
    act: &Act,
    (name, datastream): (Span, &Rehearsable),
    mismatches: &mut Vec<Mismatch>,
) -> Result<(), Failure> {
    let mut asked = false;
    for expected in &act.expected {
        match expected {
            Expected::Rows { sink, rows, order, key } => {
                let sink = the_one(sink.as_ref(), &datastream.sinks)?;
                let came = rehearsal.take(sink).unwrap_or_default();
                mismatches.extend(compare::rows(&format!("rows of `{sink}`"), (*key, rows), came, *order));
            }
            Expected::DeadLetters { letters, key } => {
                asked = true;
                let came = rehearsal.take(planner::job::DEAD_LETTER).unwrap_or_default();
                mismatches.extend(compare::letters(*key, letters, came));
            }
        }
    }
    if !asked {
        let came = rehearsal.take(planner::job::DEAD_LETTER).unwrap_or_default();
        mismatches.extend(compare::letters(name, &[], came));
    }
    Ok(())
}

/// The name that was written, or the only one there is.
fn the_one<'a>(written: Option<&'a Spanned<String>>, known: &'a [String]) -> Result<&'a str, Failure> {
    let only = known.first().filter(|_| known.len() == 1).map(String::as_str);
    let name = written.map(|written| written.value.as_str()).or(only);
    name.ok_or_else(|| Failure::bug("a test that names no source or sink was not refused"))
}
