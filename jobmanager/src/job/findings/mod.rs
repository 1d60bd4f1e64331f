//! What holds a datastream up, in sentences: the rules by which an operator reads the numbers, the worst first.
//!
//! Pure: the view of a datastream and the time in, findings out. Nothing is decided from them.

mod loss;
mod evidence;
mod pressure;
mod uneven;

use dataflow::time::WallTime;

use crate::rest::types::{Datastream, Finding, Severity, State};

/// A checkpoint under way is worth a word after this.
const CHECKPOINT_SLOW_MS: u64 = 10_000;
/// So many in a row that were given up are worth a word.
const ABORTED_MANY: usize = 3;
/// Event time that is held back by less is nothing.
const AHEAD_MS: i64 = 60_000;
/// A failure that was overcome is told for so long.
const RECOVERED_MS: i64 = 10 * 60_000;
/// A share of dead letters that is more than the odd bad record.
const DEAD_MANY: f64 = 0.01;

/// Everything that a person should know now.
pub(super) fn find(datastream: &Datastream, now: WallTime) -> Vec<Finding> {
    let state = datastream.summary.state;
    let mut findings: Vec<Finding> = life(datastream).into_iter().collect();
    if matches!(
        state,
        State::Running | State::Finishing | State::Stopping | State::Changing
    ) {
        let bottleneck = pressure::bottleneck(datastream, now);
        let named = bottleneck.as_ref().and_then(|finding| finding.subtask.clone());
        findings.extend(bottleneck);
        findings.extend(pressure::pace(datastream));
        findings.extend(pressure::held(datastream, now));
        findings.extend(watermark(datastream));
        findings.extend(uneven::skew(datastream, named.as_deref()));
        findings.extend(uneven::idle(datastream, now));
        findings.extend(recovered(datastream, now));
    }
    // Behind whoever holds everything up: a checkpoint that waits is mostly a consequence.
    if !state.is_over() {
        findings.extend(checkpoint(datastream));
        findings.extend(given_up(datastream));
    }
    findings.extend(loss::missing(datastream));
    findings.extend(loss::strangers(datastream));
    findings.extend(dead_letters(datastream));
    findings.extend(late(datastream));
    findings.sort_by_key(|finding| finding.severity);
    evidence::add(datastream, &mut findings);
    findings
}

fn finding(severity: Severity, code: &str, text: impl Into<String>) -> Finding {
    Finding {
        severity,
        code: code.to_owned(),
        text: text.into(),
        help: None,
        subtask: None,
        since_ms: None,
        evidence: Vec::new(),
    }
}

/// The reason that its life gives: it failed, starts again, or waits for slots.
fn life(datastream: &Datastream) -> Option<Finding> {
    let summary = &datastream.summary;
    let reason = summary.reason.as_deref()?;
    let (code, severity) = match summary.state {
        State::Failed | State::Failing => ("failed", Severity::Bad),
        State::Restarting => ("restarting", Severity::Bad),
        State::Created | State::Scheduling | State::Deploying => ("waiting", Severity::Bad),
        State::Running | State::Changing | State::Finishing | State::Stopping | State::Cancelling => {
            ("trouble", Severity::Bad)
        }
        State::Finished | State::Stopped | State::Cancelled => ("ended", Severity::Note),
    };
    let text = match summary.state {
        State::Restarting => format!("{reason}; it is being started again, restart {}", summary.restarts),
        _ => reason.to_owned(),
    };
    Some(Finding {
        help: summary.help.clone(),
        since_ms: Some(summary.since_ms),
        ..finding(severity, code, text)
    })
}

/// A checkpoint that takes long, and for whom it waits.
fn checkpoint(datastream: &Datastream) -> Option<Finding> {
    let current = datastream.checkpoints.current.as_ref()?;
    if current.age_ms < CHECKPOINT_SLOW_MS {
        return None;
    }
    let waits = match current.waits_for.is_empty() {
        true => String::new(),
        false => format!(" and waits for {}", current.waits_for.join(", ")),
    };
    let text = format!("the checkpoint under way is {}{waits}", current.phase);
    Some(Finding {
        subtask: current.waits_for.first().cloned(),
        ..finding(Severity::Warning, "checkpoint", text)
    })
}

/// Checkpoints that are given up one after the other.
fn given_up(datastream: &Datastream) -> Option<Finding> {
    let aborted = datastream
        .checkpoints
        .history
        .iter()
        .map_while(|checkpoint| checkpoint.aborted.as_deref());
    let aborted: Vec<&str> = aborted.collect();
    let reason = aborted.first().filter(|_| aborted.len() >= ABORTED_MANY)?;
    let text = format!("the last {} checkpoints were given up: {reason}", aborted.len());
    Some(finding(Severity::Warning, "checkpoints", text))
}

/// Somebody whose event time is far behind the others'.
fn watermark(datastream: &Datastream) -> Option<Finding> {
    let holder = datastream
        .watermark
        .as_ref()
        .filter(|holder| holder.ahead_ms > AHEAD_MS)?;
    let text = format!(
        "{} of `{}` holds event time back: others are up to {} s ahead",
        holder.subtask,
        holder.step,
        holder.ahead_ms / 1_000
    );
    Some(Finding {
        subtask: Some(holder.subtask.clone()),
        help: Some("`idleTimeout` lets time go on without a split that has nothing to say".to_owned()),
        ..finding(Severity::Warning, "watermark", text)
    })
}

/// The last failure, where it was overcome lately.
fn recovered(datastream: &Datastream, now: WallTime) -> Option<Finding> {
    let exception = datastream.exceptions.first()?;
    let took = exception.recovered_ms?;
    if now.0.saturating_sub(exception.at_ms) > RECOVERED_MS {
        return None;
    }
    let text = format!(
        "recovered from epoch {} in {took} ms: {}",
        exception.epoch, exception.message
    );
    Some(Finding {
        subtask: exception.subtask.clone(),
        since_ms: Some(exception.at_ms),
        ..finding(Severity::Note, "recovered", text)
    })
}

fn dead_letters(datastream: &Datastream) -> Option<Finding> {
    let worst = datastream.dead_letters.iter().max_by_key(|letters| letters.count)?;
    let count: u64 = datastream.dead_letters.iter().map(|letters| letters.count).sum();
    let rows = datastream.summary.progress.rows_in;
    let share = if rows == 0 { 1.0 } else { count as f64 / rows as f64 };
    let severity = if share > DEAD_MANY {
        Severity::Warning
    } else {
        Severity::Note
    };
    let text = format!(
        "{count} records went to the dead letters since its last start, most of them at `{}`",
        worst.step
    );
    Some(Finding {
        help: worst.samples.first().cloned(),
        ..finding(severity, "deadLetters", text)
    })
}

fn late(datastream: &Datastream) -> Option<Finding> {
    let steps = || datastream.vertices.iter().flat_map(|vertex| &vertex.steps);
    let count: u64 = steps().map(|step| step.late).sum();
    let worst = steps().max_by_key(|step| step.late).filter(|_| count > 0)?;
    let text = format!("{count} rows came after their time, most of them at `{}`", worst.name);
    Some(finding(Severity::Note, "late", text))
}

#[cfg(test)]
pub(super) mod tests;
