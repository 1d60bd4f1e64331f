//! The contract of a channel, run by the local one here and by the remote one in `network`: one suite, any pair of ends.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BinaryViewArray, Int64Array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use dataflow::contract::Waker;
use dataflow::element::{Barrier, Batch, Element, Roll, Watermark};
use dataflow::error::{Disposition, Failure};
use dataflow::id::{BarrierId, EdgeId, Generation, JobId, SubtaskId, VertexId};
use dataflow::time::SystemClock;
use parking_lot::{Condvar, Mutex};

use super::credit::{BURST, EXCLUSIVE};
use super::*;

/// Counts wake-ups, and lets a test wait for one.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<(Mutex<u64>, Condvar)>);

impl Bell {
    pub(crate) fn waker(&self) -> Waker {
        let bell = self.clone();
        Waker::new(move || {
            *bell.0.0.lock() += 1;
            bell.0.1.notify_all();
        })
    }

    pub(crate) fn count(&self) -> u64 {
        *self.0.0.lock()
    }

    /// Waits for the next ring, a little.
    fn pause(&self) {
        self.0.1.wait_for(&mut self.0.0.lock(), Duration::from_millis(5));
    }

    /// Waits until it has rung more than `before` times.
    pub(crate) fn wait(&self, before: u64) {
        let mut count = self.0.0.lock();
        while *count <= before {
            let waited = self.0.1.wait_for(&mut count, Duration::from_secs(60));
            assert!(!waited.timed_out(), "nobody woke the test within a minute");
        }
    }
}

/// Both ends of a channel, driven by one thread.
pub(crate) struct Pair {
    pub(crate) outlet: Option<Outlet>,
    pub(crate) inlet: Option<Inlet>,
    pub(crate) bell: Bell,
    pub(crate) pool: SharedPool,
    /// Runtimes and whatever else the channel stands on.
    pub(crate) _ground: Box<dyn Any>,
}

pub(crate) fn id() -> ChannelId {
    ChannelId {
        job: JobId {
            name: "job".to_owned(),
            life: 1,
        },
        generation: Generation { term: 1, deployment: 2 },
        edge: EdgeId(3),
        from: SubtaskId {
            vertex: VertexId(0),
            index: 4,
        },
        to: SubtaskId {
            vertex: VertexId(1),
            index: 5,
        },
    }
}

pub(crate) fn receiving(bell: &Bell, pool: &SharedPool) -> Receiving {
    Receiving {
        pool: pool.clone(),
        clock: Arc::new(SystemClock::start()),
        waker: bell.waker(),
    }
}

impl Pair {
    /// Sends, whatever the credit.
    pub(crate) fn send(&mut self, element: Element) {
        self.outlet.as_mut().unwrap().send(element).unwrap();
    }

    /// The next element; sends what waits for credit meanwhile.
    pub(crate) fn receive(&mut self) -> Result<Element, Failure> {
        loop {
            let before = self.bell.count();
            if let Some(outlet) = &mut self.outlet {
                outlet.pump()?;
            }
            if let Some(element) = self.inlet.as_mut().unwrap().take()? {
                return Ok(element);
            }
            self.bell.wait(before);
        }
    }

    /// Waits until nothing waits for credit.
    fn clear(&mut self) {
        loop {
            let before = self.bell.count();
            let outlet = self.outlet.as_mut().unwrap();
            outlet.pump().unwrap();
            if outlet.is_clear() {
                return;
            }
            self.bell.wait(before);
        }
    }

    /// Waits until the outlet says that the channel failed.
    fn failure_at_sender(&mut self) -> Failure {
        loop {
            let before = self.bell.count();
            let outlet = self.outlet.as_mut().unwrap();
            let sent = outlet.send(Element::Batch(rows(0..1, 8)));
            if let Err(failure) = sent.and_then(|()| outlet.pump()) {
                return failure;
            }
            self.bell.wait(before);
        }
    }
}

/// Rows of a number and `bytes` bytes that follow from it.
pub(crate) fn rows(numbers: std::ops::Range<i64>, bytes: usize) -> Batch {
    let raw = BinaryViewArray::from_iter_values(numbers.clone().map(|number| content(number, bytes)));
    let number: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    Batch::new(RecordBatch::try_from_iter([("n", number), ("raw", Arc::new(raw) as ArrayRef)]).unwrap())
}

