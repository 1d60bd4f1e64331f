//! Jobs: `/jobs`, `/jobs/overview`, `/jobs/:id`, its plan and its settings.

use axum::Json;
use axum::extract::{Path, State as Extract};
use serde_json::{Value, json};

use super::fault::Fault;
use super::{ids, status, vertices};
use crate::rest::Api;
use crate::rest::types::{Datastream, Summary};

pub(super) async fn ids(Extract(api): Extract<Api>) -> Json<Value> {
    let one = |job: Summary| json!({ "id": ids::job(&job.job), "status": status::of_job(job.state) });
    let all: Vec<_> = api.jobs.list().into_iter().map(one).collect();
    Json(json!({ "jobs": all }))
}

/// In short, without asking a job's task: of hundreds of jobs a list is asked for every few seconds.
pub(super) async fn overview(Extract(api): Extract<Api>) -> Json<Value> {
    let now = api.clock.wall().0;
    let one = |job: &Summary| {
        let mut body = times(job, now);
        body["jid"] = ids::job(&job.job).into();
        body["name"] = job.name.clone().into();
        body["state"] = status::of_job(job.state).into();
        body["last-modification"] = job.since_ms.into();
        body["pending-operators"] = 0.into();
        let mut tasks = status::tasks(std::iter::empty());
        let others = job.subtasks.saturating_sub(job.subtasks_running);
        tasks["total"] = job.subtasks.into();
        tasks["running"] = job.subtasks_running.into();
        tasks[if job.state.is_over() { "finished" } else { "created" }] = others.into();
        body["tasks"] = tasks;
        body
    };
    let all: Vec<_> = api.jobs.list().iter().map(one).collect();
    Json(json!({ "jobs": all }))
}

/// From the submission to the end, or until now; -1 for an end that is not there.
fn times(job: &Summary, now: i64) -> Value {
    let over = job.state.is_over();
    let start = job.started_ms.unwrap_or(job.since_ms);
    let end = if over { job.since_ms } else { now };
    json!({
        "start-time": start,
        "end-time": if over { end } else { -1 },
        "duration": end.saturating_sub(start).max(0),
    })
}

pub(super) async fn one(Extract(api): Extract<Api>, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let datastream = ids::datastream(&api, &id).await?;
    let (job, now) = (&datastream.summary, api.clock.wall().0);
    let mut body = times(job, now);
    let state = status::of_job(job.state);
    let all = datastream.vertices.iter();
    body["jid"] = id.into();
    body["name"] = job.name.clone().into();
    body["isStoppable"] = (!job.state.is_over()).into();
    body["state"] = state.into();
    body["job-type"] = "STREAMING".into();
    body["now"] = now.into();
    body["timestamps"] = json!(status::times(&datastream));
    body["vertices"] = all.map(|vertex| vertices::short(&datastream, vertex, now)).collect();
    body["status-counts"] = json!(status::counts(datastream.vertices.iter()));
    body["plan"] = plan_of(&datastream);
    Ok(Json(body))
}

pub(super) async fn plan(Extract(api): Extract<Api>, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let datastream = ids::datastream(&api, &id).await?;
    Ok(Json(json!({ "plan": plan_of(&datastream) })))
}

fn plan_of(datastream: &Datastream) -> Value {
    let job = &datastream.summary;
    let node = |vertex: &crate::rest::types::Vertex| {
        let inputs = datastream.edges.iter().filter(|edge| edge.to == vertex.id);
        let inputs: Vec<_> = inputs
            .zip(0..)
            .map(|(edge, number)| {
                json!({
                    "num": number,
                    "id": ids::vertex(&job.job, &edge.from),
                    "ship_strategy": edge.partition.to_uppercase(),
                    "exchange": "pipelined_bounded",
                })
            })
            .collect();
        json!({
            "id": ids::vertex(&job.job, &vertex.id),
            "parallelism": vertex.parallelism,
            "operator": "",
            "operator_strategy": "",
            "description": vertex.name,
            "inputs": inputs,
            "optimizer_properties": {},
        })
    };
    json!({
        "jid": ids::job(&job.job),
        "name": job.name,
        "type": "STREAMING",
        "nodes": datastream.vertices.iter().map(node).collect::<Vec<_>>(),
    })
}

pub(super) async fn config(Extract(api): Extract<Api>, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let datastream = ids::datastream(&api, &id).await?;
    let widest = datastream.vertices.iter().map(|vertex| vertex.parallelism).max();
    let mut own = serde_json::Map::new();
    own.insert("datastream".to_owned(), datastream.summary.job.clone().into());
    own.extend(
        datastream
            .contact
            .map(|contact| ("contactName".to_owned(), contact.into())),
    );
    Ok(Json(json!({
        "jid": id,
        "name": datastream.summary.name,
        "execution-config": {
            "restart-strategy": "as its document says",
            "job-parallelism": widest.unwrap_or(0),
            "object-reuse-mode": false,
            "user-config": own,
        },
    })))
}
