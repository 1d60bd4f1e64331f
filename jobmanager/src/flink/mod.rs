//! Flink's monitoring API beside our own: the same facts under Flink's paths and field names, so that its command-line client
//! (`list`, `cancel`, `savepoint`, `stop`), scripts and dashboards made for it work against Weir.
//!
//! ```text
//!   /overview /jobs … (and below /v1, where Flink's client asks)  ──>  Jobs, Cluster  ──>  Flink's JSON
//! ```
//!
//! Enters: requests. Leaves: JSON in the shapes of Flink 2.x; errors as `{"errors": […]}`. Who calls: `rest`. Must stay true:
//! nothing is made up: what Weir does not measure is left out, or is Flink's own word for unknown (-1, empty). Not here:
//! decisions, nor anything that Weir alone has.

mod acting;
mod checkpoints;
mod cluster;
mod exceptions;
mod fault;
mod ids;
mod jobs;
mod status;
mod vertices;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::routing::{get, patch, post};

use crate::rest::Api;

/// All paths, each at the root and below `/v1`.
pub(crate) fn router() -> Router<Api> {
    let own = paths();
    Router::new().merge(own.clone()).nest("/v1", own)
}

fn paths() -> Router<Api> {
    Router::new()
        .route("/overview", get(cluster::overview))
        .route("/config", get(cluster::config))
        .route("/jobmanager/config", get(cluster::jobmanager_config))
        .route("/taskmanagers", get(cluster::taskmanagers))
        .route("/taskmanagers/{id}", get(cluster::taskmanager))
        .route("/jobs", get(jobs::ids))
        .route("/jobs/overview", get(jobs::overview))
        .route("/jobs/{job}", get(jobs::one).merge(patch(acting::cancel)))
        .route("/jobs/{job}/plan", get(jobs::plan))
        .route("/jobs/{job}/config", get(jobs::config))
        .route("/jobs/{job}/exceptions", get(exceptions::all))
        .route("/jobs/{job}/checkpoints", get(checkpoints::all))
        .route("/jobs/{job}/checkpoints/config", get(checkpoints::config))
        .route("/jobs/{job}/checkpoints/details/{id}", get(checkpoints::one))
        .route("/jobs/{job}/vertices/{vertex}", get(vertices::one))
        .route(
            "/jobs/{job}/vertices/{vertex}/backpressure",
            get(vertices::backpressure),
        )
        .route("/jobs/{job}/vertices/{vertex}/watermarks", get(vertices::watermarks))
        .route("/jobs/{job}/vertices/{vertex}/metrics", get(vertices::metrics))
        .route("/jobs/{job}/vertices/{vertex}/subtasks/{index}", get(vertices::subtask))
        .route("/jobs/{job}/savepoints", post(acting::savepoint))
        .route("/jobs/{job}/stop", post(acting::stop))
        .route("/jobs/{job}/savepoints/{trigger}", get(acting::outcome))
}