fn content(number: i64, bytes: usize) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(bytes).collect()
}

/// The numbers of a batch whose bytes are as they were sent.
pub(crate) fn numbers(batch: &Batch) -> Vec<i64> {
    let raw = batch.records().column(1).as_binary_view();
    let numbers = batch.records().column(0).as_primitive::<Int64Type>().values().to_vec();
    for (row, number) in numbers.iter().enumerate() {
        assert!(
            raw.value(row) == content(*number, raw.value(row).len()),
            "row {number} was damaged"
        );
    }
    numbers
}

fn barrier(counter: u64) -> Element {
    Element::Barrier(Barrier {
        id: BarrierId {
            generation: id().generation,
            counter,
        },
        roll: Roll::All,
    })
}

/// An element in words; batches as their numbers, so that slicing does not show.
fn describe(elements: Vec<Element>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for element in elements {
        match element {
            Element::Batch(batch) => out.extend(numbers(&batch).iter().map(ToString::to_string)),
            Element::Watermark(watermark) => out.push(format!("watermark {}", watermark.0)),
            Element::Barrier(barrier) => out.push(format!("barrier {} {:?}", barrier.id, barrier.roll)),
            Element::Idle => out.push("idle".to_owned()),
            Element::End => out.push("end".to_owned()),
        }
    }
    out
}

fn receive_until_end(pair: &mut Pair) -> Vec<String> {
    let mut elements = Vec::new();
    loop {
        elements.push(pair.receive().unwrap());
        if matches!(elements.last(), Some(Element::End)) {
            return describe(elements);
        }
    }
}

/// All that a channel promises. `make` gives a fresh pair over a floating pool of so many bytes.
pub(crate) fn suite(make: &dyn Fn(u64) -> Pair) {
    for pool in [0, 1 << 20, 64 << 20] {
        elements_arrive_once_and_in_order(&mut make(pool));
        rows_larger_than_the_window_arrive(&mut make(pool));
        a_stuck_receiver_bounds_what_is_accepted(&mut make(pool), pool);
    }
    signals_keep_their_place_and_need_no_credit(&mut make(0));
    a_barrier_overtakes_what_waits_at_both_ends(&mut make(0));
    a_barrier_overtakes_an_end_that_waits(&mut make(0));
    waiting_watermarks_are_merged(&mut make(0));
    an_end_that_was_taken_fails_nobody(&mut make(1 << 20));
    a_sender_that_goes_early_fails_the_receiver(&mut make(1 << 20));
    a_receiver_that_goes_early_fails_the_sender(&mut make(1 << 20));
}

fn elements_arrive_once_and_in_order(pair: &mut Pair) {
    let mut expected = Vec::new();
    for step in 0..50 {
        let numbers = step * 1000..step * 1000 + 1 + step * 13 % 900;
        expected.extend(numbers.clone().map(|number| number.to_string()));
        pair.send(Element::Batch(rows(numbers, 300)));
        match step % 5 {
            1 => {
                pair.send(barrier(u64::try_from(step).unwrap()));
                expected.push(format!("barrier chk-1.2.{step} All"));
            }
            3 => {
                pair.send(Element::Watermark(Watermark(step)));
                expected.push(format!("watermark {step}"));
                pair.send(Element::Idle);
                expected.push("idle".to_owned());
            }
            _ => {}
        }
    }
    pair.send(Element::End);
    expected.push("end".to_owned());
    assert_eq!(receive_until_end(pair), expected);
    assert!(pair.outlet.as_ref().unwrap().is_clear());
}

/// Waits until a barrier has come; sends nothing meanwhile.
fn await_barrier(pair: &Pair, barrier: BarrierId) {
    loop {
        let before = pair.bell.count();
        if pair.inlet.as_ref().unwrap().has_come(barrier) {
            return;
        }
        pair.bell.wait(before);
    }
}

