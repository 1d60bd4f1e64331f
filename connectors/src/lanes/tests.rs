//! Lanes whose rows are times, read as a subtask with `maxDrift` would have them read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray as _, Int64Array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Gives its times one by one.
struct Times {
    split: Split,
    next: usize,
    times: Vec<i64>,
    /// It has nothing so often before its first row.
    starved: usize,
}

impl Lane for Times {
    fn snapshot(&self) -> Split {
        let position = if self.next == 0 { Value::Null } else { self.next.into() };
        Split {
            position,
            ..self.split.clone()
        }
    }

    fn advance(&mut self) -> Result<Advance, Failure> {
        if self.starved > 0 {
            self.starved -= 1;
            return Ok(Advance::Starved);
        }
        let Some(time) = self.times.get(self.next) else {
            return Ok(Advance::Finished);
        };
        self.next += 1;
        let schema = Schema::new(vec![Field::new("time", DataType::Int64, false)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(vec![*time]))]);
        Ok(Advance::Batch(batch.unwrap()))
    }
}

/// What each split holds, by its id.
type World = BTreeMap<String, Vec<i64>>;

fn world(splits: &[&[i64]]) -> World {
    let named = splits.iter().enumerate();
    named
        .map(|(number, times)| (format!("{number:03}"), times.to_vec()))
        .collect()
}

fn splits(world: &World) -> Vec<Split> {
    let ids = world.keys();
    ids.map(|id| Split {
        id: id.clone(),
        spec: Value::Null,
        position: Value::Null,
    })
    .collect()
}

fn open(world: &World, starved: usize) -> impl FnMut(Split) -> Result<Times, Failure> {
    move |split| {
        Ok(Times {
            next: usize::try_from(split.position.as_u64().unwrap_or(0)).unwrap(),
            times: world[&split.id].clone(),
            starved,
            split,
        })
    }
}

/// Reads all, holding what is `drift` ahead of the slowest split that has begun; the order of times, and how often nothing
/// came. Cut and restored after `cut` rows.
fn read(world: &World, drift: i64, starved: usize, mut cut: usize) -> Vec<i64> {
    let mut lanes = Lanes::new(Alignment::ByDrift, 1);
    lanes.assign(splits(world));
    lanes.complete();
    let mut reached: BTreeMap<String, i64> = BTreeMap::new();
    let (mut given, mut nothing) = (Vec::new(), 0);
    loop {
        if given.len() == cut {
            cut = usize::MAX;
            let left = lanes.snapshot();
            lanes = Lanes::new(Alignment::ByDrift, 1);
            lanes.assign(left);
            lanes.complete();
        }
        if let Some(lowest) = reached.values().min().copied() {
            let ahead = reached.iter().filter(|(_, at)| **at > lowest + drift);
            lanes.hold(&ahead.map(|(id, _)| id.clone()).collect());
        }
        let before = lanes.snapshot();
        match lanes.next(open(world, starved)).unwrap() {
            Gave::Batch(batch) => {
                nothing = 0;
                let after = lanes.snapshot();
                let moved = after
                    .iter()
                    .find(|split| split.position.as_u64() > position(&before, &split.id));
                let time = batch.column(0).as_primitive::<Int64Type>().value(0);
                let at = reached.entry(moved.unwrap().id.clone()).or_insert(time);
                *at = time.max(*at);
                given.push(time);
            }
            Gave::Finished(id, _) => {
                reached.remove(&id);
            }
            Gave::Nothing => {
                nothing += 1;
                assert!(nothing < 1_000, "nobody can go on: {:?} of {before:?}", lanes.ahead);
            }
            Gave::End => return given,
        }
        assert!(lanes.open.len() <= SIDE_BY_SIDE_MAX, "{} are open", lanes.open.len());
    }
}

fn position(splits: &[Split], id: &str) -> Option<u64> {
    let found = splits.iter().find(|split| split.id == id);
    found.and_then(|split| split.position.as_u64())
}

