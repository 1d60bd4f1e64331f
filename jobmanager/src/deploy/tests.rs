//! Messages of a deployment over two task managers.

use dataflow::id::{Epoch, Generation, JobId, VertexId};
use dataflow::recipe::{Chain, Partition};
use dataflow::time::WallTime;

use super::*;
use crate::execution::{expand, tests::two_vertices};
use crate::store::{Document, Record, SubtaskSnapshot};

#[test]
fn each_task_manager_gets_its_subtasks_with_peers_and_their_own_snapshots() {
    let graph = two_vertices(2, 2, Partition::Rebalance);
    let execution = expand(&graph);
    let job = JobId {
        name: "orders".to_owned(),
        life: 1,
    };
    let seat = |name: &str| Seat {
        task_manager: name.to_owned(),
        incarnation: "i".to_owned(),
        data_address: format!("{name}:1"),
    };
    let seats = Seats {
        subtasks: execution
            .subtasks
            .iter()
            .map(|s| (s.id, seat(["a", "b"][s.id.index as usize])))
            .collect(),
    };
    let generation = Generation { term: 3, deployment: 2 };
    let document = Document {
        text: String::new(),
        graph: graph.clone(),
    };
    let mut head = Record::start(job.clone(), generation, document, WallTime(0));
    let sink = SubtaskId {
        vertex: VertexId(1),
        index: 1,
    };
    head.epoch = Epoch(7);
    head.subtasks = vec![SubtaskSnapshot::new(sink, &Bytes::from_static(b"{\"nodes\":{\"out\":{}}}")).unwrap()];
    let messages = deploys(
        Plan {
            state_url: "state/jobs/a@1/state",
            job: &job,
            graph: &graph,
            execution: &execution,
            seats: &seats,
            epoch: head.epoch,
            restoration: &Restoration::own(&head, &graph),
        },
        generation,
    );
    assert_eq!(messages.len(), 2);
    let second = &messages[&seat("b")];
    assert_eq!(
        (second.epoch, second.subtasks.len(), second.buffer_timeout_ms),
        (7, 2, 5)
    );
    let [restored] = second.subtasks[1].restored.as_slice() else {
        panic!("its own part, and no other")
    };
    assert_eq!((restored.index, restored.parallelism), (1, 2));
    assert_eq!(restored.snapshot, Bytes::from_static(b"{\"nodes\":{\"out\":{}}}"));
    assert!(second.subtasks[0].restored.is_empty());
    assert_eq!(second.subtasks[1].attempt, "att-3.2.1.1");
    let senders: Vec<_> = second.subtasks[1].inputs[0]
        .peers
        .iter()
        .map(|peer| peer.data_address.as_str())
        .collect();
    assert_eq!(senders, ["a:1", "b:1"]);
    assert_eq!(
        Chain::decode(&second.subtasks[1].chain).unwrap(),
        graph.vertices[1].chain
    );
}
