//! Split assignment under random events, and the cases that matter by hand.

use std::collections::BTreeSet;

use dataflow::contract::Split;
use dataflow::id::{SubtaskId, VertexId};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn reader(index: u32) -> SubtaskId {
    SubtaskId {
        vertex: VertexId(0),
        index,
    }
}

fn split(number: usize) -> Split {
    Split {
        id: format!("file-{number}"),
        spec: Value::from(number),
        position: Value::Null,
    }
}

fn readers(count: u32) -> BTreeSet<SubtaskId> {
    (0..count).map(reader).collect()
}

fn given(actions: &[Action]) -> Vec<(SubtaskId, Vec<String>, bool)> {
    let ids = |splits: &[Split]| splits.iter().map(|split| split.id.clone()).collect();
    let one = |Action::Assign {
                   subtask,
                   splits,
                   no_more,
               }: &Action| (*subtask, ids(splits), *no_more);
    actions.iter().map(one).collect()
}

#[test]
fn a_reader_that_wants_waits_until_something_is_found() {
    let mut assign = Assign::new(readers(1), Restored::default());
    assert_eq!(assign.on(Event::Wanted(reader(0))), []);
    let actions = assign.on(Event::Discovered {
        splits: vec![split(1)],
        complete: false,
    });
    assert_eq!(given(&actions), [(reader(0), vec!["file-1".to_owned()], false)]);
}

#[test]
fn nothing_moves_while_a_barrier_is_in_flight() {
    let mut assign = Assign::new(readers(1), Restored::default());
    assign.on(Event::BarrierOut);
    assert_eq!(
        assign.on(Event::Discovered {
            splits: vec![split(1)],
            complete: true
        }),
        []
    );
    assert_eq!(assign.on(Event::Wanted(reader(0))), []);
    let actions = assign.on(Event::BarrierOver);
    assert_eq!(
        given(&actions),
        [(reader(0), vec!["file-1".to_owned()], false), (reader(0), vec![], true)]
    );
}

#[test]
fn an_empty_source_sends_everybody_home_once() {
    let mut assign = Assign::new(readers(2), Restored::default());
    let actions = assign.on(Event::Discovered {
        splits: vec![],
        complete: true,
    });
    assert_eq!(given(&actions), [(reader(0), vec![], true), (reader(1), vec![], true)]);
    assert_eq!(assign.on(Event::Wanted(reader(1))), []);
}

#[derive(Clone, Debug)]
enum Fate {
    Discover { count: usize, complete: bool },
    Want(u32),
    Finish { reader: u32, split: usize },
    Barrier,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        2 => (0..40_usize, prop::bool::weighted(0.1)).prop_map(|(count, complete)| Fate::Discover { count, complete }),
        8 => (0..4_u32).prop_map(Fate::Want),
        4 => (0..3_u32, 0..60_usize).prop_map(|(reader, split)| Fate::Finish { reader, split }),
        3 => Just(Fate::Barrier),
    ]
}

proptest! {
    #[test]
    fn every_split_goes_to_one_reader_in_order_and_none_during_a_barrier(fates in prop::collection::vec(fate(), 1..100)) {
        let mut assign = Assign::new(readers(3), Restored::default());
        let (mut found, mut next, mut frozen, mut complete) = (0, 0, false, false);
        let mut dismissed = BTreeSet::new();
        for fate in fates {
            let event = match fate {
                Fate::Discover { count, complete: last } => {
                    // An enumerator that has said its last says nothing more.
                    let splits = if complete { Vec::new() } else { (found..found + count).map(split).collect() };
                    found += splits.len();
                    complete |= last;
                    Event::Discovered { splits, complete: last }
                }
                Fate::Want(index) => Event::Wanted(reader(index)),
                Fate::Finish { reader: index, split: number } => Event::Finished(reader(index), format!("file-{number}")),
                Fate::Barrier => {
                    frozen = !frozen;
                    if frozen { Event::BarrierOut } else { Event::BarrierOver }
                }
            };
            for Action::Assign { subtask, splits, no_more } in assign.on(event) {
                prop_assert!(!frozen, "nothing moves during a barrier");
                prop_assert!(readers(3).contains(&subtask));
                for one in splits {
                    prop_assert_eq!(one, split(next), "each once, in the order in which they were found");
                    next += 1;
                }
                prop_assert!(!no_more || (complete && next == found), "no more only when there are no more");
                prop_assert!(!no_more || dismissed.insert(subtask), "said once");
            }
            prop_assert_eq!(assign.unassigned().count(), found - next, "unassigned is discovered less held and finished");
        }
    }
}

