//! Credit under random interleavings: nobody waits for ever, nothing exceeds what was granted, every byte is accounted for.

use std::collections::VecDeque;
use std::time::Duration;

use dataflow::time::Instant;
use proptest::prelude::*;

use super::*;

/// Both machines with a line between them that loses nothing but delays, and a receiver that may be slow.
struct Wire {
    window: Window,
    grants: Grants,
    pool: Pool,
    now: Instant,
    /// Rows that wait at the sender, by cost.
    waiting: VecDeque<u64>,
    /// Batches on their way, and in the queue.
    flying: VecDeque<(u64, u64)>,
    queue: VecDeque<u64>,
    /// Grants on their way.
    receipts: VecDeque<u64>,
    consumed: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Offer(u64),
    Pump,
    Arrive,
    Take,
    Receipt,
    /// A receipt is overtaken: those before it are never seen.
    SkipReceipts,
    /// A receipt comes twice.
    RepeatReceipt,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1u64..200_000).prop_map(Step::Offer),
        (1u64..3_000_000).prop_map(Step::Offer),
        Just(Step::Pump),
        Just(Step::Arrive),
        Just(Step::Take),
        Just(Step::Receipt),
        Just(Step::SkipReceipts),
        Just(Step::RepeatReceipt),
        (0u64..2000).prop_map(Step::Pass),
    ]
}

impl Wire {
    fn new(pool: u64) -> Self {
        let mut wire = Self {
            window: Window::default(),
            grants: Grants::new(),
            pool: Pool::new(pool),
            now: Instant::from_start(Duration::from_secs(3600)),
            waiting: VecDeque::new(),
            flying: VecDeque::new(),
            queue: VecDeque::new(),
            receipts: VecDeque::new(),
            consumed: 0,
        };
        wire.receipts.push_back(wire.grants.granted());
        wire
    }

    /// What an outlet does, with rows that cannot be cut.
    fn pump(&mut self) {
        while let Some(cost) = self.waiting.front().copied() {
            match self.window.on(WindowEvent::Asked {
                least: cost.min(EXCLUSIVE),
            }) {
                WindowAction::Send { credit } => {
                    // A row above the credit goes only when it is above the exclusive window too.
                    if cost > credit && cost <= EXCLUSIVE {
                        panic!("credit {credit} was given to a row of {cost}");
                    }
                    self.waiting.pop_front();
                    self.window.on(WindowEvent::Sent { cost });
                    self.flying.push_back((cost, self.waiting.iter().sum()));
                }
                WindowAction::Blocked => return,
                other => panic!("{other:?} answers no question"),
            }
        }
    }

    fn take(&mut self, event: GrantsEvent) {
        if let Some(grant) = self.grants.on(event, self.now, &mut self.pool) {
            self.receipts.push_back(grant.total);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Offer(cost) => self.waiting.push_back(cost),
            Step::Pump => self.pump(),
            Step::Arrive => {
                if let Some((cost, backlog)) = self.flying.pop_front() {
                    self.queue.push_back(cost);
                    self.take(GrantsEvent::Received { cost, backlog });
                }
            }
            Step::Take => {
                if let Some(cost) = self.queue.pop_front() {
                    self.consumed += cost;
                    self.take(GrantsEvent::Consumed { cost });
                }
            }
            Step::Receipt => self.receipt(),
            Step::SkipReceipts => {
                while self.receipts.len() > 1 {
                    self.receipts.pop_front();
                }
            }
            Step::RepeatReceipt => {
                if let Some(total) = self.receipts.front().copied() {
                    self.receipts.push_back(total);
                    self.receipts.rotate_right(1);
                }
            }
            Step::Pass(millis) => self.now = self.now + Duration::from_millis(millis),
        }
        self.check();
    }

    fn receipt(&mut self) {
        if let Some(total) = self.receipts.pop_front()
            && self.window.on(WindowEvent::Granted { total }) == WindowAction::Wake
        {
            self.pump();
        }
    }

    fn check(&self) {
        let flying: u64 = self.flying.iter().map(|(cost, _)| cost).sum();
        let queued: u64 = self.queue.iter().sum();
        assert_eq!(
            self.window.sent(),
            flying + queued + self.consumed,
            "every byte is somewhere"
        );
        assert_eq!(self.grants.queued(), queued);
        let largest = self
            .flying
            .iter()
            .map(|(cost, _)| *cost)
            .chain(self.queue.iter().copied())
            .max()
            .unwrap_or(0);
        assert!(
            flying + queued <= self.grants.outstanding() + if largest > EXCLUSIVE { largest } else { 0 },
            "what is on its way was granted, but for one large row"
        );
        assert_eq!(self.pool.leased(), self.grants.outstanding().saturating_sub(EXCLUSIVE));
    }

