//! `weir list`: the datastreams of a cluster.

use dataflow::time::{Clock, SystemClock, WallTime};
use jobmanager::rest::types::Summary;

use crate::args::{Cluster, OutputForm};
use crate::client::Client;
use crate::exit::Stop;
use crate::output::{Table, ago, bytes, count, plain, rate, show};

pub(crate) async fn list(cluster: &Cluster, form: OutputForm) -> Result<(), Stop> {
    let summaries = Client::new(&cluster.cluster)?.list().await?;
    let now = SystemClock::start().wall();
    show(form, &summaries, |summaries| table(summaries, now))
}

fn table(summaries: &[Summary], now: WallTime) -> String {
    if summaries.is_empty() {
        return "no datastreams yet: `weir new > mine.yaml`, then `weir submit mine.yaml`".to_owned();
    }
    let mut table = Table::new(&[
        "name",
        "state",
        "#for",
        "#subtasks",
        "#rows in",
        "#rows out",
        "#rate",
        "#read",
        "#dead",
        "#epoch",
        "#restarts",
    ]);
    for summary in summaries {
        let progress = &summary.progress;
        table.row(vec![
            summary.name.clone(),
            summary.state.to_string(),
            ago(summary.since_ms, now),
            format!("{}/{}", summary.subtasks_running, summary.subtasks),
            count(progress.rows_in),
            count(progress.rows_out),
            rate(progress.rows_in_rate),
            bytes(progress.bytes_read),
            count(progress.dead_letters),
            count(summary.epoch),
            count(summary.restarts),
        ]);
    }
    let reasons = summaries.iter().filter_map(|summary| {
        let reason = summary.reason.as_ref()?;
        Some(format!("{}: {}: {}\n", summary.name, summary.state, plain(reason)))
    });
    reasons.fold(table.to_string(), |text, reason| text + &reason)
}
