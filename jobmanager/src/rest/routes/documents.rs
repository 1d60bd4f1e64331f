//! What is written: texts, versions, archives, the reference.

use planner::components::Component;
use serde_json::Value;

use super::super::asked::{Between, Earlier, Rows, Shelf};
use super::super::handlers;
use super::super::types::{Archive, Difference, DocumentVersion, Review};
use super::{Content, Route, get, json, post};

pub(super) fn documents() -> Vec<Route> {
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

pub(super) fn reference() -> Vec<Route> {
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
