//! What there is to know of datastreams: how they are, how they were, what flows in them.

use super::super::asked::{After, LagOf, Letters, Page, Tap};
use super::super::handlers;
use super::super::types::{
    Datastream, DeadLetter, DeadLetterPage, Finding, Lag, Live, LogLine, Operation, PastRun, Series, Summary, TapEvent,
};
use super::{Content, Route, get, json, shape};

pub(super) fn reading() -> Vec<Route> {
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

pub(super) fn following() -> Vec<Route> {
    let tag = "datastreams";
    vec![get(
        "/v1/datastreams/{name}/stream",
        handlers::follow,
        (
            tag,
            "followDatastream",
            "A datastream as an event `view` a second, while it changes; without its document.",
        ),
        Content::Events(shape::<Live>),
    )]
}

/// What became of rows.
pub(super) fn counting() -> Vec<Route> {
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

pub(super) fn looking() -> Vec<Route> {
    let tag = "datastreams";
    vec![
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

/// What is known of what is over.
pub(super) fn remembered() -> Vec<Route> {
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
