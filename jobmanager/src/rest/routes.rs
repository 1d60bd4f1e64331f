//! Every path of REST: one table, from which both the router and the OpenAPI document are made.
//!
//! What changes something is a POST; a test holds the table to that.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::asked::{After, LagOf, Letters, Page, Submission, Sweep, Tap};
use super::types::{
    Cluster, Datastream, DeadLetter, DeadLetterPage, Finding, Health, Lag, Live, LogLine, Operation, Overview, Rescale,
    SavepointRequest, Series, Stop, Submitted, Summary, Swept, TapEvent,
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
    [reading(), looking(), changing(), cluster()]
        .into_iter()
        .flatten()
        .collect()
}

/// The router of the table.
pub(super) fn router() -> Router<Api> {
    let mut router = Router::new();
    for route in table() {
        router = router.route(route.path, route.handler);
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

fn looking() -> Vec<Route> {
    let tag = "datastreams";
    vec![
        get(
            "/v1/datastreams/{name}/logs",
            handlers::logs,
            (tag, "readLogs", "Lines of a datastream's log, the oldest first."),
            json::<Vec<LogLine>>(),
        )
        .query::<After>(),
        get(
            "/v1/datastreams/{name}/findings",
            handlers::findings,
            (
                tag,
                "explainStall",
                "What holds a datastream up and who is behind it, the worst first, with what is seen of it.",
            ),
            json::<Vec<Finding>>(),
        ),
        get(
            "/v1/datastreams/{name}/tap",
            handlers::tap,
            (
                tag,
                "tapDatastream",
                "Some rows behind a step as they go by, as events `open`, `row`, `count` and `end`. Looking changes nothing and slows nothing: what is too much is left out and counted. Hidden fields show `•••`.",
            ),
            Content::Events(shape::<TapEvent>),
        )
        .query::<Tap>(),
        get(
            "/v1/datastreams/{name}/dead-letters",
            handlers::letters,
            (
                tag,
                "listDeadLetters",
                "Records that a step could not take, the newest first, read back from where the document keeps them.",
            ),
            json::<DeadLetterPage>(),
        )
        .query::<Letters>(),
        get(
            "/v1/datastreams/{name}/dead-letters/{id}",
            handlers::letter,
            (tag, "readDeadLetter", "One of them, whole."),
            json::<DeadLetter>(),
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
    ]
}
