//! Who gets which rows, and when: checked by rows themselves, over local channels.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray, Int64Array, StringViewArray, new_null_array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use dataflow::contract::Waker;
use dataflow::element::{BATCH_ROWS_MAX, Barrier, Batch, Element, Roll, Watermark, columns};
use dataflow::id::{BarrierId, EdgeId, SubtaskId, VertexId};
use dataflow::key::{KeyReader, key_group, range};
use dataflow::recipe::Partition;
use dataflow::time::{Instant, SystemClock};
use proptest::prelude::*;

use super::*;
use crate::channel::tests::id;
use crate::channel::{ChannelId, Inlet, Receiving, SharedPool, local};

const MAX_PARALLELISM: u32 = 64;

fn by_key() -> Partition {
    Partition::Hash {
        keys: vec!["key".parse().unwrap()],
        max_parallelism: MAX_PARALLELISM,
    }
}

fn records(rows: &[(i64, Option<String>)]) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(number, _)| *number)));
    let keys: ArrayRef = Arc::new(StringViewArray::from_iter(rows.iter().map(|(_, key)| key.as_deref())));
    RecordBatch::try_from_iter_with_nullable([("n", numbers, false), ("key", keys, true)]).unwrap()
}

fn many(numbers: std::ops::Range<i64>) -> RecordBatch {
    records(
        &numbers
            .map(|number| (number, Some(format!("key-{}", number % 37))))
            .collect::<Vec<_>>(),
    )
}