/// Nothing is taken: the barrier comes all the same, and what it passed at either end is known, in order, and still comes.
fn a_barrier_overtakes_what_waits_at_both_ends(pair: &mut Pair) {
    pair.send(Element::Batch(rows(0..1, 10)));
    pair.clear();
    let mut expected = vec!["0".to_owned()];
    let mut sent = 1;
    // Credit on its way may clear the outlet again; then a little more waits soon.
    while pair.outlet.as_ref().unwrap().is_clear() {
        pair.send(Element::Batch(rows(sent..sent + 100, 1000)));
        pair.send(Element::Watermark(Watermark(sent)));
        expected.extend((sent..sent + 100).map(|number| number.to_string()));
        expected.push(format!("watermark {sent}"));
        sent += 100;
    }
    let Element::Barrier(cut) = barrier(1) else {
        unreachable!()
    };
    assert!(!pair.inlet.as_ref().unwrap().has_come(cut.id));
    let behind = pair.outlet.as_mut().unwrap().overtake(cut).unwrap();
    assert!(!behind.is_empty(), "something waits for credit");
    pair.send(Element::Batch(rows(sent..sent + 1, 10)));
    await_barrier(pair, cut.id);
    let before = pair.inlet.as_mut().unwrap().overtake(cut.id).unwrap();
    assert!(!before.is_empty(), "something has come");
    let passed = describe(before.into_iter().chain(behind).collect());
    assert_eq!(passed, expected);
    pair.send(Element::End);
    expected.extend([sent.to_string(), "end".to_owned()]);
    assert_eq!(
        receive_until_end(pair),
        expected,
        "all comes once, and the barrier was taken"
    );
}

fn a_barrier_overtakes_an_end_that_waits(pair: &mut Pair) {
    let mut sent = 0;
    while pair.outlet.as_ref().unwrap().is_clear() {
        pair.send(Element::Batch(rows(sent..sent + 100, 1000)));
        sent += 100;
    }
    pair.send(Element::End);
    let Element::Barrier(cut) = barrier(1) else {
        unreachable!()
    };
    pair.outlet.as_mut().unwrap().overtake(cut).unwrap();
    await_barrier(pair, cut.id);
    let received = receive_until_end(pair);
    assert_eq!(received.len(), usize::try_from(sent).unwrap() + 2);
    assert_eq!(received.iter().filter(|text| text.starts_with("barrier")).count(), 1);
    // An end that has left stands for every barrier.
    assert!(pair.outlet.as_mut().unwrap().overtake(cut).unwrap().is_empty());
}

fn rows_larger_than_the_window_arrive(pair: &mut Pair) {
    pair.send(Element::Batch(rows(0..3, 3 << 20)));
    pair.send(Element::Batch(rows(3..4, 10)));
    pair.send(Element::Batch(rows(4..6, 100_000)));
    pair.send(Element::End);
    assert_eq!(receive_until_end(pair), ["0", "1", "2", "3", "4", "5", "end"]);
}

/// The receiver takes nothing: what the channel accepts is bounded by the window and what may be floating, and all of
/// it comes once the receiver goes on.
fn a_stuck_receiver_bounds_what_is_accepted(pair: &mut Pair, pool: u64) {
    let mut sent = 0;
    let mut accepted = 0;
    // Credit on its way may clear the outlet again: it is stuck when all that left it has come, and more waits.
    for _ in 0..10_000 {
        let outlet = pair.outlet.as_mut().unwrap();
        outlet.pump().unwrap();
        let here = pair.inlet.as_ref().unwrap().queued_bytes() + outlet.waiting_bytes();
        if outlet.is_clear() {
            let batch = rows(sent..sent + 100, 1000);
            accepted += credit::cost(&batch);
            sent += 100;
            pair.send(Element::Batch(batch));
        } else if here >= accepted {
            break;
        } else {
            pair.bell.pause();
        }
    }
    let settled = |pair: &Pair| {
        (
            pair.inlet.as_ref().unwrap().queued_bytes(),
            pair.outlet.as_ref().unwrap().is_clear(),
        )
    };
    assert!(!settled(pair).1, "a channel accepts no end of rows that nobody takes");
    let bound = EXCLUSIVE + (pool / 2).min(BURST);
    let (queued, _) = settled(pair);
    assert!(queued <= bound, "{queued} bytes wait, at most {bound} may");
    assert!(pair.pool.leased() <= pool / 2);
    let waits = pair.outlet.as_ref().unwrap().waits_for().unwrap();
    assert_eq!(waits, "credit of edge-3 to sub-1.5");
    pair.send(Element::End);
    let received = receive_until_end(pair);
    assert_eq!(received.len(), usize::try_from(sent).unwrap() + 1);
    assert!(
        received
            .iter()
            .zip(0..sent)
            .all(|(found, number)| *found == number.to_string())
    );
    pair.inlet = None;
    assert_eq!(pair.pool.leased(), 0);
}

