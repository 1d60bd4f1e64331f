//! What changes something.

use super::super::asked::{Submission, Sweep};
use super::super::handlers;
use super::super::types::{Operation, Rescale, SavepointRequest, Stop, Submitted, Summary, Swept};
use super::{Content, Route, json, post};

pub(super) fn changing() -> Vec<Route> {
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
