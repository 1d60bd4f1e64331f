//! Sums go on over attempts, and a vertex of any width keeps to its series.

use std::sync::Arc;
use std::time::Duration;

use dataflow::element::Watermark;
use dataflow::metric::{Bounds, PER_VERTEX_OF_TASKMANAGER, Page};
use dataflow::time::Instant;

use super::*;
use crate::metrics::{of_vertices, steps};

fn now() -> Now {
    Now {
        steady: Instant::from_start(Duration::from_secs(100)),
        wall_ms: 100_000,
    }
}

/// The gauges of a chain of so many steps, each of which has everything that a step can have.
fn gauges(steps: usize, rows: u64) -> Arc<Gauges> {
    let gauges = Gauges::new((0..steps).map(|number| format!("step-{number}")));
    gauges.records_in.add(rows);
    gauges.source_bytes_read.add(1);
    gauges.busy_us.add(rows * 1_000_000);
    for node in &gauges.nodes {
        for count in [
            &node.records_in,
            &node.records_out,
            &node.dropped,
            &node.late,
            &node.dead,
            &node.unfolded,
        ] {
            count.add(rows);
        }
        node.watermark.set(Watermark(40_000));
    }
    Arc::new(gauges)
}

fn counted(vertices: impl IntoIterator<Item = (&'static str, Vec<Arc<Gauges>>)>) -> Counted {
    let mut all = BTreeMap::new();
    for (vertex, subtasks) in vertices {
        let counts: &mut Counts = all.entry(("orders".to_owned(), vertex.to_owned())).or_default();
        for gauges in subtasks {
            counts.add_running(&gauges, now());
        }
        // As if the vertex had channels too: nothing of what there can be is missing.
        counts.fill = Some(Fill::default());
    }
    Counted(all)
}

fn text(counted: &Counted) -> String {
    let mut page = Page::new(Bounds {
        per_vertex: PER_VERTEX_OF_TASKMANAGER,
        series: 10_000,
    });
    of_vertices(&mut page, counted);
    steps::show(&mut page, counted);
    page.finished().text()
}

fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series))?;
    line.trim().parse().ok()
}

#[test]
fn a_vertex_of_a_hundred_steps_and_a_thousand_subtasks_keeps_to_its_series() {
    let subtasks = (0..1_000).map(|_| gauges(100, 3)).collect();
    let text = text(&counted([("wide", subtasks), ("narrow", vec![gauges(2, 1)])]));
    let series = |vertex: &str| text.matches(&format!("vertex=\"{vertex}\"")).count();
    assert!(series("wide") <= PER_VERTEX_OF_TASKMANAGER, "{}", series("wide"));
    assert!(series("wide") > 30, "it shows what there is room for");
    assert_eq!(
        value(&text, "weir_records_in_total{datastream=\"orders\",vertex=\"wide\"}"),
        Some(3_000.0)
    );
    assert_eq!(
        value(&text, "weir_late_records_total{datastream=\"orders\",vertex=\"wide\"}"),
        Some(300_000.0)
    );
    assert_eq!(
        value(
            &text,
            "weir_watermark_lag_seconds{datastream=\"orders\",vertex=\"wide\"}"
        ),
        Some(60.0)
    );
    let left_out = value(&text, "weir_metric_series_left_out");
    assert!(left_out > Some(0.0), "what has no room is counted: {left_out:?}");
    // Two steps have all that a step can have.
    assert_eq!(series("narrow"), 17 + 2 * 7);
}

#[test]
fn a_chain_of_seven_steps_leaves_out_nothing_that_every_step_has() {
    let text = text(&counted([("usual", vec![gauges(7, 1)])]));
    for name in ["records_in_total", "records_out_total"] {
        assert_eq!(text.matches(&format!("weir_step_{name}{{")).count(), 7, "{text}");
    }
    assert_eq!(text.matches("weir_watermark_timestamp_seconds{").count(), 7);
}

#[test]
fn a_wait_that_lasts_counts_while_it_does() {
    use crate::task::gauges::Wait;
    let gauges = gauges(1, 0);
    gauges.wait(&Wait::Sink("out".into()), Instant::from_start(Duration::from_secs(70)));
    let text = text(&counted([("stuck", vec![gauges])]));
    let held_up = "weir_backpressured_seconds_total{datastream=\"orders\",vertex=\"stuck\"}";
    assert_eq!(value(&text, held_up), Some(30.0));
}