#[test]
fn one_after_another_the_first_is_read_to_its_end() {
    let world = world(&[&[1, 5], &[2, 6]]);
    let mut lanes = Lanes::new(Alignment::Free, 2);
    lanes.assign(splits(&world));
    let mut given = Vec::new();
    loop {
        match lanes.next(open(&world, 0)).unwrap() {
            Gave::Batch(batch) => given.push(batch.column(0).as_primitive::<Int64Type>().value(0)),
            Gave::Finished(..) => {}
            Gave::Nothing => break,
            Gave::End => panic!("nobody said that there will be no more"),
        }
    }
    assert_eq!((given, lanes.room()), (vec![1, 5, 2, 6], 0));
}

#[test]
fn side_by_side_no_split_is_further_ahead_than_the_drift() {
    let world = world(&[&[0, 10, 20, 30, 40], &[0, 1, 2, 3, 4, 5], &[35, 36]]);
    assert_eq!(
        read(&world, 10, 0, usize::MAX),
        [0, 0, 35, 10, 1, 20, 2, 3, 4, 5, 30, 36, 40]
    );
}

#[test]
fn what_has_given_nothing_yet_is_waited_for() {
    let world = world(&[&[10, 11, 12], &[5, 6]]);
    let mut lanes = Lanes::new(Alignment::ByDrift, 1);
    lanes.assign(splits(&world));
    assert_eq!(lanes.room(), SIDE_BY_SIDE_MAX - 2);
    let late = |split: Split| {
        let starved = if split.id == "001" { 3 } else { 0 };
        open(&world, starved)(split)
    };
    let mut kinds = Vec::new();
    for _ in 0..6 {
        kinds.push(match lanes.next(late).unwrap() {
            Gave::Batch(batch) => batch.column(0).as_primitive::<Int64Type>().value(0),
            Gave::Nothing => -1,
            Gave::Finished(..) | Gave::End => panic!("too early"),
        });
    }
    assert_eq!(
        kinds,
        [10, -1, -1, -1, 5, 11],
        "nothing of the first before the second has said when it is"
    );
}

#[test]
fn of_more_splits_than_may_be_open_the_one_that_all_wait_for_is_read() {
    // All that are open are ahead of one that was begun before, and waits.
    let many: Vec<Vec<i64>> = (0..SIDE_BY_SIDE_MAX)
        .map(|_| vec![0, 1_000])
        .chain([vec![0, 1, 2]])
        .collect();
    let many: Vec<&[i64]> = many.iter().map(Vec::as_slice).collect();
    let world = world(&many);
    let mut begun = splits(&world);
    for split in &mut begun {
        split.position = 1.into();
    }
    let last = begun.last().unwrap().id.clone();
    let mut lanes = Lanes::new(Alignment::ByDrift, 1);
    lanes.assign(begun);
    lanes.hold(&world.keys().filter(|id| **id != last).cloned().collect());
    let Gave::Batch(batch) = lanes.next(open(&world, 0)).unwrap() else {
        panic!("the last one can be read")
    };
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 1);
    assert_eq!(
        (lanes.open.len(), lanes.snapshot().len()),
        (SIDE_BY_SIDE_MAX, SIDE_BY_SIDE_MAX + 1)
    );
}

proptest! {
    /// Whatever the splits hold, however often they have nothing, wherever the reader is cut: all rows come, each split's in
    /// its order, and somebody can always go on.
    #[test]
    fn all_rows_come_and_somebody_can_always_go_on(
        times in prop::collection::vec(prop::collection::vec(0i64..200, 0..12), 0..40),
        drift in 0i64..50, starved in 0usize..3, cut in 0usize..60,
    ) {
        let sorted: Vec<Vec<i64>> = times.into_iter().map(|mut times| { times.sort_unstable(); times }).collect();
        let slices: Vec<&[i64]> = sorted.iter().map(Vec::as_slice).collect();
        let mut given = read(&world(&slices), drift, starved, cut);
        given.sort_unstable();
        let mut all: Vec<i64> = sorted.concat();
        all.sort_unstable();
        prop_assert_eq!(given, all);
    }
}
