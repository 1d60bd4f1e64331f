//! What the job manager measures, as samples of the one list (`dataflow::metric`): the cluster, REST, every datastream, and
//! of each vertex what only somebody knows who sees all its subtasks. What subtasks count is told by their task managers.

use std::collections::BTreeMap;
use std::sync::Arc;

use dataflow::metric::{
    BUILD_INFO, Bounds, CHECKPOINT_AGE, CHECKPOINT_DURATION, CHECKPOINT_PHASE, CHECKPOINT_SIZE, CHECKPOINTS,
    DATASTREAM_RATE, DATASTREAM_SUBTASKS, EPOCH, FRESHNESS, LAG, LEADER_TERM, LOSS_ALARM, LOST, MESSAGES_DROPPED,
    PER_VERTEX_OF_JOBMANAGER, PROGRESS_BYTES, PROGRESS_RECORDS, Page, REST_LISTENERS, RESTARTS, SLOTS, STATE,
    TASKMANAGER_SILENT, TASKMANAGERS, VERTEX_BUSY, VERTEX_PARALLELISM, VERTEX_PRESSED, VERTEX_RATE, Wanted, process,
};
use dataflow::time::Clock;

use crate::cluster::Cluster;
use crate::job::Measured;
use crate::jobs::Jobs;
use crate::rest::types::{self, Checkpoint, State, Summary};
use crate::rest::{Requests, Streams};

const STATES: [State; 14] = [
    State::Created,
    State::Scheduling,
    State::Deploying,
    State::Running,
    State::Restarting,
    State::Changing,
    State::Finishing,
    State::Finished,
    State::Stopping,
    State::Stopped,
    State::Cancelling,
    State::Cancelled,
    State::Failing,
    State::Failed,
];

/// What pages are made of.
#[derive(Clone)]
pub struct Source {
    /// The datastreams.
    pub jobs: Jobs,
    /// The task managers.
    pub cluster: Cluster,
    /// The requests to REST.
    pub requests: Arc<Requests>,
    /// Who listens to what changes.
    pub streams: Streams,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How much is shown.
    pub wanted: Wanted,
}

impl Source {
    /// How everything is now. A datastream that does not answer shows what its summary says.
    pub async fn page(self) -> Page {
        let mut page = Page::new(Bounds {
            per_vertex: PER_VERTEX_OF_JOBMANAGER,
            series: self.wanted.series,
        });
        let measured = self.jobs.measured().await;
        let now_ms = self.clock.wall().0;
        process::measure(&mut page);
        of_the_cluster(&mut page, &self.cluster.describe(), self.cluster.dropped());
        page.count(REST_LISTENERS, &[], self.streams.listeners() as u64);
        self.requests.show(&mut page);
        let datastreams = self.jobs.list();
        for one in &datastreams {
            of_a_datastream(&mut page, one, now_ms);
        }
        for one in &datastreams {
            of_checkpoints(&mut page, one, measured.get(&one.name), now_ms);
        }
        of_rows(&mut page, &measured);
        of_vertices(&mut page, &measured);
        page.finished()
    }
}

fn of_the_cluster(page: &mut Page, cluster: &types::Cluster, dropped: u64) {
    page.number(BUILD_INFO, &[&cluster.build, "jobmanager"], 1.0);
    page.count(MESSAGES_DROPPED, &[], dropped);
    page.count(LEADER_TERM, &[], cluster.term);
    page.count(TASKMANAGERS, &[], cluster.task_managers.len() as u64);
    page.number(SLOTS, &["all"], f64::from(cluster.slots));
    page.number(SLOTS, &["free"], f64::from(cluster.slots_free));
    for one in &cluster.task_managers {
        page.number(TASKMANAGER_SILENT, &[&one.name], one.silent_ms as f64 / 1e3);
    }
}

