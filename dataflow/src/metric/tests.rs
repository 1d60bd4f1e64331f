//! The list is in order, and a page keeps its bounds.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

const WIDE: Bounds = Bounds {
    per_vertex: PER_VERTEX,
    series: 1_000,
};

#[test]
fn every_name_is_there_once_and_says_its_unit_and_whether_it_only_grows() {
    let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), ALL.len());
    for metric in ALL {
        let Metric { name, kind, help, .. } = *metric;
        assert!(name.starts_with("weir_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
        for wrong in ["_ms", "_millis", "_us", "_kb", "_mb", "_percent"] {
            assert!(!name.contains(wrong), "{name} is not in base units");
        }
    }
}

#[test]
fn text_has_each_family_once_with_escaped_labels_and_whole_histograms() {
    let mut page = Page::new(WIDE);
    page.number(SLOTS, &["free"], 3.0);
    page.number(LEADER_TERM, &[], 2.0);
    page.number(SLOTS, &["a\"b\\c\nd"], 4.5);
    let histogram = Histogram::new(&[0.1, 1.0]);
    for ms in [50, 100, 900, 5_000] {
        histogram.observe(Duration::from_millis(ms));
    }
    page.buckets(REST_DURATION, &["/v1/cluster"], histogram.buckets());
    let text = page.finished().text();
    assert!(text.contains("weir_slots{kind=\"free\"} 3\nweir_slots{kind=\"a\\\"b\\\\c\\nd\"} 4.5\n"));
    let expected = "# TYPE weir_rest_request_duration_seconds histogram\n\
        weir_rest_request_duration_seconds_bucket{route=\"/v1/cluster\",le=\"0.1\"} 2\n\
        weir_rest_request_duration_seconds_bucket{route=\"/v1/cluster\",le=\"1\"} 3\n\
        weir_rest_request_duration_seconds_bucket{route=\"/v1/cluster\",le=\"+Inf\"} 4\n\
        weir_rest_request_duration_seconds_sum{route=\"/v1/cluster\"} 6.05\n\
        weir_rest_request_duration_seconds_count{route=\"/v1/cluster\"} 4\n";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("weir_metric_series 10\n"), "{text}");
    assert_eq!(text.matches("# TYPE weir_slots ").count(), 1);
}

#[test]
fn a_vertex_has_only_so_many_series_and_what_is_left_out_is_counted() {
    let mut page = Page::new(Bounds {
        per_vertex: 10,
        series: 1_000,
    });
    for step in 0..20 {
        page.number(STEP_IN, &["orders", "a", &step.to_string()], 1.0);
    }
    page.number(STEP_IN, &["orders", "b", "x"], 1.0);
    page.number(SUBTASK_IN, &["orders", "a", "sub-0.0"], 1.0);
    let text = page.finished().text();
    assert_eq!(text.matches("vertex=\"a\",step=").count(), 10);
    assert!(text.contains("vertex=\"b\"") && text.contains("sub-0.0"), "{text}");
    assert!(text.contains("weir_metric_series_left_out 10\n"), "{text}");
}

#[test]
fn a_page_has_only_so_many_series_whatever_is_added() {
    let mut page = Page::new(Bounds {
        per_vertex: 10,
        series: 100,
    });
    for datastream in 0..1_000 {
        page.number(RESTARTS, &[&datastream.to_string()], 0.0);
    }
    let text = page.finished().text();
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 100);
    assert!(text.contains("weir_metric_series_left_out 902\n"), "{text}");
}
