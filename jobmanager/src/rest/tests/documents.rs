//! Documents: what a text would do, the versions that ran, what is between them, and what can be looked up.

use super::*;
use crate::rest::types::{Difference, DocumentVersion, Fate, Prospect, Review};

async fn review(address: SocketAddr, text: &str) -> Review {
    let (status, body) = post(address, "/v1/validate", text).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// The versions, once there are so many.
async fn versions(address: SocketAddr, count: usize) -> Vec<DocumentVersion> {
    let asked = within(20, async {
        loop {
            let (_, body) = get(address, "/v1/datastreams/orders/versions").await;
            let all: Vec<DocumentVersion> = serde_json::from_str(&body).unwrap();
            if all.len() == count {
                return all;
            }
            tokio::task::yield_now().await;
        }
    });
    asked.await.expect("as many versions as documents")
}

#[tokio::test]
async fn a_text_is_looked_at_and_nothing_is_changed() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    let found = review(address, "bad").await;
    assert_eq!((found.documents.len(), found.rendered.as_str()), (0, "error[W001]"));
    let new = review(address, "good").await;
    let document = &new.documents[0];
    assert_eq!((document.prospect, document.version), (Prospect::Starts, None));
    assert_eq!((document.vertices.len(), document.edges.len()), (2, 1));
    assert!(document.plan.contains("datastream orders") && document.difference.is_none());
    assert!(document.verdicts.iter().all(|one| one.state == Fate::StartsEmpty));
    assert_eq!(get(address, "/v1/datastreams").await.1, "[]");
}

#[tokio::test]
async fn a_change_is_told_before_it_is_made_and_kept_as_a_version_after_it() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let first = versions(address, 1).await;
    assert_eq!((first[0].number, first[0].job.as_str()), (1, "orders@1"));
    let (_, document) = get(address, "/v1/datastreams/orders/versions/1/document").await;
    assert_eq!(document, "datastreamName: orders");
    let same = review(address, "good").await;
    assert_eq!(same.documents[0].prospect, Prospect::Unchanged);
    let other = review(address, OTHERWISE).await;
    let document = &other.documents[0];
    assert_eq!((document.prospect, document.version), (Prospect::Changes, Some(1)));
    let fate = |step: &str| {
        document
            .verdicts
            .iter()
            .find(|one| one.step == step)
            .map(|one| one.state)
    };
    assert_eq!(fate("elsewhere"), Some(Fate::StartsEmpty));
    assert!(
        document.verdicts.iter().any(|one| one.state == Fate::Drops),
        "{document:?}"
    );
    let (status, body) = get(address, "/v1/datastreams/orders/versions/7/document").await;
    let refused = problem(&body);
    assert_eq!((status, refused.code.as_str()), (404, "not-found"));
    assert!(refused.help.is_some_and(|help| help.contains("weir history orders")));
    let (_, body) = get(address, "/v1/datastreams/orders/diff").await;
    let nothing: Difference = serde_json::from_str(&body).unwrap();
    assert_eq!((nothing.from, nothing.to, nothing.hunks.len()), (Some(1), Some(1), 0));
    post(address, "/v1/datastreams/orders/cancel", "").await;
    bench.until_state(State::Cancelled).await;
    post(address, "/v1/datastreams?fresh=true", "good").await;
    let second = versions(address, 2).await;
    assert_eq!((second[0].number, second[0].job.as_str()), (2, "orders@2"));
    let (_, headers, body) = ask_whole(address, "GET /v1/datastreams/orders/versions?limit=1", "", "").await;
    assert!(
        headers
            .to_lowercase()
            .contains("link: </v1/datastreams/orders/versions?before=2&limit=1>"),
        "{headers}"
    );
    assert_eq!(serde_json::from_slice::<Vec<DocumentVersion>>(&body).unwrap().len(), 1);
}

#[tokio::test]
async fn the_document_of_one_that_was_over_before_is_still_known() {
    let store = Arc::default();
    let bench = Bench::start(&store).await;
    post(serve(&bench).await, "/v1/datastreams", "good").await;
    post(serve(&bench).await, "/v1/datastreams/orders/cancel", "").await;
    bench.until_state(State::Cancelled).await;
    bench.kill().await;
    let bench = Bench::start(&store).await;
    let address = serve(&bench).await;
    assert_eq!(
        get(address, "/v1/datastreams/orders/document").await.1,
        "datastreamName: orders"
    );
    assert_eq!(review(address, "good").await.documents[0].prospect, Prospect::Resumes);
}

#[tokio::test]
async fn codes_and_connectors_can_be_looked_up() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    let (status, page) = get(address, "/v1/explain/e0101").await;
    assert!(status == 200 && page.contains("E0101"), "{page}");
    let (status, body) = get(address, "/v1/explain/E01O1").await;
    assert_eq!((status, problem(&body).code.as_str()), (404, "not-found"));
    let all: Value = serde_json::from_str(&get(address, "/v1/connectors").await.1).unwrap();
    let of = |kind: &str| all.as_array().unwrap().iter().filter(|one| one["kind"] == kind).count();
    assert!(of("connector") > 0 && of("step") >= 12, "{all}");
}

#[tokio::test]
async fn a_task_manager_says_who_sits_there_and_what_it_has_said() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    bench.until_state(State::Running).await;
    let (status, body) = get(address, "/v1/cluster/taskmanagers/tm-1").await;
    let seated: crate::rest::types::Seated = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, seated.taken.len(), seated.taken[0].job.as_str()),
        (200, 1, "orders@1")
    );
    let sitting: Vec<_> = seated.taken[0]
        .subtasks
        .iter()
        .map(|one| one.subtask.id.as_str())
        .collect();
    assert_eq!(sitting, ["sub-0.0", "sub-1.0"], "one subtask of each vertex in a slot");
    let (status, body) = get(address, "/v1/cluster/taskmanagers/tm-1/logs?limit=5").await;
    assert!(
        status == 200 && serde_json::from_str::<Vec<Value>>(&body).is_ok(),
        "{body}"
    );
    let (status, body) = get(address, "/v1/cluster/taskmanagers/tm-2").await;
    assert_eq!(
        (status, problem(&body).help.as_deref()),
        (404, Some("did you mean `tm-1`?"))
    );
    let (status, body) = get(address, "/v1/datastreams/orders/archive").await;
    let nothing: crate::rest::types::Archive = serde_json::from_str(&body).unwrap();
    assert_eq!((status, nothing.sinks.len(), nothing.files_total), (200, 0, 0));
    let (status, body) = get(address, "/v1/datastreams/orders/archive?sink=out").await;
    let refused = problem(&body);
    assert_eq!((status, refused.code.as_str()), (404, "not-found"));
    assert!(refused.help.is_some_and(|help| help.contains("archive:")));
}
