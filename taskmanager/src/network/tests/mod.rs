//! Channels over real sockets: the contract of every channel, faults on the line, peers that go and come.

mod faults;
mod proxy;
mod wire;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use dataflow::element::Element;
use dataflow::error::Disposition;
use dataflow::time::SystemClock;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::channel::SharedPool;
use crate::channel::tests::{Bell, Pair, id, receiving, rows, suite};

/// A process, as far as exchanges go: a runtime of its own and a socket.
struct Process {
    exchange: Exchange,
    address: PeerAddress,
    runtime: Runtime,
}

impl Process {
    fn start(name: &str) -> Self {
        Self::start_as(name, &format!("{name}-1"))
    }

    fn start_as(name: &str, incarnation: &str) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let identity = Identity {
            task_manager: name.to_owned(),
            incarnation: incarnation.to_owned(),
        };
        let scope = Scope::root(name, runtime.handle().clone());
        let exchange = Exchange::new(identity.clone(), Arc::new(SystemClock::start()), scope);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = {
            let _entered = runtime.enter();
            exchange.serve(listener).unwrap()
        };
        Self {
            exchange,
            address: PeerAddress {
                identity,
                address: address.to_string(),
            },
            runtime,
        }
    }

    fn socket(&self) -> SocketAddr {
        self.address.address.parse().unwrap()
    }

    /// Kills it: connections break and nobody listens any more.
    fn kill(self) {
        self.runtime.shutdown_timeout(Duration::from_secs(10));
    }
}

fn numbered(edge: u32) -> ChannelId {
    ChannelId {
        edge: dataflow::id::EdgeId(edge),
        ..id()
    }
}

/// A channel from one process to the other, seen by one test thread.
fn channel(from: &Process, to: &Process, at: &PeerAddress, id: ChannelId, pool: u64) -> Pair {
    let (bell, pool) = (Bell::default(), SharedPool::new(pool));
    let inlet = to.exchange.inlet(id.clone(), receiving(&bell, &pool));
    let outlet = from.exchange.outlet(id, at, bell.waker());
    Pair {
        outlet: Some(outlet),
        inlet: Some(inlet),
        bell,
        pool,
        _ground: Box::new(()),
    }
}

#[test]
fn a_remote_channel_keeps_the_contract() {
    suite(&|pool| {
        let (from, to) = (Process::start("tm-1"), Process::start("tm-2"));
        let pair = channel(&from, &to, &to.address, id(), pool);
        Pair {
            _ground: Box::new((from, to)),
            ..pair
        }
    });
}

#[test]
fn a_channel_may_be_opened_before_its_receiver_is_made() {
    let (from, to) = (Process::start("tm-1"), Process::start("tm-2"));
    let (bell, pool) = (Bell::default(), SharedPool::new(1 << 20));
    let mut outlet = from.exchange.outlet(id(), &to.address, bell.waker());
    outlet.send(Element::Batch(rows(0..10, 10))).unwrap();
    assert_eq!(outlet.waits_for().unwrap(), "credit of edge-3 to sub-1.5");
    wait_for(|| to.exchange.received() == (0, 1));
    let inlet = to.exchange.inlet(id(), receiving(&bell, &pool));
    let mut pair = Pair {
        outlet: Some(outlet),
        inlet: Some(inlet),
        bell,
        pool,
        _ground: Box::new(()),
    };
    assert!(matches!(pair.receive().unwrap(), Element::Batch(batch) if batch.row_count() == 10));
    pair.inlet = None;
    assert_eq!(to.exchange.received(), (0, 0));
}

#[test]
fn a_later_deployment_refuses_what_an_earlier_one_left_waiting() {
    let (from, to) = (Process::start("tm-1"), Process::start("tm-2"));
    let (bell, pool) = (Bell::default(), SharedPool::new(1 << 20));
    let mut stale = from.exchange.outlet(id(), &to.address, bell.waker());
    wait_for(|| to.exchange.received() == (0, 1));
    let mut later = id();
    later.generation.deployment += 1;
    let before = bell.count();
    let _inlet = to.exchange.inlet(later, receiving(&bell, &pool));
    bell.wait(before);
    let failure = stale.send(Element::Batch(rows(0..1, 10))).unwrap_err();
    assert!(
        failure.message.ends_with("a later deployment of its job has begun"),
        "{}",
        failure.message
    );
    assert_eq!(failure.disposition, Disposition::Retry);
}

#[test]
fn a_peer_that_refuses_is_gone_at_once() {
    let from = Process::start("tm-1");
    let nobody = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let identity = Identity {
        task_manager: "tm-9".to_owned(),
        incarnation: "x".to_owned(),
    };
    let peer = PeerAddress {
        identity,
        address: nobody.to_string(),
    };
    let bell = Bell::default();
    let mut outlet = from.exchange.outlet(id(), &peer, bell.waker());
    bell.wait(0);
    let failure = outlet.send(Element::Batch(rows(0..1, 10))).unwrap_err();
    assert_eq!(failure.disposition, Disposition::Retry);
    let expected = format!(
        "sub-1.5, which receives edge-3 from sub-0.4, is gone with task manager tm-9 at {nobody}: connection refused"
    );
    assert_eq!(failure.message, expected);
}

