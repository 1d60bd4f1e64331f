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
