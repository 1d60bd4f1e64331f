//! The cluster, and what it says of itself.

use super::super::asked::Newest;
use super::super::handlers;
use super::super::types::{Cluster, Health, JobLine, Overview, Seated, Target};
use super::{Content, Route, get, json, shape};

pub(super) fn cluster() -> Vec<Route> {
    let tag = "cluster";
    vec![
        get(
            "/v1/cluster",
            handlers::cluster,
            (tag, "describeCluster", "The leader and its task managers."),
            json::<Cluster>(),
        ),
        get(
            "/v1/cluster/taskmanagers/{name}",
            handlers::taskmanager,
            (tag, "describeTaskManager", "A task manager, and who sits in its slots."),
            json::<Seated>(),
        ),
        get(
            "/v1/cluster/taskmanagers/{name}/logs",
            handlers::taskmanager_logs,
            (
                tag,
                "readTaskManagerLogs",
                "The newest lines that a task manager has said about datastreams, the oldest first.",
            ),
            json::<Vec<JobLine>>(),
        )
        .query::<Newest>(),
        get(
            "/v1/summary",
            handlers::overview,
            (tag, "readOverview", "Every datastream and the cluster, at one moment."),
            json::<Overview>(),
        ),
        get(
            "/v1/stream",
            handlers::stream,
            (
                tag,
                "followOverview",
                "The overview as an event `view` a second, while it changes.",
            ),
            Content::Events(shape::<Overview>),
        ),
        get(
            "/v1/health",
            handlers::health,
            (
                tag,
                "readHealth",
                "That the job manager lives, and which process it is.",
            ),
            json::<Health>(),
        ),
        get(
            "/v1/openapi.json",
            handlers::openapi,
            (tag, "readOpenApi", "This document."),
            Content::Text("application/json"),
        ),
    ]
}

pub(super) fn measuring() -> Vec<Route> {
    let tag = "metrics";
    vec![
        get(
            "/metrics",
            handlers::metrics,
            (
                tag,
                "readMetrics",
                "Every metric of the job manager in Prometheus' text form.",
            ),
            Content::Text("text/plain"),
        ),
        get(
            "/v1/targets",
            handlers::targets,
            (
                tag,
                "listTargets",
                "Where the metrics of the task managers are, as Prometheus' http_sd_configs reads it.",
            ),
            json::<Vec<Target>>(),
        ),
    ]
}
