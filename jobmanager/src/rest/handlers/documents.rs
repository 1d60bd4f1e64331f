//! Documents: what a text would do, the versions that ran, and what is between two of them. Nothing here changes anything.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::jobs::{Planned, Rejected, drawn};
use crate::rest::Api;
use crate::rest::asked::{Between, Earlier, Named, Options, Text};
use crate::rest::difference::{Side, difference};
use crate::rest::types::{Difference, DocumentVersion, Problem, Review, Reviewed, StepVerdict};
use crate::restore::Refusal;
use crate::store::Version;

/// So many versions are told of at once, unless fewer are asked for.
const VERSIONS_AT_ONCE: u64 = 100;

/// Looks at a text as if it were submitted: every mistake at its place; without mistakes, what each document would do.
pub(crate) async fn validate(State(api): State<Api>, Text(text): Text) -> Result<Json<Review>, Problem> {
    let looked = api.plan.review(&text).await;
    let mut review = Review {
        diagnostics: looked.diagnostics,
        rendered: looked.rendered,
        documents: Vec::new(),
    };
    for planned in &looked.planned {
        let (reviewed, refused) = reviewed(&api, planned).await?;
        review.documents.push(reviewed);
        if let Some(shown) = refused {
            merge(&mut review.diagnostics, shown.diagnostics);
            review.rendered.push_str(&shown.rendered);
        }
    }
    Ok(Json(review))
}

/// What would come of one document, and why it would be refused, at its places.
async fn reviewed(api: &Api, planned: &Planned) -> Result<(Reviewed, Option<Box<Rejected>>), Problem> {
    let outlined = api.jobs.outline(planned).await?;
    let blamed = planner::verdict::blamed(&outlined.verdicts);
    let refused = (!blamed.is_empty()).then(|| {
        let failure = dataflow::Failure::fail("its state cannot go on with this document");
        planned.written.shown(&Refusal { failure, blamed })
    });
    let (vertices, edges) = drawn(&planned.graph);
    let version = outlined.in_force.as_ref().and_then(|one| one.number);
    let before = outlined.in_force.as_ref().map(|one| one.document.text.as_str());
    let between = |text: &str| {
        let before = Side {
            title: "in force",
            number: version,
            text,
        };
        let after = Side {
            title: "this document",
            number: None,
            text: &planned.text,
        };
        difference(before, after)
    };
    let reviewed = Reviewed {
        name: planned.graph.name.clone(),
        prospect: outlined.prospect,
        version,
        possible: planner::verdict::is_possible(&outlined.verdicts),
        verdicts: outlined.verdicts.iter().map(StepVerdict::from).collect(),
        difference: before.filter(|text| *text != planned.text).map(between),
        vertices,
        edges,
        plan: planner::explain::job(&planned.graph),
    };
    Ok((reviewed, refused.flatten()))
}

/// Adds what another look found.
fn merge(diagnostics: &mut Value, more: Value) {
    for count in ["errors", "warnings"] {
        let number = |of: &Value| of[count].as_u64().unwrap_or(0);
        diagnostics[count] = json!(number(diagnostics) + number(&more));
    }
    if let (Some(findings), Some(more)) = (diagnostics["findings"].as_array_mut(), more["findings"].as_array()) {
        findings.extend(more.iter().cloned());
    }
}

/// The versions of a datastream's document, the newest first.
pub(crate) async fn versions(
    State(api): State<Api>,
    Named(name): Named<String>,
    Options(Earlier { before, limit }): Options<Earlier>,
) -> Result<(HeaderMap, Json<Vec<DocumentVersion>>), Problem> {
    let limit = limit.unwrap_or(VERSIONS_AT_ONCE).clamp(1, VERSIONS_AT_ONCE);
    // One more than is told of says whether there are more.
    let mut found = api.jobs.versions(&name, before, limit + 1).await?;
    let more = found.len() as u64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut headers = HeaderMap::new();
    if let Some(last) = found.last().filter(|_| more) {
        let next = format!(
            "</v1/datastreams/{name}/versions?before={}&limit={limit}>; rel=\"next\"",
            last.number
        );
        headers.extend(HeaderValue::from_str(&next).ok().map(|next| (header::LINK, next)));
    }
    Ok((headers, Json(found.iter().map(told).collect())))
}

fn told(version: &Version) -> DocumentVersion {
    DocumentVersion {
        number: version.number,
        job: version.job.to_string(),
        at_ms: version.at.0,
        cause: version.cause,
        lines: version.document.text.lines().count() as u64,
        verdicts: version.verdicts.clone(),
    }
}

/// The document of one version, byte for byte.
pub(crate) async fn version(
    State(api): State<Api>,
    Named((name, number)): Named<(String, u64)>,
) -> Result<impl IntoResponse, Problem> {
    let version = api.jobs.version(&name, number).await?;
    Ok((
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        version.document.text,
    ))
}

/// What is between two versions.
pub(crate) async fn diff(
    State(api): State<Api>,
    Named(name): Named<String>,
    Options(Between { from, to }): Options<Between>,
) -> Result<Json<Difference>, Problem> {
    let to = match to {
        Some(to) => to,
        None => {
            let newest = api.jobs.versions(&name, None, 1).await?;
            newest.first().map_or(1, |newest| newest.number)
        }
    };
    let from = from.unwrap_or_else(|| to.saturating_sub(1).max(1));
    let (before, after) = (api.jobs.version(&name, from).await?, api.jobs.version(&name, to).await?);
    let titles = [from, to].map(|number| format!("{name} version {number}"));
    let side = |title, version| -> Side<'_> {
        let version: &Version = version;
        Side {
            title,
            number: Some(version.number),
            text: &version.document.text,
        }
    };
    Ok(Json(difference(side(&titles[0], &before), side(&titles[1], &after))))
}