#[test]
fn what_adopted_readers_hold_or_have_read_since_the_head_is_dealt_to_nobody() {
    let id = |number: usize| split(number).id;
    let restored = Restored {
        unassigned: vec![split(1), split(2), split(3)],
        held: [(reader(0), [id(9)].into())].into(),
        complete: false,
        finished: 0,
    };
    let mut assign = Assign::new(readers(2), restored);
    assign.on(Event::BarrierOut);
    assign.adopt(reader(0), vec![id(2), id(8)], vec![id(9), id(1), id(7)]);
    assign.adopt(reader(1), Vec::new(), Vec::new());
    assert_eq!(assign.on(Event::Wanted(reader(1))), []);
    assert_eq!(assign.finished(), 2, "the head knows of 9 and 1");
    let given_now = given(&assign.on(Event::BarrierOver));
    assert_eq!(given_now, [(reader(1), vec![id(3)], false)]);
    // The enumerator goes on from the head, and finds again what the old leader had dealt out.
    let splits = vec![split(7), split(8), split(4)];
    assert_eq!(assign.on(Event::Discovered { splits, complete: true }), []);
    assert_eq!(assign.finished(), 3);
    let given_now = given(&assign.on(Event::Wanted(reader(1))));
    assert_eq!(given_now[0], (reader(1), vec![id(4)], false));
    assert_eq!(given_now.len(), 3, "and nothing more to either: {given_now:?}");
}

#[test]
fn who_reads_side_by_side_has_its_share_at_once_and_an_answer_even_if_that_is_nothing() {
    let mut assign = Assign::new(readers(2), Restored::default());
    let splits = (0..7).map(split).collect();
    assign.on(Event::Discovered {
        splits,
        complete: false,
    });
    let mut dealt = |index: u32| -> Vec<usize> {
        let given = given(&assign.on(Event::Wanted(reader(index))));
        given
            .iter()
            .map(|(to, splits, _)| (*to == reader(index)).then_some(splits.len()).unwrap())
            .collect()
    };
    assert_eq!(dealt(0), [1], "nobody knows yet that it reads several");
    assert_eq!(dealt(0), [3], "with the one it has, half of all, rounded up");
    assert_eq!(dealt(0), [0], "the rest is the other's");
    assert_eq!((dealt(1), dealt(1), dealt(1)), (vec![1], vec![2], vec![0]));
    assert_eq!(assign.on(Event::Finished(reader(1), split(4).id)), []);
    let splits = vec![split(7), split(8)];
    assert_eq!(
        assign.on(Event::Discovered {
            splits,
            complete: false
        }),
        [],
        "nobody has asked"
    );
    assert_eq!(
        given(&assign.on(Event::Wanted(reader(0))))[0].1.len(),
        0,
        "it has more than its share"
    );
    assert_eq!(given(&assign.on(Event::Wanted(reader(1))))[0].1.len(), 2);
    let last = assign.on(Event::Discovered {
        splits: Vec::new(),
        complete: true,
    });
    assert_eq!(last.len(), 2, "no more, to both");
}

#[test]
fn who_reads_side_by_side_holds_a_bounded_number_and_waits_for_barriers() {
    let mut assign = Assign::new(readers(1), Restored::default());
    assign.on(Event::Discovered {
        splits: (0..100).map(split).collect(),
        complete: false,
    });
    assign.on(Event::Wanted(reader(0)));
    assign.on(Event::BarrierOut);
    assert_eq!(assign.on(Event::Wanted(reader(0))), []);
    let first: usize = given(&assign.on(Event::BarrierOver))
        .iter()
        .map(|(_, splits, _)| splits.len())
        .sum();
    assert_eq!(first, 0, "it has sixteen by the first answer already");
    assign.on(Event::Finished(reader(0), split(3).id));
    assert_eq!(
        given(&assign.on(Event::Wanted(reader(0)))),
        [(reader(0), vec![split(16).id], false)]
    );
}
