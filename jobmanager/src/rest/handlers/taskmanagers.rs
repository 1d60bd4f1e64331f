//! One task manager: who sits in its slots, and what it has said of late.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::rest::Api;
use crate::rest::asked::{Named, Newest, Options};
use crate::rest::problem::problem;
use crate::rest::types::{Datastream, JobLine, Problem, Seated, Sitting, SlotTaken, TaskManager};

/// So many lines are told of at once.
const LINES_MAX: usize = 1_000;
const LINES: usize = 200;

#[expect(clippy::result_large_err, reason = "once a request, as every handler answers")]
fn found(api: &Api, name: &str) -> Result<TaskManager, Problem> {
    let all = api.cluster().task_managers;
    let names: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
    all.into_iter().find(|one| one.name == name).ok_or_else(|| {
        let help = match planner::diagnostic::nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "one that has not been heard for 10 s is forgotten; `/v1/cluster` lists those there are".to_owned(),
        };
        let text = format!("there is no task manager `{name}`");
        problem(StatusCode::NOT_FOUND, "not-found", text)
            .place("path")
            .help(help)
    })
}

/// A task manager with who sits in its slots.
pub(crate) async fn taskmanager(State(api): State<Api>, Named(name): Named<String>) -> Result<Json<Seated>, Problem> {
    let task_manager = found(&api, &name)?;
    let mut taken = Vec::new();
    for job in &task_manager.jobs {
        let datastream = job.rsplit_once('@').map_or(job.as_str(), |(name, _)| name);
        // One that is over by now holds nothing any more.
        if let Ok(described) = api.jobs.describe(datastream).await {
            taken.extend(slots(job, &described, &name));
        }
    }
    Ok(Json(Seated { task_manager, taken }))
}

/// The slots that a job holds there: the first subtask of each vertex sits in the first, the second in the second.
fn slots(job: &str, datastream: &Datastream, task_manager: &str) -> Vec<SlotTaken> {
    let mut slots: Vec<SlotTaken> = Vec::new();
    for vertex in &datastream.vertices {
        let here = |subtask: &&crate::rest::types::Subtask| subtask.task_manager.as_deref() == Some(task_manager);
        for (place, subtask) in vertex.subtasks.iter().filter(here).enumerate() {
            if slots.len() <= place {
                slots.push(SlotTaken {
                    job: job.to_owned(),
                    subtasks: Vec::new(),
                });
            }
            slots[place].subtasks.push(Sitting {
                vertex: vertex.name.clone(),
                subtask: subtask.clone(),
            });
        }
    }
    slots
}

/// The newest lines that a task manager has said about jobs, the oldest first.
pub(crate) async fn taskmanager_logs(
    State(api): State<Api>,
    Named(name): Named<String>,
    Options(Newest { limit }): Options<Newest>,
) -> Result<Json<Vec<JobLine>>, Problem> {
    found(&api, &name)?;
    let limit = limit.unwrap_or(LINES).clamp(1, LINES_MAX);
    let mut lines = Vec::new();
    for summary in api.jobs.list() {
        let said = api.jobs.logs(&summary.name, 0).await.unwrap_or_default();
        let mut own: Vec<JobLine> = said
            .into_iter()
            .filter(|line| line.origin == name)
            .map(|line| JobLine {
                datastream: summary.name.clone(),
                line,
            })
            .collect();
        let surplus = own.len().saturating_sub(limit);
        lines.extend(own.drain(surplus..));
    }
    lines.sort_by_key(|one| (one.line.at_ms, one.line.number));
    let surplus = lines.len().saturating_sub(limit);
    Ok(Json(lines.split_off(surplus)))
}
