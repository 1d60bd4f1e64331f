//! Every path of REST: one table, from which both the router and the OpenAPI document are made.
//!
//! What changes something is a POST; a test holds the table to that.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};
use planner::components::Component;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::asked::{After, Between, Earlier, LagOf, Newest, Page, Rows, Shelf, Submission, Sweep};
use super::requests::named;
use super::types::{
    Archive, Cluster, Datastream, Difference, DocumentVersion, Health, JobLine, Lag, Live, LogLine, Operation,
    Overview, PastRun, Rescale, Review, SavepointRequest, Seated, Series, Stop, Submitted, Summary, Swept, Target,
};
use super::{Api, handlers};

/// Makes the schema of a type, by the generator that collects them.
type Shape = fn(&mut SchemaGenerator) -> Schema;

/// One path with one method, and what there is to know of it.
pub(super) struct Route {
    pub(super) method: Method,
    /// With `{name}` for what stands for something.
    pub(super) path: &'static str,
    pub(super) tag: &'static str,
    /// Its name for generated clients.
    pub(super) id: &'static str,
    pub(super) about: &'static str,
    pub(super) query: Option<Shape>,
    pub(super) body: Option<Content>,
    pub(super) status: u16,
    pub(super) answer: Content,
    handler: MethodRouter<Api>,
}

