//! `weir list`: the datastreams of a cluster.

use jobmanager::rest::types::Summary;

use crate::args::{Cluster, OutputForm};
use crate::client::Client;
use crate::exit::Stop;
use crate::output::{Table, bytes, count, rate, show};

pub(crate) async fn list(cluster: &Cluster, form: OutputForm) -> Result<(), Stop> {
    let summaries = Client::new(&cluster.cluster)?.list().await?;
    show(form, &summaries, |summaries| table(summaries))
}

fn table(summaries: &[Summary]) -> String {
    if summaries.is_empty() {
        return "no datastreams yet: `weir new > mine.yaml`, then `weir submit mine.yaml`".to_owned();
    }
    let mut table = Table::new(&[
        "name",
        "state",
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
        Some(format!("{}: {}: {reason}\n", summary.name, summary.state))
    });
    reasons.fold(table.to_string(), |text, reason| text + &reason)
}