fn signals_keep_their_place_and_need_no_credit(pair: &mut Pair) {
    pair.send(Element::Watermark(Watermark(1)));
    pair.send(barrier(1));
    pair.send(Element::Batch(rows(0..2000, 1000)));
    pair.send(barrier(2));
    pair.send(Element::End);
    let received = receive_until_end(pair);
    assert_eq!(received[..2], ["watermark 1", "barrier chk-1.2.1 All"]);
    assert_eq!(received[2002..], ["barrier chk-1.2.2 All", "end"]);
}

fn waiting_watermarks_are_merged(pair: &mut Pair) {
    pair.send(Element::Batch(rows(0..2000, 1000)));
    for step in 0..1000 {
        pair.send(Element::Watermark(Watermark(step)));
        pair.send(Element::Idle);
    }
    pair.send(Element::End);
    assert_eq!(receive_until_end(pair)[2000..], ["watermark 999", "idle", "end"]);
}

fn an_end_that_was_taken_fails_nobody(pair: &mut Pair) {
    pair.send(Element::Batch(rows(0..2, 10)));
    pair.send(Element::End);
    pair.clear();
    pair.outlet = None;
    assert_eq!(receive_until_end(pair), ["0", "1", "end"]);
    assert!(pair.inlet.as_mut().unwrap().take().unwrap().is_none());
}

fn a_sender_that_goes_early_fails_the_receiver(pair: &mut Pair) {
    pair.send(Element::Batch(rows(0..2, 10)));
    assert_eq!(describe(vec![pair.receive().unwrap()]), ["0", "1"]);
    pair.outlet = None;
    let failure = pair.receive().unwrap_err();
    assert_eq!(failure.disposition, Disposition::Retry);
    assert_eq!(
        failure.message,
        "sub-0.4, which sends edge-3 to sub-1.5, went away before its end"
    );
}

fn a_receiver_that_goes_early_fails_the_sender(pair: &mut Pair) {
    pair.send(Element::Batch(rows(0..2, 10)));
    assert_eq!(describe(vec![pair.receive().unwrap()]), ["0", "1"]);
    pair.inlet = None;
    let failure = pair.failure_at_sender();
    assert_eq!(failure.disposition, Disposition::Retry);
    assert!(
        failure.message.contains("sub-1.5") || failure.message.contains("to sub-1.5"),
        "{}",
        failure.message
    );
}

fn local_pair(pool: u64) -> Pair {
    let (bell, pool) = (Bell::default(), SharedPool::new(pool));
    let (outlet, inlet) = local(id(), receiving(&bell, &pool), bell.waker());
    Pair {
        outlet: Some(outlet),
        inlet: Some(inlet),
        bell,
        pool,
        _ground: Box::new(()),
    }
}

#[test]
fn a_local_channel_keeps_the_contract() {
    suite(&local_pair);
}

#[test]
fn a_local_batch_is_handed_over_and_not_copied() {
    let mut pair = local_pair(1 << 20);
    let batch = rows(0..100, 100);
    let buffer = |batch: &Batch| batch.records().column(1).as_binary_view().data_buffers()[0].as_ptr();
    let sent = buffer(&batch);
    pair.send(Element::Batch(batch));
    let Element::Batch(received) = pair.receive().unwrap() else {
        panic!("a batch was sent")
    };
    assert_eq!(buffer(&received), sent);
}

#[test]
fn a_channel_wakes_only_who_found_nothing() {
    let mut pair = local_pair(0);
    assert!(pair.inlet.as_mut().unwrap().take().unwrap().is_none());
    pair.send(Element::Batch(rows(0..1, 8)));
    assert_eq!(pair.bell.count(), 1);
    pair.send(Element::Batch(rows(1..2, 8)));
    assert_eq!(pair.bell.count(), 1);
}
