//! However rows are cut into batches, a node's tally is what a naive count of its rows gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::compute::filter_record_batch;
use arrow_schema::{DataType, Field, Schema};
use dataflow::contract::BadRecord;
use dataflow::element::{Batch, Watermark, columns};
use dataflow::tally::{Account, Fate, MINUTE_MS, Tally};
use dataflow::time::{ManualClock, WallTime};
use proptest::prelude::*;

use super::{Carries, Meter, Told, Which};
use crate::task::gauges::NodeGauges;

const NOW: i64 = 10_000 * MINUTE_MS;

fn meter() -> Meter {
    Meter::new(Arc::new(ManualClock::at(WallTime(NOW))))
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Kept,
    LeftOut,
    Dead,
}

fn rows(rows: &[(Option<i64>, Then)]) -> RecordBatch {
    let times = rows
        .iter()
        .map(|(time, _)| *time)
        .collect::<TimestampMillisecondArray>();
    let numbers = Int64Array::from_iter_values(0..rows.len() as i64);
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        columns::time().as_ref().clone(),
    ]);
    let columns: Vec<ArrayRef> = vec![Arc::new(numbers), Arc::new(times.with_timezone("UTC"))];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn of(batch: &[(Option<i64>, Then)], wanted: Then) -> RecordBatch {
    let mask: BooleanArray = batch.iter().map(|(_, then)| Some(*then == wanted)).collect();
    filter_record_batch(&rows(batch), &mask).unwrap()
}

/// Passes batches through a node that is a filter with bad records; `timed` says whether what leaves carries its time.
#[expect(clippy::fn_params_excessive_bools, reason = "a coin of the property")]
fn pass(all: &[(Option<i64>, Then)], cuts: &[usize], timed: bool) -> Tally {
    let (mut meter, gauges) = (meter(), NodeGauges::new("filter".to_owned()));
    let (mut left, mut cuts) = (all, cuts.iter().cycle());
    while !left.is_empty() {
        let (batch, rest) = left.split_at((*cuts.next().unwrap()).min(left.len()));
        left = rest;
        let input = rows(batch);
        meter.entered(&gauges, &Batch::new(input.clone()), Carries::RowByRow);
        let failed = batch.iter().enumerate().filter(|(_, (_, then))| *then == Then::Dead);
        let failed: Vec<BadRecord> = failed
            .map(|(row, _)| BadRecord {
                row,
                error: String::new(),
            })
            .collect();
        let kept = of(batch, Then::Kept);
        gauges.leave_out(&input, &kept, &failed);
        gauges.book.tell(Fate::Dead, Which::Bad(&input, &failed));
        let given = if timed { kept } else { kept.project(&[0]).unwrap() };
        if given.num_rows() > 0 {
            meter.left(&gauges, &Batch::new(given), Carries::RowByRow);
        }
        meter.forget();
    }
    gauges.book.tally()
}

fn naive(all: &[(Option<i64>, Then)]) -> BTreeMap<i64, Account> {
    let mut minutes: BTreeMap<i64, Account> = BTreeMap::new();
    for (time, then) in all {
        let account = minutes.entry(time.unwrap_or(NOW).div_euclid(MINUTE_MS)).or_default();
        account.add(Fate::In, 1);
        let fate = match then {
            Then::Kept => Fate::Out,
            Then::LeftOut => Fate::Filtered,
            Then::Dead => Fate::Dead,
        };
        account.add(fate, 1);
    }
    minutes
}

fn row() -> impl Strategy<Value = (Option<i64>, Then)> {
    let minute = |from: i64, to: i64| (from * MINUTE_MS..to * MINUTE_MS).prop_map(Some);
    let time = prop_oneof![8 => minute(9_990, 9_993), 2 => minute(9_900, 10_000), 1 => Just(None)];
    let then = prop_oneof![3 => Just(Then::Kept), 2 => Just(Then::LeftOut), 1 => Just(Then::Dead)];
    (time, then)
}

proptest! {
    #[test]
    fn a_tally_does_not_depend_on_the_batches(
        all in prop::collection::vec(row(), 1..300),
        cuts in prop::collection::vec(1..40_usize, 1..6),
        timed in any::<bool>(),
    ) {
        let tally = pass(&all, &cuts, timed);
        let counted: BTreeMap<i64, Account> = tally.minutes().collect();
        prop_assert_eq!(counted, naive(&all));
        prop_assert!(tally.older().is_empty() && tally.ahead().is_empty());
    }
}

#[test]
fn a_column_that_goes_on_as_it_was_is_looked_at_once() {
    let mut meter = meter();
    let gauges = NodeGauges::new("pass".to_owned());
    let batch = Batch::new(rows(&[(Some(NOW), Then::Kept), (Some(NOW - MINUTE_MS), Then::Kept)]));
    meter.entered(&gauges, &batch, Carries::RowByRow);
    let known = meter.known.clone().unwrap();
    meter.left(&gauges, &batch, Carries::RowByRow);
    assert!(Arc::ptr_eq(&known, meter.known.as_ref().unwrap()));
    assert_eq!(gauges.book.tally().total().rows_out, 2);
    meter.forget();
    assert!(meter.known.is_none(), "its buffers are others' as well");
}