/// A body.
pub(super) enum Content {
    /// JSON of a type.
    Json(Shape),
    /// Something else, by its content type.
    Text(&'static str),
    /// Server-sent events, each with JSON of a type.
    Events(Shape),
}

fn json<T: JsonSchema>() -> Content {
    Content::Json(shape::<T>)
}

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Route {
    fn new(
        (method, path): (Method, &'static str),
        handler: MethodRouter<Api>,
        (tag, id, about): (&'static str, &'static str, &'static str),
        (status, answer): (u16, Content),
    ) -> Self {
        Self {
            method,
            path,
            tag,
            id,
            about,
            query: None,
            body: None,
            status,
            answer,
            handler,
        }
    }

    fn query<T: JsonSchema>(self) -> Self {
        Self {
            query: Some(shape::<T>),
            ..self
        }
    }

    fn body(self, body: Content) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }
}

fn get<H: Handler<T, Api>, T: 'static>(
    path: &'static str,
    handler: H,
    about: (&'static str, &'static str, &'static str),
    answer: Content,
) -> Route {
    Route::new((Method::GET, path), routing::get(handler), about, (200, answer))
}

fn post<H: Handler<T, Api>, T: 'static>(
    path: &'static str,
    handler: H,
    about: (&'static str, &'static str, &'static str),
    answer: (u16, Content),
) -> Route {
    Route::new((Method::POST, path), routing::post(handler), about, answer)
}

/// All of them.
pub(super) fn table() -> Vec<Route> {
    [
        reading(),
        remembered(),
        following(),
        counting(),
        documents(),
        reference(),
        changing(),
        cluster(),
        measuring(),
    ]
        .into_iter()
        .flatten()
        .collect()
}

/// The router of the table.
pub(super) fn router() -> Router<Api> {
    let mut router = Router::new();
    for route in table() {
        router = router.route(route.path, named(route.path, route.handler));
    }
    router
}

fn reading() -> Vec<Route> {
    let tag = "datastreams";
    vec![
        get(
            "/v1/datastreams",
            handlers::list,
            (tag, "listDatastreams", "Every datastream in short, by name."),
            json::<Vec<Summary>>(),
        )
        .query::<Page>(),
        get(
            "/v1/datastreams/{name}",
            handlers::describe,
            (tag, "describeDatastream", "Everything that is known of a datastream."),
            json::<Datastream>(),
        ),
        get(
            "/v1/datastreams/{name}/document",
            handlers::document,
            (tag, "readDocument", "The document as it was submitted, byte for byte."),
            Content::Text("text/plain"),
        ),
        get(
            "/v1/datastreams/{name}/series",
            handlers::series,
            (
                tag,
                "readSeries",
                "How a datastream did in the last quarter of an hour, every two seconds.",
            ),
            json::<Series>(),
        ),
        get(
            "/v1/datastreams/{name}/logs",
            handlers::logs,
            (tag, "readLogs", "Lines of a datastream's log, the oldest first."),
            json::<Vec<LogLine>>(),
        )
        .query::<After>(),
    ]
}

fn following() -> Vec<Route> {
    let tag = "datastreams";
    vec![
        get(
            "/v1/datastreams/{name}/stream",
            handlers::follow,
            (
                tag,
                "followDatastream",
                "A datastream as an event `view` a second, while it changes; without its document.",
            ),
            Content::Events(shape::<Live>),
        ),
    ]
}

/// What became of rows.
fn counting() -> Vec<Route> {
    let tag = "datastreams";
    vec![
        get(
            "/v1/datastreams/{name}/lag",
            handlers::lag,
            (
                tag,
                "readLag",
                "What became of the rows of each step, minute by minute, how old they were, and what is missing.",
            ),
            json::<Lag>(),
        )
        .query::<LagOf>(),
    ]
}

fn documents() -> Vec<Route> {
    let tag = "documents";
    vec![
        post(
            "/v1/validate",
            handlers::validate,
            (
                tag,
                "validateText",
                "Looks at a text as if it were applied: mistakes, plan, what becomes of state. Nothing is changed.",
            ),
            (200, json::<Review>()),
        )
        .body(Content::Text("text/plain")),
        get(
            "/v1/datastreams/{name}/versions",
            handlers::versions,
            (
                tag,
                "listVersions",
                "The documents that a datastream has run, the newest first.",
            ),
            json::<Vec<DocumentVersion>>(),
        )
        .query::<Earlier>(),
        get(
            "/v1/datastreams/{name}/versions/{number}/document",
            handlers::version,
            (tag, "readVersion", "The document of one version, byte for byte."),
            Content::Text("text/plain"),
        ),
        get(
            "/v1/datastreams/{name}/diff",
            handlers::diff,
            (tag, "compareVersions", "What is between two versions of a document."),
            json::<Difference>(),
        )
        .query::<Between>(),
    ]
}

fn reference() -> Vec<Route> {
    let tag = "documents";
    vec![
        get(
            "/v1/datastreams/{name}/archive",
            handlers::archive,
            (
                tag,
                "listArchive",
                "What a datastream has kept as files: folders, files, rows, times.",
            ),
            json::<Archive>(),
        )
        .query::<Shelf>(),
        get(
            "/v1/datastreams/{name}/archive/sample",
            handlers::archive_sample,
            (tag, "sampleArchive", "The first rows of a file of an archive."),
            json::<Vec<Value>>(),
        )
        .query::<Rows>(),
        get(
            "/v1/explain/{code}",
            handlers::explain,
            (tag, "explainCode", "What the code of a mistake means, and what to do."),
            Content::Text("text/plain"),
        ),
        get(
            "/v1/connectors",
            handlers::connectors,
            (
                tag,
                "listConnectors",
                "Every connector, format and step, with its options.",
            ),
            json::<Vec<Component>>(),
        ),
    ]
}

/// What is known of what is over.
fn remembered() -> Vec<Route> {
    let tag = "datastreams";
    vec![
        get(
            "/v1/datastreams/{name}/runs",
            handlers::runs,
            (
                tag,
                "listRuns",
                "How the runs of a datastream ended that are remembered, the newest first; at most twenty.",
            ),
            json::<Vec<PastRun>>(),
        ),
        get(
            "/v1/datastreams/{name}/runs/{number}",
            handlers::run,
            (tag, "readRun", "Everything that was known of a run at its end."),
            json::<Datastream>(),
        ),
        get(
            "/v1/datastreams/{name}/operations/{id}",
            handlers::operation,
            (
                tag,
                "readOperation",
                "What has come of a savepoint, a rescale or a change.",
            ),
            json::<Operation>(),
        ),
    ]
}

fn changing() -> Vec<Route> {
    let tag = "actions";
    vec![
        post(
            "/v1/datastreams",
            handlers::submit,
            (
                tag,
                "submitDatastreams",
                "Submits the documents of a text: all of them, or none where one has a mistake.",
            ),
            (201, json::<Vec<Submitted>>()),
        )
        .query::<Submission>()
        .body(Content::Text("text/plain")),
        post(
            "/v1/datastreams/{name}/stop",
            handlers::stop,
            (
                tag,
                "stopDatastream",
                "Stops with a last checkpoint, or drains; the state is kept.",
            ),
            (202, json::<Summary>()),
        )
        .body(json::<Stop>()),
        post(
            "/v1/datastreams/{name}/cancel",
            handlers::cancel,
            (
                tag,
                "cancelDatastream",
                "Stops now; nothing is committed behind the last checkpoint.",
            ),
            (202, json::<Summary>()),
        ),
        post(
            "/v1/datastreams/{name}/rescale",
            handlers::rescale,
            (tag, "rescaleDatastream", "Begins to go on with another parallelism."),
            (202, json::<Operation>()),
        )
        .body(json::<Rescale>()),
        post(
            "/v1/datastreams/{name}/savepoints",
            handlers::savepoint,
            (tag, "takeSavepoint", "Begins a checkpoint that is kept by name."),
            (202, json::<Operation>()),
        )
        .body(json::<SavepointRequest>()),
        post(
            "/v1/state/gc",
            handlers::sweep,
            (
                tag,
                "sweepState",
                "Takes away what nobody needs any more of the state, or names it.",
            ),
            (200, json::<Vec<Swept>>()),
        )
        .query::<Sweep>(),
    ]
}

fn cluster() -> Vec<Route> {
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

fn measuring() -> Vec<Route> {
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
