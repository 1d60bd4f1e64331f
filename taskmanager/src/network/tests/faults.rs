//! A bad line: whatever is cut or damaged, every row arrives once, in order, and as it was sent.

use std::time::Duration;

use dataflow::element::Element;

use super::proxy::{Fault, Proxy};
use super::*;
use crate::channel::tests::numbers;

/// What goes over a bad line.
struct Load {
    /// Rows of 400 bytes in each batch.
    rows_each: i64,
    megabytes: i64,
}

/// Sends batches over several channels through a line with a fault up to `every` so many bytes, and checks everything
/// that arrives. Answers how many faults there were.
fn all_arrives(fault: Fault, every: u64, seed: u64, load: &Load) -> u64 {
    let Load { rows_each, megabytes } = *load;
    let (mut from, to) = (Process::start("tm-1"), Process::start("tm-2"));
    if fault == Fault::Flip {
        // Damage to the length of a message looks like a line that is well and brings nothing.
        from.exchange.patience.stall = Duration::from_millis(500);
    }
    let proxy = Proxy::start(to.socket(), fault, every, seed, from.runtime.handle());
    let at = PeerAddress {
        address: proxy.address.to_string(),
        ..to.address.clone()
    };
    let mut pairs: Vec<Pair> = (0..3)
        .map(|edge| channel(&from, &to, &at, numbered(edge), 4 << 20))
        .collect();
    let steps = megabytes * 1_000_000 / 400 / rows_each / 3;
    let mut received = vec![0i64; pairs.len()];
    for step in 0..=steps {
        for pair in &mut pairs {
            if step == steps {
                pair.send(Element::End);
            } else {
                pair.send(Element::Batch(rows(step * rows_each..(step + 1) * rows_each, 400)));
            }
        }
        if step == steps {
            proxy.heal();
        }
        for (pair, received) in pairs.iter_mut().zip(&mut received) {
            receive(
                pair,
                received,
                if step == steps {
                    None
                } else {
                    Some((step + 1) * rows_each)
                },
            );
        }
    }
    assert!(received.iter().all(|received| *received == steps * rows_each));
    proxy.faults()
}

/// Receives up to so many rows in all, or up to the end.
fn receive(pair: &mut Pair, received: &mut i64, until: Option<i64>) {
    while until.is_none_or(|until| *received < until) {
        match pair.receive().unwrap() {
            Element::Batch(batch) => {
                for number in numbers(&batch) {
                    assert_eq!(number, *received, "rows arrive once and in order");
                    *received += 1;
                }
            }
            Element::End => return assert!(until.is_none(), "no end was sent yet"),
            other => panic!("{other:?} was never sent"),
        }
    }
}

#[test]
fn cut_connections_lose_and_double_nothing() {
    let faults = all_arrives(
        Fault::Cut,
        1_000_000,
        1,
        &Load {
            rows_each: 1000,
            megabytes: 30,
        },
    );
    assert!(faults >= 20, "only {faults} cuts");
}

#[test]
fn a_line_that_breaks_every_few_frames_still_makes_progress() {
    let faults = all_arrives(
        Fault::Cut,
        60_000,
        2,
        &Load {
            rows_each: 50,
            megabytes: 3,
        },
    );
    assert!(faults >= 20, "only {faults} cuts");
}

#[test]
fn flipped_bits_lose_and_damage_nothing() {
    let faults = all_arrives(
        Fault::Flip,
        1_000_000,
        3,
        &Load {
            rows_each: 1000,
            megabytes: 20,
        },
    );
    assert!(faults >= 10, "only {faults} flips");
}

/// Only the pings of the connection can notice it; the bell of the test waits for a minute at most.
#[test]
fn a_peer_that_falls_silent_is_dialled_again() {
    let faults = all_arrives(
        Fault::Silence,
        8_000_000,
        5,
        &Load {
            rows_each: 1000,
            megabytes: 12,
        },
    );
    assert!(faults >= 1, "the line never fell silent");
}