fn of_a_datastream(page: &mut Page, one: &Summary, now_ms: i64) {
    let name = one.name.as_str();
    for state in STATES {
        page.number(
            STATE,
            &[name, &state.to_string()],
            f64::from(u8::from(one.state == state)),
        );
    }
    page.count(RESTARTS, &[name], one.restarts);
    page.number(DATASTREAM_SUBTASKS, &[name, "all"], f64::from(one.subtasks));
    page.number(DATASTREAM_SUBTASKS, &[name, "running"], f64::from(one.subtasks_running));
    page.count(PROGRESS_RECORDS, &[name, "sources"], one.progress.rows_in);
    page.count(PROGRESS_RECORDS, &[name, "sinks"], one.progress.rows_out);
    page.count(PROGRESS_BYTES, &[name], one.progress.bytes_read);
    page.number(DATASTREAM_RATE, &[name, "sources"], one.progress.rows_in_rate);
    page.number(DATASTREAM_RATE, &[name, "sinks"], one.progress.rows_out_rate);
    page.count(EPOCH, &[name], one.epoch);
    if let Some(watermark) = one.watermark_ms {
        page.number(FRESHNESS, &[name], seconds(now_ms.saturating_sub(watermark)));
    }
}

fn of_checkpoints(page: &mut Page, one: &Summary, measured: Option<&Measured>, now_ms: i64) {
    let Some(measured) = measured else { return };
    let name = one.name.as_str();
    for (result, count) in [
        ("completed", measured.completed),
        ("aborted", measured.aborted),
        ("failed", measured.failed),
    ] {
        page.count(CHECKPOINTS, &[name, result], count);
    }
    if let Some(last) = &measured.last {
        of_the_last(page, name, last);
    }
    let over = |last: &Checkpoint| Some(last.triggered_ms + i64::try_from(last.duration_ms).ok()?);
    let committed_ms = measured.last.as_ref().and_then(over);
    if !one.state.is_over() {
        let since = committed_ms.unwrap_or(one.since_ms);
        page.number(CHECKPOINT_AGE, &[name], seconds(now_ms.saturating_sub(since).max(0)));
    }
}

fn of_the_last(page: &mut Page, name: &str, last: &Checkpoint) {
    let ms = |count: u64| count as f64 / 1e3;
    page.number(CHECKPOINT_DURATION, &[name], ms(last.duration_ms));
    let parts = [
        ("collect", last.collect_ms),
        ("record", last.record_ms),
        ("commit", last.commit_ms),
    ];
    for (phase, took) in parts {
        page.number(CHECKPOINT_PHASE, &[name, phase], ms(took));
    }
    if let Some(split) = &last.split {
        let within = [
            ("start", split.start_us),
            ("align", split.alignment_us),
            ("sync", split.sync_us),
            ("upload", split.upload_us),
        ];
        for (phase, took) in within {
            page.number(CHECKPOINT_PHASE, &[name, phase], took as f64 / 1e6);
        }
    }
    page.count(CHECKPOINT_SIZE, &[name, "full"], last.bytes + last.state_bytes);
    page.count(CHECKPOINT_SIZE, &[name, "incremental"], last.bytes + last.written_bytes);
}

/// How old rows are at the sinks, and what is missing there.
fn of_rows(page: &mut Page, measured: &BTreeMap<String, Measured>) {
    for (name, one) in measured.iter().filter(|(_, one)| one.last.is_some()) {
        page.number(LOST, &[name], one.lost as f64);
        page.number(LOSS_ALARM, &[name], f64::from(u8::from(one.alarm)));
        for (percentile, age) in ["50", "95", "99"].into_iter().zip(one.ages_ms) {
            if let Some(age) = age {
                page.number(LAG, &[name, percentile], seconds(age));
            }
        }
    }
}

