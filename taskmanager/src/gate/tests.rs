//! The gate over local channels, and its two machines alone under random events.

use std::sync::Arc;
use std::time::Duration;

use dataflow::contract::Waker;
use dataflow::element::{Roll, Watermark};
use dataflow::id::{BarrierId, Generation, SubtaskId, VertexId};
use dataflow::time::SystemClock;
use proptest::prelude::*;

use super::*;
use crate::channel::tests::{id, numbers, rows};
use crate::channel::{ChannelId, Outlet, Receiving, SharedPool, local};

fn at(millis: u64) -> Instant {
    Instant::from_start(Duration::from_secs(3600) + Duration::from_millis(millis))
}

fn barrier(counter: u64) -> Barrier {
    let generation = Generation { term: 1, deployment: 1 };
    Barrier {
        id: BarrierId { generation, counter },
        roll: Roll::Keep,
    }
}

fn gate(channels: u32) -> (Vec<Outlet>, Gate) {
    let pool = SharedPool::new(64 << 20);
    let ends = (0..channels).map(|index| {
        let id = ChannelId {
            from: SubtaskId {
                vertex: VertexId(0),
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
    (outlets, Gate::new(inlets))
}

fn describe(input: &Input) -> String {
    match input {
        Input::Batch(batch) => format!("{:?}", numbers(batch)),
        Input::Watermark(watermark) => format!("watermark {}", watermark.0),
        Input::Barrier(aligned) => format!("{} after {:?}", aligned.barrier.id, aligned.duration),
        Input::Idle => "idle".to_owned(),
        Input::End => "end".to_owned(),
    }
}

fn drain(gate: &mut Gate, millis: u64) -> Vec<String> {
    std::iter::from_fn(|| gate.next(at(millis)).unwrap())
        .map(|input| describe(&input))
        .collect()
}

fn row(number: i64) -> Element {
    Element::Batch(rows(number..number + 1, 8))
}

#[test]
fn channels_take_turns() {
    let (mut outlets, mut gate) = gate(2);
    for number in [0, 1, 2] {
        outlets[0].send(row(number)).unwrap();
    }
    outlets[1].send(row(10)).unwrap();
    assert_eq!(drain(&mut gate, 0), ["[0]", "[10]", "[1]", "[2]"]);
    assert_eq!(gate.waits_for(), "input");
}

#[test]
fn nothing_passes_a_barrier_until_every_channel_has_come_to_it() {
    let (mut outlets, mut gate) = gate(2);
    outlets[0].send(row(0)).unwrap();
    outlets[0].send(Element::Barrier(barrier(1))).unwrap();
    outlets[0].send(row(1)).unwrap();
    outlets[1].send(row(10)).unwrap();
    assert_eq!(drain(&mut gate, 100), ["[0]", "[10]"]);
    assert_eq!(gate.waits_for(), "alignment of chk-1.1.1 for edge-3 from sub-0.1");
    outlets[1].send(row(11)).unwrap();
    outlets[1].send(Element::Barrier(barrier(1))).unwrap();
    outlets[1].send(row(12)).unwrap();
    let found = drain(&mut gate, 107);
    assert_eq!(found[..2], ["[11]", "chk-1.1.1 after 7ms"]);
    assert_eq!(found.len(), 4);
    assert_eq!(gate.aligning(), None);
}

#[test]
fn barriers_that_stand_in_front_pass_though_rows_cannot() {
    let (mut outlets, mut gate) = gate(3);
    let next = |gate: &mut Gate, millis| {
        gate.next_barrier(at(millis))
            .unwrap()
            .map(|aligned| aligned.barrier.id.counter)
    };
    outlets[0].send(Element::Barrier(barrier(1))).unwrap();
    outlets[0].send(row(0)).unwrap();
    outlets[1].send(row(10)).unwrap();
    outlets[1].send(Element::Barrier(barrier(1))).unwrap();
    outlets[2].send(Element::Barrier(barrier(1))).unwrap();
    // One channel has rows before its barrier.
    assert_eq!(next(&mut gate, 0), None);
    assert_eq!(gate.waits_for(), "alignment of chk-1.1.1 for edge-3 from sub-0.1");
    assert_eq!(gate.next(at(1)).unwrap().map(|input| describe(&input)).unwrap(), "[10]");
    assert_eq!(next(&mut gate, 2), Some(1));
    assert_eq!(next(&mut gate, 2), None);
    assert_eq!(drain(&mut gate, 3), ["[0]"]);
    // A newer one lets those go on that waited for an older one.
    outlets[2].send(Element::Barrier(barrier(2))).unwrap();
    outlets[2].send(Element::Barrier(barrier(3))).unwrap();
    outlets[0].send(Element::Barrier(barrier(3))).unwrap();
    assert_eq!(next(&mut gate, 4), None);
    outlets[1].send(Element::Barrier(barrier(3))).unwrap();
    outlets[1].send(Element::End).unwrap();
    assert_eq!(next(&mut gate, 4), Some(3));
    // An end stays where it is, and is no barrier.
    outlets[0].send(Element::Barrier(barrier(4))).unwrap();
    outlets[2].send(Element::Barrier(barrier(4))).unwrap();
    assert_eq!(next(&mut gate, 5), None);
    assert_eq!(drain(&mut gate, 5), ["chk-1.1.4 after 0ns"]);
}

fn shown(overtook: Overtook) -> Vec<(u32, Vec<String>)> {
    let one = |(channel, elements): (ChannelId, Vec<Element>)| {
        let text = |element| match element {
            Element::Batch(batch) => format!("{:?}", numbers(&batch)),
            Element::Watermark(watermark) => format!("watermark {}", watermark.0),
            other => format!("{other:?}"),
        };
        (channel.from.index, elements.into_iter().map(text).collect())
    };
    overtook.passed.into_iter().map(one).collect()
}

#[test]
fn a_barrier_overtakes_what_waits_once_it_has_come_into_every_channel() {
    let (mut outlets, mut gate) = gate(4);
    let cut = barrier(2);
    // The first has a barrier that was given up; the second is aligned; the fourth ends.
    for element in [
        row(0),
        Element::Barrier(barrier(1)),
        row(1),
        Element::Barrier(cut),
        row(2),
    ] {
        outlets[0].send(element).unwrap();
    }
    outlets[1].send(Element::Barrier(cut)).unwrap();
    outlets[1].send(row(10)).unwrap();
    outlets[2].send(row(20)).unwrap();
    outlets[2].send(Element::Watermark(Watermark(5))).unwrap();
    outlets[3].send(row(30)).unwrap();
    outlets[3].send(Element::End).unwrap();
    assert_eq!(gate.next(at(0)).unwrap().map(|input| describe(&input)).unwrap(), "[0]");
    assert_eq!(gate.next(at(0)).unwrap().map(|input| describe(&input)).unwrap(), "[20]");
    assert!(
        gate.overtake(cut, at(1)).unwrap().is_none(),
        "it has not come into the third"
    );
    assert!(!gate.has_come(cut));
    outlets[2].send(Element::Barrier(cut)).unwrap();
    outlets[2].send(row(21)).unwrap();
    assert!(gate.has_come(cut));
    let overtook = gate.overtake(cut, at(7)).unwrap().unwrap();
    assert_eq!(
        (overtook.aligned.barrier, overtook.aligned.duration.as_millis()),
        (cut, 7)
    );
    let text = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        shown(overtook),
        [(0, text(&["[1]"])), (2, text(&["watermark 5"])), (3, text(&["[30]"]))]
    );
    assert_eq!(gate.aligning(), None);
    let mut rest = drain(&mut gate, 8);
    rest.sort();
    assert_eq!(rest, ["[10]", "[1]", "[21]", "[2]", "[30]"]);
    assert!(gate.overtake(cut, at(9)).unwrap().is_none(), "once");
}

#[test]
fn what_a_restored_barrier_had_passed_is_taken_first_and_may_be_passed_again() {
    let (mut outlets, mut gate) = gate(2);
    let passed = vec![row(0), Element::Watermark(Watermark(3))];
    gate.restore(EdgeId(3), 1, passed).unwrap();
    assert!(gate.restore(EdgeId(3), 2, vec![]).is_err(), "nobody sends from there");
    outlets[0].send(Element::Barrier(barrier(1))).unwrap();
    outlets[1].send(row(1)).unwrap();
    outlets[1].send(Element::Barrier(barrier(1))).unwrap();
    assert!(gate.next_barrier(at(0)).unwrap().is_none(), "rows stand before it");
    let overtook = gate.overtake(barrier(1), at(0)).unwrap().unwrap();
    let all = ["[0]", "watermark 3", "[1]"].map(str::to_owned).to_vec();
    assert_eq!(shown(overtook), [(1, all)]);
    outlets[0].send(Element::Watermark(Watermark(9))).unwrap();
    assert_eq!(drain(&mut gate, 0), ["[0]", "watermark 3", "[1]"]);
}

#[test]
fn time_is_the_minimum_over_active_channels() {
    let (mut outlets, mut gate) = gate(2);
    outlets[0].send(Element::Watermark(Watermark(10))).unwrap();
    assert!(drain(&mut gate, 0).is_empty());
    outlets[1].send(Element::Watermark(Watermark(5))).unwrap();
    assert_eq!(drain(&mut gate, 0), ["watermark 5"]);
    outlets[1].send(Element::Idle).unwrap();
    assert_eq!(drain(&mut gate, 0), ["watermark 10"]);
    outlets[0].send(Element::Idle).unwrap();
    assert_eq!(drain(&mut gate, 0), ["idle"]);
    outlets[1].send(row(1)).unwrap();
    outlets[1].send(Element::Watermark(Watermark(7))).unwrap();
    // Time does not run back for a channel that was idle; what it says below is late.
    assert_eq!(drain(&mut gate, 0), ["[1]"]);
    outlets[1].send(Element::Watermark(Watermark(12))).unwrap();
    assert_eq!(drain(&mut gate, 0), ["watermark 12"]);
}

#[test]
fn an_end_counts_as_every_later_barrier_and_holds_back_no_time() {
    let (mut outlets, mut gate) = gate(3);
    outlets[0].send(Element::Watermark(Watermark(10))).unwrap();
    outlets[1].send(Element::Watermark(Watermark(20))).unwrap();
    outlets[0].send(Element::Barrier(barrier(1))).unwrap();
    outlets[1].send(Element::Barrier(barrier(1))).unwrap();
    assert!(drain(&mut gate, 0).is_empty());
    outlets[2].send(Element::End).unwrap();
    assert_eq!(drain(&mut gate, 3), ["watermark 10", "chk-1.1.1 after 3ms"]);
    outlets[0].send(Element::End).unwrap();
    outlets[1].send(Element::Barrier(barrier(2))).unwrap();
    outlets[1].send(Element::End).unwrap();
    assert_eq!(drain(&mut gate, 3), ["watermark 20", "chk-1.1.2 after 0ns", "end"]);
    assert!(gate.has_ended());
    assert!(drain(&mut gate, 3).is_empty());
}

#[test]
fn a_newer_barrier_gives_up_an_older_alignment() {
    let (mut outlets, mut gate) = gate(2);
    outlets[0].send(Element::Barrier(barrier(1))).unwrap();
    outlets[0].send(row(0)).unwrap();
    outlets[0].send(Element::Barrier(barrier(2))).unwrap();
    assert!(drain(&mut gate, 0).is_empty());
    // The second channel never saw the first barrier.
    outlets[1].send(Element::Barrier(barrier(2))).unwrap();
    assert_eq!(drain(&mut gate, 5), ["[0]", "chk-1.1.2 after 0ns"]);
    outlets[1].send(Element::Barrier(barrier(1))).unwrap();
    outlets[1].send(row(10)).unwrap();
    assert_eq!(drain(&mut gate, 5), ["[10]"]);
}

#[test]
fn a_failed_channel_fails_the_gate() {
    let (mut outlets, mut gate) = gate(2);
    outlets.pop();
    let failure = gate.next(at(0)).unwrap_err();
    assert!(failure.message.contains("sub-0.1"), "{}", failure.message);
}

/// What a channel says in the random tests: rows and barriers up to its end.
fn script() -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(any::<bool>(), 0..20)
}

/// What a channel sends, the last first, and how many of its rows stand before each barrier and the end. A row is its channel
/// and its place in it.
fn plan(channel: i64, script: &[bool]) -> (Vec<Element>, Vec<i64>) {
    let (mut plan, mut cuts, mut rows) = (Vec::new(), Vec::new(), 0);
    for is_barrier in script.iter().copied().chain([true; 3]) {
        if is_barrier && cuts.len() < 3 {
            cuts.push(rows);
            plan.push(Element::Barrier(barrier(cuts.len() as u64)));
        } else {
            plan.push(row(channel * 1_000 + rows));
            rows += 1;
        }
    }
    cuts.push(rows);
    plan.push(Element::End);
    plan.reverse();
    (plan, cuts)
}

/// How far each channel had come when a barrier passed these, after so many rows were taken of each: they must follow those.
fn passed_over(taken: &[i64], passed: Vec<(ChannelId, Vec<Element>)>) -> Vec<i64> {
    let mut reached = taken.to_vec();
    for (id, elements) in passed {
        let channel = id.from.index as usize;
        for element in elements {
            let Element::Batch(batch) = element else { continue };
            assert_eq!(numbers(&batch), [i64::from(id.from.index) * 1_000 + reached[channel]]);
            reached[channel] += 1;
        }
    }
    reached
}

proptest! {
    /// Between two aligned barriers stand exactly the rows that every channel had between them, whatever comes first.
    #[test]
    fn barriers_cut_every_channel_at_the_same_place(scripts in prop::collection::vec(script(), 1..5), order in any::<u64>()) {
        let (outlets, mut gate) = gate(u32::try_from(scripts.len()).unwrap());
        let mut outlets: Vec<Option<Outlet>> = outlets.into_iter().map(Some).collect();
        // Each channel's rows are numbered by the barriers before them; all send the same barriers.
        let barriers = 3;
        let mut plans: Vec<Vec<Element>> = Vec::new();
        for script in &scripts {
            let mut plan: Vec<Element> = Vec::new();
            let mut counter = 0;
            for is_barrier in script.iter().copied().chain([true; 3]) {
                if is_barrier && counter < barriers {
                    counter += 1;
                    plan.push(Element::Barrier(barrier(counter)));
                } else {
                    plan.push(row(i64::try_from(counter).unwrap()));
                }
            }
            plan.push(Element::End);
            plan.reverse();
            plans.push(plan);
        }
        let mut random = order;
        let mut cut = 0;
        let mut ended = false;
        while !ended {
            random = dataflow::key::hash(&random.to_le_bytes());
            let channel = usize::try_from(random % plans.len() as u64).unwrap();
            if let Some(element) = plans[channel].pop() {
                outlets[channel].as_mut().unwrap().send(element).unwrap();
            }
            while let Some(input) = gate.next(at(0)).unwrap() {
                match input {
                    Input::Batch(batch) => prop_assert_eq!(numbers(&batch), vec![cut]),
                    Input::Barrier(aligned) => {
                        cut += 1;
                        prop_assert_eq!(aligned.barrier, barrier(u64::try_from(cut).unwrap()));
                    }
                    Input::End => ended = true,
                    other => prop_assert!(false, "{other:?} was never sent"),
                }
            }
        }
        prop_assert_eq!(cut, 3);
        outlets.clear();
    }

    /// Whatever comes first, whenever a barrier overtakes or is aligned instead: each row before it was taken before it, or is
    /// among what it passed, in the channel's order; and all rows are taken once.
    #[test]
    fn a_row_before_a_barrier_is_taken_before_it_or_passed_by_it(
        scripts in prop::collection::vec(script(), 1..5),
        order in any::<u64>(),
    ) {
        let (outlets, mut gate) = gate(u32::try_from(scripts.len()).unwrap());
        let mut outlets: Vec<Option<Outlet>> = outlets.into_iter().map(Some).collect();
        let (mut plans, cuts): (Vec<_>, Vec<_>) = (0..).zip(&scripts).map(|(channel, script)| plan(channel, script)).unzip();
        let mut random = order;
        let mut draw = |below: usize| {
            random = dataflow::key::hash(&random.to_le_bytes());
            usize::try_from(random % below as u64).unwrap()
        };
        let mut taken = vec![0i64; plans.len()];
        let mut done = 0usize;
        let mut ended = false;
        while !ended {
            let channel = draw(plans.len());
            if let Some(element) = plans[channel].pop() {
                outlets[channel].as_mut().unwrap().send(element).unwrap();
            }
            for _ in 0..draw(4) {
                if done < 3 && draw(2) == 0 {
                    if let Some(overtook) = gate.overtake(barrier(done as u64 + 1), at(0)).unwrap() {
                        let reached = passed_over(&taken, overtook.passed);
                        let places: Vec<i64> = cuts.iter().map(|cuts| cuts[done]).collect();
                        prop_assert_eq!(reached, places);
                        done += 1;
                    }
                    continue;
                }
                match gate.next(at(0)).unwrap() {
                    None => break,
                    Some(Input::Batch(batch)) => {
                        let number = numbers(&batch)[0];
                        let channel = usize::try_from(number / 1_000).unwrap();
                        prop_assert_eq!(number % 1_000, taken[channel]);
                        taken[channel] += 1;
                    }
                    Some(Input::Barrier(aligned)) => {
                        prop_assert_eq!(aligned.barrier, barrier(done as u64 + 1));
                        let places: Vec<i64> = cuts.iter().map(|cuts| cuts[done]).collect();
                        prop_assert_eq!(&taken, &places);
                        done += 1;
                    }
                    Some(Input::End) => ended = true,
                    Some(other) => prop_assert!(false, "{other:?} was never sent"),
                }
            }
        }
        let all: Vec<i64> = cuts.iter().map(|cuts| cuts[3]).collect();
        prop_assert_eq!(taken, all);
        outlets.clear();
    }

    /// Alignment alone: some channels miss some barriers, some end; nobody is blocked once nothing more can come.
    #[test]
    fn no_channel_stays_blocked_by_a_barrier_that_is_over(
        channels in 1usize..5,
        events in prop::collection::vec((0usize..5, 0u64..6, any::<bool>()), 0..60),
    ) {
        let mut alignment = Alignment::new(channels);
        let mut done = 0;
        for (channel, counter, ends) in events {
            let channel = channel % channels;
            if alignment.is_blocked(channel) || alignment.has_ended(channel) {
                continue;
            }
            let event = if ends && counter == 0 { AlignEvent::End { channel } } else { AlignEvent::Barrier { channel, barrier: barrier(counter + 1) } };
            match alignment.on(event, at(0)) {
                AlignAction::Aligned { barrier, .. } => {
                    prop_assert!(barrier.id.counter > done, "barriers are aligned in order and once");
                    done = barrier.id.counter;
                    prop_assert!((0..channels).all(|channel| !alignment.is_blocked(channel)));
                }
                AlignAction::End => prop_assert!((0..channels).all(|channel| alignment.has_ended(channel))),
                AlignAction::None => {}
            }
            let blocked = (0..channels).any(|channel| alignment.is_blocked(channel));
            prop_assert_eq!(blocked, alignment.aligning().is_some());
            prop_assert_eq!(blocked, alignment.waits_for().is_some(), "while it is blocked, some channel is missing");
        }
    }

    /// Time never falls, and never passes the watermark of an active channel at the moment it is handed out.
    #[test]
    fn time_never_falls_and_passes_no_active_channel(events in prop::collection::vec((0usize..3, 0i64..100, 0u8..8), 0..80)) {
        let mut progress = Progress::new(3);
        let mut states = [(None, true); 3];
        let mut passed = None;
        for (channel, time, kind) in events {
            let event = match kind {
                0 => {
                    states[channel].1 = false;
                    ProgressEvent::Idle { channel }
                }
                1 | 2 => {
                    states[channel].1 = true;
                    ProgressEvent::Rows { channel }
                }
                _ => {
                    states[channel] = (states[channel].0.max(Some(time)), true);
                    ProgressEvent::Watermark { channel, watermark: Watermark(time) }
                }
            };
            match progress.on(event) {
                ProgressAction::Advance(watermark) => {
                    prop_assert!(passed < Some(watermark));
                    passed = Some(watermark);
                    prop_assert!(states.iter().all(|(time, active)| !active || *time >= Some(watermark.0)));
                }
                ProgressAction::Idle => prop_assert!(states.iter().all(|(_, active)| !active)),
                ProgressAction::None => {}
            }
        }
    }
}