#[test]
fn a_peer_that_was_started_anew_is_not_taken_for_the_old_one() {
    let (from, to) = (Process::start("tm-1"), Process::start_as("tm-2", "tm-2-second"));
    let mut old = to.address;
    old.identity.incarnation = "tm-2-first".to_owned();
    let bell = Bell::default();
    let mut outlet = from.exchange.outlet(id(), &old, bell.waker());
    bell.wait(0);
    let failure = outlet.send(Element::Batch(rows(0..1, 10))).unwrap_err();
    assert!(failure.message.contains("was started anew"), "{}", failure.message);
}

#[test]
fn a_killed_receiver_fails_its_senders() {
    let (from, to) = (Process::start("tm-1"), Process::start("tm-2"));
    let mut pair = channel(&from, &to, &to.address, id(), 1 << 20);
    pair.send(Element::Batch(rows(0..1, 10)));
    pair.receive().unwrap();
    let before = pair.bell.count();
    to.kill();
    pair.bell.wait(before);
    let failure = pair
        .outlet
        .as_mut()
        .unwrap()
        .send(Element::Batch(rows(0..1, 10)))
        .unwrap_err();
    assert!(
        failure.message.contains("is gone with task manager tm-2"),
        "{}",
        failure.message
    );
}

#[test]
fn a_row_too_large_for_a_frame_is_refused_with_advice() {
    let (from, to) = (Process::start("tm-1"), Process::start("tm-2"));
    let mut pair = channel(&from, &to, &to.address, id(), 1 << 20);
    pair.send(Element::Batch(rows(0..1, 10)));
    pair.receive().unwrap();
    let failure = pair
        .outlet
        .as_mut()
        .unwrap()
        .send(Element::Batch(rows(0..1, 65 << 20)))
        .unwrap_err();
    assert_eq!(failure.disposition, Disposition::Fail);
    assert!(failure.help.is_some());
}

#[test]
fn a_stuck_consumer_holds_up_no_other_channel() {
    let (from, to) = (Process::start("tm-1"), Process::start("tm-2"));
    let mut stuck = channel(&from, &to, &to.address, numbered(1), 16 << 20);
    let mut flowing = channel(&from, &to, &to.address, numbered(2), 16 << 20);
    // Everything that the stuck one's credit allows, and more behind it.
    for step in 0..64 {
        stuck.send(Element::Batch(rows(step * 1000..(step + 1) * 1000, 400)));
    }
    let mut received = 0;
    for step in 0..64 {
        flowing.send(Element::Batch(rows(step * 1000..(step + 1) * 1000, 400)));
        while received < (step + 1) * 1000 {
            let Element::Batch(batch) = flowing.receive().unwrap() else {
                panic!("only batches were sent")
            };
            received += i64::try_from(batch.row_count()).unwrap();
        }
    }
    assert!(!stuck.outlet.as_ref().unwrap().is_clear());
}

#[test]
fn peers_without_channels_are_forgotten_once_their_connection_ends() {
    let (from, to) = (Process::start("tm-1"), Process::start("tm-2"));
    let mut pair = channel(&from, &to, &to.address, id(), 1 << 20);
    pair.send(Element::End);
    assert!(matches!(pair.receive().unwrap(), Element::End));
    pair.outlet = None;
    to.kill();
    wait_for(|| from.exchange.peers.lock().is_empty());
}

/// The reader of a broken connection may come to its opening frame only after the next connection has opened the
/// channel. Did it take the channel back, nobody would ever send a receipt again.
#[test]
fn a_late_reader_of_a_broken_connection_takes_no_channel_back() {
    let (registry, bell, pool) = (Arc::new(Registry::default()), Bell::default(), SharedPool::new(1 << 20));
    let mut inlet = registry.inlet(id(), receiving(&bell, &pool));
    let [early, late] = [1, 2].map(|counter| Arc::new(connection::Connection::new(counter)));
    let name = || address::Name::from(&id()).into();
    let content = |sequence| frame::Frame::Content {
        channel: 7,
        sequence,
        content: frame::Content::Idle,
    };
    late.take(
        frame::Frame::Open {
            channel: 7,
            name: name(),
        },
        &registry,
    )
    .unwrap();
    early
        .take(
            frame::Frame::Open {
                channel: 7,
                name: name(),
            },
            &registry,
        )
        .unwrap();
    assert_eq!(
        early.take(content(1), &registry).unwrap_err().code(),
        tonic::Code::Aborted
    );
    late.take(content(1), &registry).unwrap();
    assert!(matches!(inlet.take().unwrap(), Some(Element::Idle)));
}

/// Waits for a condition on a value that no waker tells of.
fn wait_for(condition: impl Fn() -> bool) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let clock = SystemClock::start();
    for _ in 0..3000 {
        if condition() {
            return;
        }
        runtime.block_on(clock.sleep(Duration::from_millis(10)));
    }
    panic!("the condition did not come true within 30 s");
}
