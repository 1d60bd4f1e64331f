//! Where rows wait, and for whom: sinks, vertices that work all the time, state, and rows that are held back on purpose.

use std::time::Duration;

use dataflow::time::WallTime;

use super::finding;
use crate::rest::types::{Datastream, Finding, Severity, Subtask, Vertex};

/// A subtask is held up, or at work, where it is so for this share of its time.
const MUCH: f64 = 0.5;
const BUSY: f64 = 0.8;
const ALL_THE_TIME: f64 = 0.95;
/// One that works this many times as much as the one in the middle has more than its share of the keys.
const UNEVEN: f64 = 3.0;

/// Whoever is behind the back-pressure: a sink that others wait for, a state that is being written, or a vertex that
/// works all the time while those before it wait.
pub(super) fn bottleneck(datastream: &Datastream, now: WallTime) -> Option<Finding> {
    let all = || datastream.vertices.iter().flat_map(|vertex| &vertex.subtasks);
    let pressed = all().filter(|subtask| subtask.backpressured > MUCH).count();
    if pressed == 0 {
        return None;
    }
    let longest = |word: &str| {
        all()
            .filter(|subtask| subtask.backpressured > MUCH && subtask.waits_for.starts_with(word))
            .max_by(|one, other| one.waits_seconds.total_cmp(&other.waits_seconds))
    };
    let of = |subtask: &Subtask, text: String| Finding {
        subtask: Some(subtask.id.clone()),
        since_ms: Some(since(subtask, now)),
        ..finding(Severity::Warning, "backpressure", text)
    };
    if let Some(subtask) = longest("sink ") {
        let sink = subtask.waits_for.trim_start_matches("sink ");
        let text = format!(
            "sink `{sink}` takes rows more slowly than they come: {} waits for it",
            subtask.id
        );
        return Some(Finding {
            help: Some("look at what the sink writes to; the rows wait in bounded memory, nothing is lost".to_owned()),
            ..of(subtask, text)
        });
    }
    if let Some(vertex) = busiest_behind(datastream) {
        return Some(overworked(vertex));
    }
    if let Some(subtask) = longest("state of ") {
        let step = subtask.waits_for.trim_start_matches("state of ");
        return Some(of(subtask, format!("`{step}` waits for its state to be written")));
    }
    let subtask = longest("credit of ")?;
    Some(of(subtask, format!("{} waits for {}", subtask.id, subtask.waits_for)))
}

fn since(subtask: &Subtask, now: WallTime) -> i64 {
    let waits = Duration::try_from_secs_f64(subtask.waits_seconds).unwrap_or_default();
    now.0
        .saturating_sub(i64::try_from(waits.as_millis()).unwrap_or(i64::MAX))
}

/// Of the vertices that work all the time and have somebody waiting before them, the last one.
fn busiest_behind(datastream: &Datastream) -> Option<&Vertex> {
    let is_pressed = |id: &str| {
        let vertex = datastream.vertices.iter().find(|vertex| vertex.id == id);
        vertex.is_some_and(|vertex| vertex.subtasks.iter().any(|one| one.backpressured > MUCH))
    };
    let works = |vertex: &&Vertex| vertex.subtasks.iter().any(|one| one.busy > BUSY);
    let behind = |vertex: &&Vertex| {
        let mut into = datastream.edges.iter().filter(|edge| edge.to == vertex.id);
        into.any(|edge| is_pressed(&edge.from))
    };
    datastream.vertices.iter().rev().filter(works).find(behind)
}

fn overworked(vertex: &Vertex) -> Finding {
    let mut shares: Vec<f64> = vertex.subtasks.iter().map(|subtask| subtask.busy).collect();
    shares.sort_by(f64::total_cmp);
    let middle = shares
        .get(shares.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or_default();
    let busiest = vertex
        .subtasks
        .iter()
        .max_by(|one, other| one.busy.total_cmp(&other.busy));
    let busy = busiest.map_or(0.0, |subtask| subtask.busy);
    let (uneven, help) = match shares.len() > 1 && busy > UNEVEN * middle {
        true => (
            format!(", the others {:.0} %: keys are uneven", middle * 100.0),
            "a few keys have most of the rows; a wider parallelism does not spread one key",
        ),
        false => (String::new(), "`weir rescale` makes it wider"),
    };
    let id = busiest.map(|subtask| subtask.id.clone());
    let text = format!(
        "`{}` is the bottleneck: {} is {:.0} % busy{uneven}",
        vertex.name,
        id.as_deref().unwrap_or(&vertex.id),
        busy * 100.0
    );
    Finding {
        subtask: id,
        help: Some(help.to_owned()),
        ..finding(Severity::Warning, "backpressure", text)
    }
}

/// Who sets the pace where nobody is held up: somebody who works all the time.
pub(super) fn pace(datastream: &Datastream) -> Option<Finding> {
    let all = || datastream.vertices.iter().flat_map(|vertex| &vertex.subtasks);
    if all().any(|subtask| subtask.backpressured > MUCH) {
        return None;
    }
    let busiest = all().max_by(|one, other| one.busy.total_cmp(&other.busy))?;
    if busiest.busy < ALL_THE_TIME {
        return None;
    }
    let has = |vertex: &&Vertex| vertex.subtasks.iter().any(|one| one.id == busiest.id);
    let vertex = datastream.vertices.iter().find(has)?;
    let text = format!("`{}` sets the pace: {} works all the time", vertex.name, busiest.id);
    Some(Finding {
        subtask: Some(busiest.id.clone()),
        help: Some("nobody is held up; `weir rescale` makes it wider where more is to come in".to_owned()),
        ..finding(Severity::Note, "pace", text)
    })
}

/// Rows that are held back on purpose.
pub(super) fn held(datastream: &Datastream, now: WallTime) -> Option<Finding> {
    let all = datastream.vertices.iter().flat_map(|vertex| &vertex.subtasks);
    let held = |subtask: &&Subtask| {
        subtask.backpressured > MUCH
            && (subtask.waits_for.starts_with("rows held back") || subtask.waits_for.contains("maxDrift"))
    };
    let subtask = all.into_iter().find(held)?;
    let text = format!("as its document says, {} waits for {}", subtask.id, subtask.waits_for);
    Some(Finding {
        subtask: Some(subtask.id.clone()),
        since_ms: Some(since(subtask, now)),
        ..finding(Severity::Note, "held", text)
    })
}
