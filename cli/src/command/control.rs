//! `weir stop` and `weir cancel`: what one request does.

use jobmanager::rest::types::{Stop as StopRequest, Summary};

use crate::args::{self, Named, OutputForm};
use crate::client::Client;
use crate::exit::Stop;
use crate::output::show;

pub(crate) async fn stop(stop: &args::Stop, form: OutputForm) -> Result<(), Stop> {
    let client = Client::new(&stop.named.cluster.cluster)?;
    let request = StopRequest {
        drain: stop.drain,
        savepoint: None,
    };
    let summary = client.stop(&stop.named.name, request).await?;
    show(form, &summary, |summary| {
        said(
            summary,
            "it takes its last checkpoint; `weir list` shows when it has stopped",
        )
    })
}

pub(crate) async fn cancel(named: &Named, form: OutputForm) -> Result<(), Stop> {
    let summary = Client::new(&named.cluster.cluster)?.cancel(&named.name).await?;
    show(form, &summary, |summary| {
        said(
            summary,
            "what was committed stays; `weir submit --fresh` starts it anew",
        )
    })
}

fn said(summary: &Summary, next: &str) -> String {
    format!("{}: {}\n  {next}", summary.name, summary.state)
}
