//! When a tap ends, what a slow listener loses, and what its counts say.

use std::time::Duration;

use dataflow::id::{SubtaskId, VertexId};
use dataflow::recipe::Partition;
use dataflow::time::Instant;
use planner::job::JobGraph;
use planner::tap::Refusal;
use tokio::sync::mpsc::Receiver;

use super::{Counts, Piece, Request, TAPS_MAX, Tapped, TappedRow, Taps};
use crate::execution::tests::two_vertices;
use crate::rest::types::TapCount;

const LONG: u32 = 100;

fn graph(width: u32) -> JobGraph {
    two_vertices(width, 1, Partition::Rebalance)
}

fn request(rows: u32, seconds: u32) -> Request {
    Request {
        step: "events".to_owned(),
        condition: None,
        rows,
        seconds,
    }
}

fn at(seconds: u64) -> Instant {
    Instant::from_start(Duration::from_secs(seconds))
}

fn subtask(index: u32) -> SubtaskId {
    SubtaskId {
        vertex: VertexId(0),
        index,
    }
}

fn tapped(tap: u64, index: u32, rows: u64, so_far: u64) -> Tapped {
    let row = |number: u64| TappedRow {
        json: format!("{{\"n\": {number}}}"),
        ..TappedRow::default()
    };
    Tapped {
        generation: dataflow::id::Generation::default(),
        subtask: subtask(index),
        tap,
        rows: (0..rows).map(row).collect(),
        counts: Counts {
            passed: so_far * 100,
            looked_at: so_far * 10,
            failed: so_far,
            matched: so_far * 2,
            shown: so_far,
        },
        failure: Some("no number".to_owned()),
        trouble: None,
    }
}

fn all(pieces: &mut Receiver<Piece>) -> (Vec<String>, Option<TapCount>, Option<String>) {
    let (mut rows, mut count, mut end) = (Vec::new(), None, None);
    while let Ok(piece) = pieces.try_recv() {
        match piece {
            Piece::Open(opened) => assert_eq!(opened.step, "events"),
            Piece::Row(row) => rows.push(row.row.unwrap().get().to_owned()),
            Piece::Count(counted) => count = Some(counted),
            Piece::End(ended) => end = Some(ended.code),
        }
    }
    (rows, count, end)
}

#[test]
fn rows_come_as_they_are_and_counts_of_all_subtasks_together() {
    let mut taps = Taps::default();
    let (tap, mut pieces) = taps.open(&graph(2), request(LONG, LONG), at(0)).unwrap();
    taps.heard(tapped(tap, 0, 2, 2), at(1));
    taps.heard(tapped(tap, 1, 1, 1), at(1));
    assert!(taps.tend(None, at(2)).is_empty());
    let (rows, count, end) = all(&mut pieces);
    assert_eq!((rows.len(), rows[1].as_str(), end), (3, "{\"n\": 1}", None));
    let wanted = TapCount {
        passed: 300,
        looked_at: 30,
        failed: 3,
        failure: Some("no number".to_owned()),
        matched: 6,
        shown: 3,
        dropped: 3,
    };
    assert_eq!(count, Some(wanted));
    // A subtask that begins anew counts from nothing, and nothing is forgotten.
    taps.begins(subtask(0));
    taps.heard(tapped(tap, 0, 0, 1), at(3));
    taps.tend(None, at(4));
    assert_eq!(all(&mut pieces).1.unwrap().passed, 400);
}

#[test]
fn a_tap_ends_with_its_rows_its_time_its_job_or_its_listener() {
    let ends = |rows, seconds, now, over: Option<&str>| {
        let mut taps = Taps::default();
        let (tap, mut pieces) = taps.open(&graph(1), request(rows, seconds), at(0)).unwrap();
        taps.heard(tapped(tap, 0, 5, 5), at(1));
        let ended = taps.tend(over, at(now));
        assert_eq!(ended.is_empty(), !taps.is_empty());
        let (rows, _, end) = all(&mut pieces);
        (rows.len(), end)
    };
    let ended = |code: &str| Some(code.to_owned());
    assert_eq!(ends(3, LONG, 1, None), (3, ended("rows")));
    assert_eq!(ends(LONG, 7, 6, None), (5, None));
    assert_eq!(ends(LONG, 7, 7, None), (5, ended("time")));
    assert_eq!(ends(LONG, LONG, 2, Some("it is finished")), (5, ended("job")));
    let mut taps = Taps::default();
    let (tap, pieces) = taps.open(&graph(1), request(LONG, LONG), at(0)).unwrap();
    drop(pieces);
    taps.heard(tapped(tap, 0, 5, 5), at(1));
    assert_eq!(taps.tend(None, at(1)), [tap]);
}

#[test]
fn a_listener_that_reads_nothing_loses_rows_and_then_its_tap() {
    let mut taps = Taps::default();
    let (tap, mut pieces) = taps.open(&graph(1), request(10_000, LONG), at(0)).unwrap();
    for second in 1..=3 {
        taps.heard(tapped(tap, 0, 200, second * 200), at(second));
    }
    assert!(taps.tend(None, at(11)).is_empty());
    assert_eq!(
        taps.tend(None, at(12)),
        [tap],
        "ten seconds after the first that had no room"
    );
    let (rows, ..) = all(&mut pieces);
    assert_eq!(rows.len(), 255, "what fits beside the first piece");
    // One that reads again has missed some, and is told how many.
    let (tap, mut pieces) = taps.open(&graph(1), request(10_000, LONG), at(20)).unwrap();
    taps.heard(tapped(tap, 0, 300, 300), at(21));
    assert_eq!(all(&mut pieces).0.len(), 255);
    taps.tend(None, at(22));
    let count = all(&mut pieces).1.unwrap();
    assert_eq!((count.shown, count.dropped), (255, 345));
}

#[test]
fn a_wide_step_is_looked_at_in_some_of_its_subtasks_and_only_there() {
    let mut taps = Taps::default();
    let (tap, _pieces) = taps.open(&graph(1_000), request(LONG, 60), at(0)).unwrap();
    let wanted = taps.wanted(tap, None, at(10)).unwrap();
    assert_eq!(
        (wanted.indexes.len(), wanted.indexes[1], wanted.indexes[63]),
        (64, 15, 984)
    );
    assert_eq!((wanted.duration, wanted.rows_per_second), (Duration::from_secs(50), 1));
    assert!(taps.wanted(tap, Some(subtask(16)), at(10)).is_none());
    assert_eq!(taps.wanted(tap, Some(subtask(15)), at(10)).unwrap().indexes, [15]);
    assert!(taps.wanted(tap + 1, None, at(10)).is_none());
}

#[test]
fn taps_are_few_and_end_when_their_step_is_gone() {
    let mut taps = Taps::default();
    let mut pieces: Vec<_> = (0..TAPS_MAX)
        .map(|_| taps.open(&graph(1), request(LONG, LONG), at(0)).unwrap().1)
        .collect();
    assert!(matches!(taps.open(&graph(1), request(LONG, LONG), at(0)), Err(None)));
    let mut other = graph(1);
    other.vertices[0].chain.nodes[0].name = "others".to_owned();
    taps.moved(&other);
    assert_eq!(taps.tend(None, at(1)).len(), TAPS_MAX);
    assert_eq!(all(&mut pieces[0]).2.as_deref(), Some("trouble"));
    let refused = taps.open(&other, request(LONG, LONG), at(1)).unwrap_err();
    assert!(matches!(refused, Some(Refusal::Step { help, .. }) if help == "there are: others, out"));
}
