//! REST `/v1`, `/metrics` and the page: what people and programs ask the job manager.
//!
//! Enters: requests from this machine. Leaves: JSON of [`types`], events, errors as problem details with code, place and
//! help, the files of the page. Who calls: the command line, the page, scripts, Prometheus. Must stay true: connections,
//! heads, bodies, waits and listeners are bounded; a request that names another host (a page in a browser that resolves
//! to us) is refused, and so is a change that another page asks for; an answer names no folder of this machine and no secret;
//! nothing is decided here.
//!
//! `routes` is the table of all paths; the router and the OpenAPI document (`openapi`) are made from it.

pub(crate) mod asked;
mod difference;
mod guard;
mod discretion;
mod handlers;
mod openapi;
mod page;
mod problem;
mod requests;
mod routes;
mod serve;
mod stream;
pub mod types;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use dataflow::time::Clock;

use crate::access::Access;
use crate::cluster::Cluster;
use crate::jobs::{Jobs, Plan};

pub use requests::Requests;
pub use serve::serve;
pub use stream::Streams;

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
    /// Who listens to what changes.
    pub streams: Streams,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is measured.
    pub metrics: crate::metrics::Source,
}

impl Api {
    /// The cluster, without the path of a folder of this machine.
    fn cluster(&self) -> types::Cluster {
        let cluster = self.cluster.describe();
        let state = match cluster.state.split_once("://") {
            Some(("file", _)) | None => "a folder of the job manager's machine".to_owned(),
            Some(_) => cluster.state,
        };
        types::Cluster { state, ..cluster }
    }

    fn overview(&self) -> types::Overview {
        types::Overview {
            now_ms: self.clock.wall().0,
            datastreams: self.jobs.list(),
            cluster: self.cluster(),
        }
    }
}

/// All paths.
pub fn router(api: Api) -> Router {
    routes::router()
        .route("/", requests::named("page", get(page::index)))
        .route("/ui/{*path}", requests::named("page", get(page::file)))
        .merge(requests::all_named("flink", crate::flink::router()))
        .fallback(handlers::nothing_here)
        .method_not_allowed_fallback(handlers::not_that_way)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), guard::deadline))
        .layer(middleware::from_fn_with_state(api.clone(), discretion::discreet))
        .with_state(api)
}

/// A router whose requests are counted, those that are refused at the door among them.
pub(crate) fn counted(router: Router, api: Api) -> Router {
    router.layer(middleware::from_fn_with_state(api, requests::count))
}

/// Any router behind a door: asked for by a name of this host, by somebody who is known.
pub fn guarded(router: Router, access: &Access) -> Router {
    router
        .layer(middleware::from_fn_with_state(access.clone(), guard::admitted))
        .layer(middleware::from_fn_with_state(access.clone(), guard::own_host))
        .layer(middleware::from_fn(guard::manners))
}