    /// Everybody does what they can until nobody can.
    fn settle(&mut self) {
        loop {
            let before = (
                self.flying.len(),
                self.queue.len(),
                self.receipts.len(),
                self.waiting.len(),
            );
            self.pump();
            for step in [Step::Arrive, Step::Take, Step::Receipt] {
                self.step(step);
            }
            if before == (0, 0, 0, self.waiting.len()) && self.flying.is_empty() {
                return;
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_everything_is_delivered(
        pool in prop_oneof![Just(0u64), 0u64..10_000_000],
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut wire = Wire::new(pool);
        steps.into_iter().for_each(|step| wire.step(step));
        wire.settle();
        prop_assert!(wire.waiting.is_empty(), "{:?} wait for ever", wire.waiting);
        prop_assert!(wire.window.credit() >= EXCLUSIVE);
        wire.take(GrantsEvent::Closed);
        prop_assert_eq!(wire.pool.leased(), 0);
    }

    #[test]
    fn channels_of_one_pool_never_hold_more_than_it_has(
        steps in prop::collection::vec((0usize..4, 1u64..60_000, 0u64..3_000_000, any::<bool>()), 0..300),
    ) {
        let mut pool = Pool::new(4 << 20);
        let mut channels: Vec<(Grants, u64)> = (0..4).map(|_| (Grants::new(), 0)).collect();
        let now = Instant::from_start(Duration::from_secs(3600));
        for (channel, cost, backlog, takes) in steps {
            let (grants, sent) = &mut channels[channel];
            if takes && grants.queued() > 0 {
                let cost = grants.queued();
                grants.on(GrantsEvent::Consumed { cost }, now, &mut pool);
            } else if *sent + cost <= grants.granted() {
                *sent += cost;
                grants.on(GrantsEvent::Received { cost, backlog }, now, &mut pool);
            }
            let held: u64 = channels.iter().map(|(grants, _)| grants.outstanding().saturating_sub(EXCLUSIVE)).sum();
            prop_assert_eq!(pool.leased(), held);
            prop_assert!(held <= 4 << 20);
        }
    }
}

#[test]
fn a_backlog_widens_the_window_at_once() {
    let (mut grants, mut pool) = (Grants::new(), Pool::new(16 << 20));
    let now = Instant::from_start(Duration::from_secs(3600));
    let received = GrantsEvent::Received {
        cost: EXCLUSIVE,
        backlog: 500_000,
    };
    let grant = grants.on(received, now, &mut pool).unwrap();
    assert!(grant.total >= EXCLUSIVE + 500_000);
}

#[test]
fn without_a_backlog_the_floating_part_goes_back() {
    let (mut grants, mut pool) = (Grants::new(), Pool::new(16 << 20));
    let mut now = Instant::from_start(Duration::from_secs(3600));
    grants.on(
        GrantsEvent::Received {
            cost: EXCLUSIVE,
            backlog: 500_000,
        },
        now,
        &mut pool,
    );
    assert!(pool.leased() > 0);
    now = now + HOLD;
    grants.on(
        GrantsEvent::Received {
            cost: 500_000,
            backlog: 0,
        },
        now,
        &mut pool,
    );
    grants.on(
        GrantsEvent::Consumed {
            cost: EXCLUSIVE + 500_000,
        },
        now,
        &mut pool,
    );
    assert_eq!(pool.leased(), 0);
    assert_eq!(grants.outstanding(), EXCLUSIVE);
}

#[test]
fn a_slow_receiver_is_not_granted_more_than_it_drains_in_time() {
    let (mut grants, mut pool) = (Grants::new(), Pool::new(1 << 30));
    let mut now = Instant::from_start(Duration::from_secs(3600));
    // A thousand bytes each 10 ms, with a backlog of a gigabyte.
    for _ in 0..1000 {
        grants.on(
            GrantsEvent::Received {
                cost: 1000,
                backlog: 1 << 30,
            },
            now,
            &mut pool,
        );
        grants.on(GrantsEvent::Consumed { cost: 1000 }, now, &mut pool);
        now = now + Duration::from_millis(10);
    }
    assert!(grants.outstanding() <= EXCLUSIVE + BURST, "{}", grants.outstanding());
}