fn numbers(records: &RecordBatch) -> Vec<i64> {
    records.column(0).as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn rows_are_dealt_out_by_keys_of_any_type() {
    let keys = [
        Some("12"),
        Some("\"12\""),
        Some("{\"a\":1}"),
        None,
        Some("12"),
        Some("{\"a\":1}"),
        None,
    ];
    let schema = Arc::new(Schema::new(vec![columns::any("key")]));
    let column: ArrayRef = Arc::new(StringViewArray::from_iter(keys));
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let mut partitioner = Partitioner::new(&by_key(), &schema, 64, 0).unwrap();
    let mut seen = BTreeMap::new();
    for (target, rows) in partitioner.split(&rows).unwrap() {
        for key in rows.column(0).as_string_view() {
            assert_eq!(*seen.entry(key.map(str::to_owned)).or_insert(target), target);
        }
    }
    assert_eq!(seen.len(), 4);
}

fn output(partition: &Partition, targets: u32) -> (Output, Vec<Inlet>) {
    let pool = SharedPool::new(64 << 20);
    let ends = (0..targets).map(|index| {
        let id = ChannelId {
            to: SubtaskId {
                vertex: VertexId(1),
                index,
            },
            ..id()
        };
        let clock = Arc::new(SystemClock::start());
        local(
            id,
            Receiving {
                pool: pool.clone(),
                clock,
                waker: Waker::new(|| {}),
            },
            Waker::new(|| {}),
        )
    });
    let (outlets, inlets) = ends.unzip();
    let output = Output::new(
        EdgeId(3),
        partition,
        &many(0..0).schema(),
        outlets,
        std::time::Duration::from_millis(5),
    );
    (output.unwrap(), inlets)
}

fn now() -> Instant {
    Instant::default()
}

/// What each target got, batches as numbers.
fn received(inlets: &mut [Inlet]) -> Vec<Vec<String>> {
    let all = |inlet: &mut Inlet| {
        std::iter::from_fn(|| inlet.take().unwrap())
            .map(|element| match element {
                Element::Batch(batch) => format!("{:?}", numbers(batch.records())),
                Element::Watermark(watermark) => format!("watermark {}", watermark.0),
                other => format!("{other:?}"),
            })
            .collect()
    };
    inlets.iter_mut().map(all).collect()
}

#[test]
fn every_row_goes_to_the_owner_of_its_key_in_order() {
    let batch = many(0..1000);
    let mut partitioner = Partitioner::new(&by_key(), &batch.schema(), 5, 0).unwrap();
    let keys = KeyReader::new(&batch.schema(), &["key".parse().unwrap()]).unwrap();
    let mut seen = BTreeMap::new();
    for (target, part) in partitioner.split(&batch).unwrap() {
        let mut hashes = Vec::new();
        keys.hashes(&part, &mut hashes).unwrap();
        let owned = range(u32::try_from(target).unwrap(), 5, MAX_PARALLELISM);
        assert!(
            hashes
                .iter()
                .all(|hash| owned.contains(&key_group(*hash, MAX_PARALLELISM)))
        );
        assert!(numbers(&part).is_sorted());
        seen.extend(numbers(&part).into_iter().map(|number| (number, target)));
    }
    assert_eq!(seen.len(), 1000);
    assert!(seen.values().collect::<std::collections::BTreeSet<_>>().len() == 5);
}

#[test]
fn a_column_of_nothing_is_dealt_out_without_being_gathered() {
    let rows = many(0..100);
    let none = new_null_array(&DataType::Binary, rows.num_rows());
    let schema = Schema::new(vec![
        rows.schema().field(0).clone(),
        Field::new("none", DataType::Binary, true),
        rows.schema().field(1).clone(),
    ]);
    let columns = vec![
        Arc::clone(rows.column(0)),
        Arc::clone(&none),
        Arc::clone(rows.column(1)),
    ];
    let wide = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let mut partitioner = Partitioner::new(&by_key(), &wide.schema(), 3, 0).unwrap();
    let mut narrow = Partitioner::new(&by_key(), &rows.schema(), 3, 0).unwrap();
    let parts = partitioner.split(&wide).unwrap();
    for ((target, part), (expected_target, expected)) in parts.iter().zip(narrow.split(&rows).unwrap()) {
        assert_eq!((*target, part.project(&[0, 2]).unwrap()), (expected_target, expected));
        let empty = part.column(1);
        assert_eq!((empty.len(), empty.null_count()), (part.num_rows(), part.num_rows()));
        assert_eq!(
            empty.to_data().buffers()[1].as_ptr(),
            none.to_data().buffers()[1].as_ptr()
        );
    }
    assert_eq!(parts.len(), 3);
}

#[test]
fn a_batch_of_one_owner_is_not_copied() {
    let batch = records(&vec![(1, Some("one key, longer than twelve bytes".to_owned())); 10]);
    let mut partitioner = Partitioner::new(&by_key(), &batch.schema(), 5, 0).unwrap();
    let parts = partitioner.split(&batch).unwrap();
    assert_eq!(parts.len(), 1);
    assert!(Arc::ptr_eq(parts[0].1.column(1), batch.column(1)));
}

#[test]
fn rebalance_deals_batches_in_turn_from_where_it_begins() {
    let batch = many(0..3);
    let mut partitioner = Partitioner::new(&Partition::Rebalance, &batch.schema(), 3, 7).unwrap();
    let targets: Vec<usize> = (0..4).map(|_| partitioner.split(&batch).unwrap()[0].0).collect();
    assert_eq!(targets, [1, 2, 0, 1]);
}

#[test]
fn broadcast_gives_every_row_to_every_target() {
    let (mut output, mut inlets) = output(&Partition::Broadcast, 3);
    output.send(Element::Batch(Batch::new(many(0..3))), now()).unwrap();
    output.flush().unwrap();
    assert_eq!(received(&mut inlets), vec![vec!["[0, 1, 2]"]; 3]);
}

#[test]
fn small_batches_are_merged_until_they_are_flushed() {
    let (mut output, mut inlets) = output(&Partition::Forward, 1);
    for number in 0..3 {
        output
            .send(Element::Batch(Batch::new(many(number..number + 1))), now())
            .unwrap();
    }
    assert_eq!(output.flush_at(), Some(now() + std::time::Duration::from_millis(5)));
    assert!(received(&mut inlets)[0].is_empty());
    assert!(output.waiting_bytes() > 0);
    output.flush().unwrap();
    assert_eq!(output.flush_at(), None);
    assert_eq!(received(&mut inlets), [["[0, 1, 2]"]]);
}

#[test]
fn a_full_batch_goes_at_once_and_behind_what_waited() {
    let (mut output, mut inlets) = output(&Partition::Forward, 1);
    output.send(Element::Batch(Batch::new(many(0..2))), now()).unwrap();
    let large = i64::try_from(BATCH_ROWS_MAX).unwrap();
    output.send(Element::Batch(Batch::new(many(2..large))), now()).unwrap();
    assert_eq!(output.flush_at(), None);
    let found = received(&mut inlets).remove(0);
    assert_eq!(found[0], "[0, 1]");
    assert!(found.len() >= 2);
}

#[test]
fn merged_batches_stay_within_the_size_of_a_batch() {
    let (mut output, mut inlets) = output(&Partition::Forward, 1);
    for step in 0..30 {
        output
            .send(Element::Batch(Batch::new(many(step * 1000..(step + 1) * 1000))), now())
            .unwrap();
    }
    output.flush().unwrap();
    let mut total = 0;
    while let Some(Element::Batch(batch)) = inlets[0].take().unwrap() {
        assert!(batch.row_count() <= BATCH_ROWS_MAX);
        total += batch.row_count();
        output.pump().unwrap();
    }
    assert_eq!(total, 30_000);
}

#[test]
fn whatever_is_no_batch_goes_to_all_behind_the_rows_before_it() {
    let (mut output, mut inlets) = output(&Partition::Rebalance, 2);
    output.send(Element::Batch(Batch::new(many(0..1))), now()).unwrap();
    output.send(Element::Watermark(Watermark(7)), now()).unwrap();
    let id = BarrierId {
        generation: id().generation,
        counter: 1,
    };
    output
        .send(Element::Barrier(Barrier { id, roll: Roll::Keep }), now())
        .unwrap();
    output.send(Element::End, now()).unwrap();
    let found = received(&mut inlets);
    for target in &found {
        assert_eq!(target[target.len() - 3], "watermark 7");
        assert!(target[target.len() - 2].starts_with("Barrier"));
        assert_eq!(target[target.len() - 1], "End");
    }
    // The sender is subtask 4 of its vertex: its round begins at 4 mod 2.
    assert_eq!((found[0].len(), found[1].len()), (4, 3));
    assert!(output.is_clear());
}

#[test]
fn a_key_that_is_not_there_is_a_failure_of_the_job() {
    let partition = Partition::Hash {
        keys: vec!["nowhere".parse().unwrap()],
        max_parallelism: 8,
    };
    let failure = Partitioner::new(&partition, &many(0..0).schema(), 2, 0).err().unwrap();
    assert_eq!(
        failure.message,
        "the rows cannot be dealt out by their key: the rows have no field `nowhere`"
    );
}

proptest! {
    #[test]
    fn splitting_keeps_every_row_once(
        rows in prop::collection::vec((any::<i64>(), prop::option::of("[a-z]{0,20}")), 0..200),
        targets in 1usize..9,
    ) {
        let batch = records(&rows);
        let mut partitioner = Partitioner::new(&by_key(), &batch.schema(), targets, 0).unwrap();
        let mut found: Vec<i64> = Vec::new();
        let mut homes: BTreeMap<Option<String>, usize> = BTreeMap::new();
        for (target, part) in partitioner.split(&batch).unwrap() {
            found.extend(numbers(&part));
            for key in part.column(1).as_string_view() {
                let home = *homes.entry(key.map(str::to_owned)).or_insert(target);
                prop_assert_eq!(home, target, "equal keys meet");
            }
        }
        found.sort_unstable();
        let mut expected: Vec<i64> = rows.iter().map(|(number, _)| *number).collect();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}
