//! Placement by hand and over random clusters.

use std::collections::BTreeMap;

use dataflow::id::{SubtaskId, VertexId};
use dataflow::recipe::Partition;
use proptest::prelude::*;

use super::*;
use crate::execution::{expand, tests::two_vertices};

fn offers(free: &[u32]) -> Vec<Offer> {
    free.iter()
        .enumerate()
        .map(|(index, free)| Offer {
            task_manager: format!("tm-{index}"),
            free: *free,
        })
        .collect()
}

#[test]
fn slots_are_shared_by_vertices_and_spread_over_task_managers() {
    let graph = expand(&two_vertices(2, 2, Partition::Forward));
    let placement = place(&graph, &BTreeMap::new(), &offers(&[4, 4])).unwrap();
    assert_eq!(placement.slots, [("tm-0".to_owned(), 1), ("tm-1".to_owned(), 1)].into());
    let seats: Vec<_> = placement.subtasks.values().map(String::as_str).collect();
    assert_eq!(seats, ["tm-0", "tm-1", "tm-0", "tm-1"]);
}

#[test]
fn those_that_run_on_stay_and_the_others_join_them_by_index() {
    let graph = expand(&two_vertices(2, 3, Partition::Rebalance));
    let id = |vertex, index| SubtaskId {
        vertex: VertexId(vertex),
        index,
    };
    let kept = [(id(0, 0), "tm-1".to_owned()), (id(0, 1), "tm-1".to_owned())].into();
    let placement = place(&graph, &kept, &offers(&[1, 2])).unwrap();
    let seats: Vec<_> = placement.subtasks.values().map(String::as_str).collect();
    assert_eq!(seats, ["tm-1", "tm-1", "tm-1", "tm-1", "tm-0"]);
    assert_eq!(placement.slots, [("tm-0".to_owned(), 1), ("tm-1".to_owned(), 2)].into());
    let few = place(&graph, &kept, &offers(&[0, 2])).unwrap_err();
    assert_eq!(
        (few.needed, few.free),
        (1, 0),
        "the slots of those that run on are not free"
    );
}

#[test]
fn too_few_slots_say_how_many_are_missing_and_what_to_do() {
    let graph = expand(&two_vertices(3, 1, Partition::Rebalance));
    let missing = place(&graph, &BTreeMap::new(), &offers(&[1, 1])).unwrap_err();
    assert_eq!(missing.to_string(), "needs 3 slots, 2 are free on 2 task managers");
    assert!(missing.help().contains("1 more"));
    assert!(
        place(&graph, &BTreeMap::new(), &[])
            .unwrap_err()
            .help()
            .contains("weir taskmanager")
    );
}

proptest! {
    #[test]
    fn nobody_gets_more_than_it_offered_and_indexes_stay_together(
        free in prop::collection::vec(0..5_u32, 0..6), sources in 1..8_u32, sinks in 1..8_u32,
    ) {
        let graph = expand(&two_vertices(sources, sinks, Partition::Rebalance));
        let offers = offers(&free);
        match place(&graph, &BTreeMap::new(), &offers) {
            Err(missing) => prop_assert!(missing.free < missing.needed),
            Ok(placement) => {
                let offered = |name: &String| offers.iter().find(|offer| offer.task_manager == *name).unwrap().free;
                prop_assert!(placement.slots.iter().all(|(name, taken)| *taken <= offered(name)));
                prop_assert_eq!(placement.slots.values().sum::<u32>(), sources.max(sinks));
                prop_assert_eq!(placement.subtasks.len(), graph.subtasks.len());
                for (one, seat) in &placement.subtasks {
                    prop_assert!(placement.subtasks.iter().all(|(other, other_seat)| other.index != one.index || other_seat == seat));
                }
                let mut reversed = offers.clone();
                reversed.reverse();
                prop_assert_eq!(place(&graph, &BTreeMap::new(), &reversed), Ok(placement));
            }
        }
    }
}
