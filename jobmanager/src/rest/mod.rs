//! REST `/v1` and `/metrics`: what people and programs ask the job manager.
//!
//! Enters: requests from this machine. Leaves: JSON of [`types`], errors as problem details with code and help. Who
//! calls: the command line, scripts, Prometheus. Must stay true: bodies and waits are bounded; a request that names
//! another host (a page in a browser that resolves to us) is refused; nothing is decided here.

mod guard;
mod handlers;
mod problem;
pub mod types;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use dataflow::time::Clock;

use crate::cluster::Cluster;
use crate::jobs::{Jobs, Plan};

/// A text of datastreams is at most this large; the planner's own bounds are tighter.
const BODY_BYTES_MAX: usize = 4 << 20;

/// What the interface speaks to.
#[derive(Clone)]
pub struct Api {
    /// The jobs.
    pub jobs: Jobs,
    /// The task managers.
    pub cluster: Cluster,
    /// Plans submitted texts.
    pub plan: Arc<dyn Plan>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// All paths.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/datastreams", get(handlers::list).post(handlers::submit))
        .route("/v1/datastreams/{name}", get(handlers::describe))
        .route("/v1/datastreams/{name}/logs", get(handlers::logs))
        .route("/v1/datastreams/{name}/stop", post(handlers::stop))
        .route("/v1/datastreams/{name}/cancel", post(handlers::cancel))
        .route("/v1/datastreams/{name}/rescale", post(handlers::rescale))
        .route("/v1/datastreams/{name}/savepoints", post(handlers::savepoint))
        .route("/v1/datastreams/{name}/operations/{id}", get(handlers::operation))
        .route("/v1/state/gc", post(handlers::sweep))
        .route("/v1/cluster", get(handlers::cluster))
        .route("/v1/health", get(handlers::health))
        .route("/metrics", get(handlers::metrics))
        .merge(crate::flink::router())
        .fallback(handlers::nothing_here)
        .method_not_allowed_fallback(handlers::not_that_way)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), guard::deadline))
        .layer(middleware::from_fn(guard::own_host))
        .with_state(api)
}
