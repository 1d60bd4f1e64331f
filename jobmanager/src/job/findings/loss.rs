//! Rows that are missing: what nobody has left out on purpose, called late or been unable to take.

use super::finding;
use crate::rest::types::{Datastream, Finding, Loss, LossMinute, Severity, Where};

/// The worst of the points where more is missing than is borne, and more than came.
pub(super) fn missing(datastream: &Datastream) -> Vec<Finding> {
    let alarms = || datastream.losses.iter().filter(|loss| loss.alarm);
    let lost = alarms().filter(|loss| amount(loss) > 0).max_by_key(|loss| amount(loss));
    let surplus = alarms().filter(|loss| amount(loss) < 0).min_by_key(|loss| amount(loss));
    lost.map(told).into_iter().chain(surplus.map(told)).collect()
}

/// A subtask that keeps keys of another one: their rows were at two places, and what was computed of them is wrong.
pub(super) fn strangers(datastream: &Datastream) -> Option<Finding> {
    let steps = datastream.vertices.iter().flat_map(|vertex| &vertex.steps);
    let worst = steps
        .filter(|step| step.strangers > 0)
        .max_by_key(|step| step.strangers)?;
    let text = format!(
        "{} changes at `{}` were of keys that another subtask has: rows of one key were at two places",
        worst.strangers, worst.name
    );
    Some(Finding {
        help: Some("what it has written since its last start may be wrong: please report it".to_owned()),
        ..finding(Severity::Bad, "strangers", text)
    })
}

/// What is missing at a point. Where minutes differ and the sum does not, rows have changed their minutes.
fn amount(loss: &Loss) -> i64 {
    match loss.lost {
        0 => loss
            .minutes
            .iter()
            .map(|minute| minute.lost)
            .filter(|lost| *lost > 0)
            .sum(),
        lost => lost,
    }
}

fn told(loss: &Loss) -> Finding {
    let amount = amount(loss);
    let rows = amount.unsigned_abs();
    let share = rows as f64 * 100.0 / loss.rows.max(1) as f64;
    let place = match loss.at {
        Where::Step => format!("in `{}`", loss.step),
        Where::Before => format!("on the way to `{}`", loss.step),
    };
    let what = match amount > 0 {
        true => "rows are missing",
        false => "rows are there that never came",
    };
    let minutes = when(&loss.minutes);
    Finding {
        help: Some(
            "nothing that Weir does on purpose explains it: please report it, with what `weir logs` says".to_owned(),
        ),
        since_ms: loss.minutes.first().map(|minute| minute.minute_ms),
        ..finding(
            Severity::Bad,
            if amount > 0 { "loss" } else { "surplus" },
            format!("{rows} {what} {place}, {share:.1} % of {}{minutes}", loss.rows),
        )
    }
}

/// The first and the last minute, as people write them.
fn when(minutes: &[LossMinute]) -> String {
    let clock = |at_ms: i64| {
        let minute = at_ms.div_euclid(60_000).rem_euclid(24 * 60);
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    match (minutes.first(), minutes.last()) {
        (Some(first), Some(last)) if first == last => format!(", in the minute {} UTC", clock(first.minute_ms)),
        (Some(first), Some(last)) => {
            format!(
                ", in the minutes {} to {} UTC",
                clock(first.minute_ms),
                clock(last.minute_ms)
            )
        }
        _ => String::new(),
    }
}