fn of_vertices(page: &mut Page, measured: &BTreeMap<String, Measured>) {
    for (name, one) in measured {
        for vertex in &one.vertices {
            let labels = [name.as_str(), vertex.name.as_str()];
            page.number(VERTEX_PARALLELISM, &labels, f64::from(vertex.parallelism));
            for (metric, (most, least)) in [
                (VERTEX_BUSY, vertex.busy),
                (VERTEX_PRESSED, vertex.backpressured),
                (VERTEX_RATE, vertex.rate),
            ] {
                page.number(metric, &[labels[0], labels[1], "max"], most);
                page.number(metric, &[labels[0], labels[1], "min"], least);
            }
        }
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use dataflow::metric::PER_VERTEX;

    use super::*;
    use crate::job::measure::Vertex;
    use crate::rest::types::Split;

    fn summary() -> Summary {
        Summary {
            watermark_ms: Some(40_000),
            ..Summary::begin("orders", "orders@1".to_owned(), (State::Running, 30_000))
        }
    }

    fn text(measured: &Measured, one: &Summary) -> String {
        let mut page = Page::new(Bounds {
            per_vertex: PER_VERTEX_OF_JOBMANAGER,
            series: 10_000,
        });
        of_a_datastream(&mut page, one, 100_000);
        of_checkpoints(&mut page, one, Some(measured), 100_000);
        let all = [(one.name.clone(), measured.clone())].into();
        of_rows(&mut page, &all);
        of_vertices(&mut page, &all);
        page.finished().text()
    }

    #[test]
    fn a_state_is_one_of_a_set_and_freshness_is_now_minus_the_watermark() {
        let text = text(&Measured::default(), &summary());
        let states = text.lines().filter(|line| line.starts_with("weir_datastream_state{"));
        assert_eq!(states.clone().count(), 14);
        let set: Vec<_> = states.filter(|line| line.ends_with(" 1")).collect();
        assert_eq!(
            set,
            ["weir_datastream_state{datastream=\"orders\",state=\"running\"} 1"]
        );
        assert!(
            text.contains("weir_freshness_seconds{datastream=\"orders\"} 60\n"),
            "{text}"
        );
    }

    #[test]
    fn the_age_of_a_checkpoint_begins_with_the_state_where_there_was_none_and_ends_with_the_datastream() {
        let age = "weir_last_checkpoint_age_seconds{datastream=\"orders\"} ";
        assert!(text(&Measured::default(), &summary()).contains(&format!("{age}70\n")));
        let checkpoint = Checkpoint {
            barrier: "chk-1.1.1".to_owned(),
            epoch: Some(3),
            triggered_ms: 90_000,
            duration_ms: 2_000,
            collect_ms: 1_500,
            record_ms: 400,
            commit_ms: 100,
            alignment_ms: 20,
            overtook_bytes: None,
            split: Some(Split {
                upload_us: 1_200_000,
                ..Split::default()
            }),
            bytes: 10,
            state_bytes: 990,
            written_bytes: 5,
            aborted: None,
        };
        let measured = Measured {
            last: Some(checkpoint),
            lost: 7,
            alarm: true,
            ages_ms: [Some(1_500), None, Some(60_000)],
            ..Measured::default()
        };
        let shown = text(&measured, &summary());
        assert!(shown.contains(&format!("{age}8\n")), "{shown}");
        for series in [
            "last_checkpoint_size_bytes{datastream=\"orders\",kind=\"full\"} 1000\n",
            "last_checkpoint_size_bytes{datastream=\"orders\",kind=\"incremental\"} 15\n",
            "last_checkpoint_phase_seconds{datastream=\"orders\",phase=\"record\"} 0.4\n",
            "last_checkpoint_phase_seconds{datastream=\"orders\",phase=\"upload\"} 1.2\n",
            "lost_records{datastream=\"orders\"} 7\n",
            "loss_alarm{datastream=\"orders\"} 1\n",
            "lag_seconds{datastream=\"orders\",percentile=\"99\"} 60\n",
        ] {
            assert!(shown.contains(series), "{series} in {shown}");
        }
        let finished = Summary {
            state: State::Finished,
            ..summary()
        };
        assert!(!text(&measured, &finished).contains(age));
    }

    #[test]
    fn a_vertex_of_any_width_has_so_many_series() {
        let vertex = Vertex {
            name: "filter".to_owned(),
            parallelism: 1_000,
            busy: (1.0, 0.1),
            backpressured: (0.5, 0.0),
            rate: (1e6, 1.0),
        };
        let measured = Measured {
            vertices: vec![vertex],
            ..Measured::default()
        };
        let text = text(&measured, &summary());
        let series = text.matches("vertex=\"filter\"").count();
        assert!(
            series == 7 && series <= PER_VERTEX_OF_JOBMANAGER && PER_VERTEX == 50,
            "{text}"
        );
        assert!(text.contains("weir_metric_series_left_out 0\n"));
    }
}