#[test]
fn rows_without_a_time_count_by_their_arrival() {
    let mut meter = meter();
    let gauges = NodeGauges::new("pass".to_owned());
    let batch = Batch::new(rows(&[(Some(0), Then::Kept); 3]).project(&[0]).unwrap());
    meter.entered(&gauges, &batch, Carries::RowByRow);
    meter.left(&gauges, &batch, Carries::RowByRow);
    let minutes: Vec<_> = gauges.book.tally().minutes().collect();
    let account = Account {
        rows_in: 3,
        rows_out: 3,
        ..Account::default()
    };
    assert_eq!(minutes, [(NOW / MINUTE_MS, account)]);
}

#[test]
fn a_row_that_is_lost_inside_a_node_is_missing_of_the_sum() {
    let mut meter = meter();
    let gauges = NodeGauges::new("leaky".to_owned());
    let minutes = [5, 6, 7].map(|minute| (Some((9_000 + minute) * MINUTE_MS), Then::Kept));
    let batch = rows(&minutes);
    meter.entered(&gauges, &Batch::new(batch.clone()), Carries::RowByRow);
    meter.left(
        &gauges,
        &Batch::new(batch.project(&[0]).unwrap().slice(0, 2)),
        Carries::RowByRow,
    );
    let total = gauges.book.tally().total();
    assert_eq!((total.rows_in, total.accounted()), (3, 2));
}

#[test]
fn heartbeats_say_what_has_changed_and_ages_once() {
    let mut meter = meter();
    let gauges = NodeGauges::new("pass".to_owned());
    meter.entered(
        &gauges,
        &Batch::new(rows(&[(Some(NOW - 40), Then::Kept); 16])),
        Carries::RowByRow,
    );
    let (changes, ages) = gauges.book.say(Told::Changes);
    assert_eq!(
        (changes.minutes.len(), ages.came.count(), ages.left.count()),
        (1, 16, 0)
    );
    assert!((ages.came.percentile(50).unwrap() - 40).abs() <= 2);
    let (changes, ages) = gauges.book.say(Told::Changes);
    assert_eq!((changes.minutes.len(), ages.came.count()), (0, 0));
    assert_eq!(
        gauges.book.say(Told::Everything).0.minutes.len(),
        1,
        "to whoever has heard nothing yet"
    );
}

#[test]
fn rows_that_are_given_their_time_count_by_that_and_who_does_not_come_out_is_missing() {
    let mut meter = meter();
    let gauges = NodeGauges::new("eventTime".to_owned());
    let arrived = rows(&[(Some(NOW), Then::Kept); 3]);
    meter.entered(&gauges, &Batch::new(arrived), Carries::Retimed);
    let minute = 1_000;
    let timed = rows(&[(Some(minute * MINUTE_MS), Then::Kept); 2]);
    meter.left(&gauges, &Batch::new(timed), Carries::Retimed);
    let account = Account {
        rows_in: 3,
        rows_out: 2,
        ..Account::default()
    };
    assert_eq!(gauges.book.tally().minutes().collect::<Vec<_>>(), [(minute, account)]);
}

#[test]
fn what_windows_give_counts_where_time_has_come_to() {
    let mut meter = meter();
    let gauges = NodeGauges::new("perMinute".to_owned());
    let came = [1_000, 1_005].map(|minute| (Some(minute * MINUTE_MS), Then::Kept));
    meter.entered(&gauges, &Batch::new(rows(&came)), Carries::Otherwise);
    let fired = || Batch::new(rows(&[(None, Then::Kept); 2]).project(&[0]).unwrap());
    gauges.watermark.set(Watermark(1_003 * MINUTE_MS));
    meter.left(&gauges, &fired(), Carries::Otherwise);
    gauges.watermark.set(Watermark::MAX);
    meter.left(&gauges, &fired(), Carries::Otherwise);
    let out: Vec<_> = gauges
        .book
        .tally()
        .minutes()
        .map(|(minute, account)| (minute, account.rows_out))
        .collect();
    assert_eq!(out, [(1_000, 0), (1_003, 2), (1_005, 2)]);
}

#[test]
fn a_sink_behind_a_step_that_drops_the_time_still_knows_how_old_rows_are() {
    let mut meter = meter();
    let gauges = ["dedup", "sink"].map(|step| NodeGauges::new(step.to_owned()));
    let timed = rows(&[(Some(NOW - 500), Then::Kept); 4]);
    let untimed = Batch::new(timed.project(&[0]).unwrap());
    meter.entered(&gauges[0], &Batch::new(timed), Carries::RowByRow);
    meter.left(&gauges[0], &untimed, Carries::RowByRow);
    meter.entered(&gauges[1], &untimed, Carries::RowByRow);
    meter.written(&gauges[1]);
    let (_, ages) = gauges[1].book.say(Told::Changes);
    assert_eq!((ages.came.count(), ages.left.count()), (4, 4));
    assert!((ages.left.percentile(50).unwrap() - 500).abs() <= 31);
    meter.forget();
    meter.entered(&gauges[1], &untimed, Carries::RowByRow);
    assert_eq!(
        gauges[1].book.say(Told::Changes).1.came.count(),
        0,
        "others are under way"
    );
}
