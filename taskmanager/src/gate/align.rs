//! Barrier alignment: which channels wait for which barrier. A pure machine.
//!
//! ```text
//!              first barrier                        last channel's barrier or end
//!   Flowing ───────────────────> Aligning(barrier) ───────────────────────────────> Flowing, `Aligned`
//!                                     │  ^
//!                                     └──┘ a newer barrier: the older alignment is given up
//! ```
//!
//! | event \ state | Flowing | Aligning |
//! |---|---|---|
//! | barrier, newer than all before | Aligning | Aligning the newer; those that waited for the older flow again |
//! | barrier that is being aligned | – | the channel waits |
//! | barrier, older or done | dropped | dropped |
//! | end of a channel | it counts as every later barrier | it counts as the barrier |
//! | the barrier is to overtake, and has come into every channel | Flowing, what stands before it is in the snapshot | the same |
//!
//! A barrier overtakes only once it has come into every channel, behind whatever waits there. Then the cut is made at one
//! moment: what stands before the barrier is known and bounded by what the channels may hold, and nothing is recorded over time.

use std::time::Duration;

use dataflow::element::Barrier;
use dataflow::id::BarrierId;
use dataflow::time::Instant;

/// The alignment of the channels of one gate.
#[derive(Clone, Debug)]
pub struct Alignment {
    channels: Vec<Channel>,
    live: usize,
    aligning: Option<Aligning>,
    /// The newest barrier that was seen.
    newest: Option<BarrierId>,
    dropped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Flows,
    Waits,
    Ended,
}

#[derive(Clone, Copy, Debug)]
struct Aligning {
    barrier: Barrier,
    since: Instant,
    waiting: usize,
}

/// What comes to a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignEvent {
    /// A barrier, from a channel that is not blocked.
    Barrier {
        /// Which channel.
        channel: usize,
        /// Its barrier.
        barrier: Barrier,
    },
    /// A channel's end.
    End {
        /// Which channel.
        channel: usize,
    },
}

/// What leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignAction {
    /// All channels have come to the barrier, and flow again.
    Aligned {
        /// The barrier.
        barrier: Barrier,
        /// From the first channel's barrier to the last's.
        duration: Duration,
    },
    /// All channels have ended.
    End,
    /// Nothing.
    None,
}

/// A barrier that does not wait until what stands before it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overtaking {
    /// From the first channel's barrier to now; zero where none was taken.
    pub duration: Duration,
    /// The channels on which it passes what was not yet taken.
    pub passed: Vec<usize>,
}

impl Alignment {
    /// The alignment of so many channels.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        Self {
            channels: vec![Channel::Flows; channels],
            live: channels,
            aligning: None,
            newest: None,
            dropped: 0,
        }
    }

    /// Takes an event.
    pub fn on(&mut self, event: AlignEvent, now: Instant) -> AlignAction {
        match event {
            AlignEvent::Barrier { channel, barrier } => self.barrier(channel, barrier, now),
            AlignEvent::End { channel } => self.end(channel, now),
        }
    }

    fn barrier(&mut self, channel: usize, barrier: Barrier, now: Instant) -> AlignAction {
        debug_assert!(
            self.channels[channel] == Channel::Flows,
            "nothing is taken from a channel that waits or has ended"
        );
        let current = self.aligning.map(|aligning| aligning.barrier.id);
        if current != Some(barrier.id) {
            if self.newest.is_some_and(|newest| barrier.id <= newest) {
                self.dropped += 1;
                return AlignAction::None;
            }
            self.release();
            self.newest = Some(barrier.id);
            self.aligning = Some(Aligning {
                barrier,
                since: now,
                waiting: 0,
            });
        }
        self.channels[channel] = Channel::Waits;
        if let Some(aligning) = &mut self.aligning {
            aligning.waiting += 1;
        }
        self.complete(now)
    }

    fn end(&mut self, channel: usize, now: Instant) -> AlignAction {
        debug_assert!(
            self.channels[channel] == Channel::Flows,
            "a channel ends once, and not while it waits"
        );
        self.channels[channel] = Channel::Ended;
        self.live -= 1;
        if self.live == 0 {
            return AlignAction::End;
        }
        self.complete(now)
    }

    /// Lets `barrier` overtake, if it, or the end, has come into every channel that has not taken it: `has_come` says so of
    /// each of those. The alignment is then over, and all channels flow.
    pub fn overtake(&mut self, barrier: Barrier, has_come: impl Fn(usize) -> bool, now: Instant) -> Option<Overtaking> {
        let aligning = self.aligning.filter(|aligning| aligning.barrier.id == barrier.id);
        let is_over = self.newest.is_some_and(|newest| barrier.id <= newest) && aligning.is_none();
        if is_over || self.live == 0 {
            return None;
        }
        let passed: Vec<usize> = self.untaken(barrier.id).collect();
        if !passed.iter().all(|channel| has_come(*channel)) {
            return None;
        }
        self.release();
        self.newest = Some(barrier.id);
        Some(Overtaking {
            duration: aligning.map_or(Duration::ZERO, |aligning| now.since(aligning.since)),
            passed,
        })
    }

    /// The channels that neither have taken this barrier nor have ended.
    pub fn untaken(&self, barrier: BarrierId) -> impl Iterator<Item = usize> {
        // Those that wait for an older barrier have this one, if at all, behind what they hold.
        let is_aligned = self.aligning.is_some_and(|aligning| aligning.barrier.id == barrier);
        let is_open = move |channel: &Channel| match channel {
            Channel::Flows => true,
            Channel::Waits => !is_aligned,
            Channel::Ended => false,
        };
        let channels = self.channels.iter().enumerate();
        channels
            .filter(move |(_, channel)| is_open(channel))
            .map(|(index, _)| index)
    }

    fn complete(&mut self, now: Instant) -> AlignAction {
        match self.aligning {
            Some(Aligning {
                barrier,
                since,
                waiting,
            }) if waiting == self.live => {
                self.release();
                AlignAction::Aligned {
                    barrier,
                    duration: now.since(since),
                }
            }
            Some(_) | None => AlignAction::None,
        }
    }

    fn release(&mut self) {
        self.aligning = None;
        for channel in &mut self.channels {
            if *channel == Channel::Waits {
                *channel = Channel::Flows;
            }
        }
    }

    /// Whether nothing may be taken from a channel until the others have come to the barrier.
    #[must_use]
    pub fn is_blocked(&self, channel: usize) -> bool {
        self.channels[channel] == Channel::Waits
    }

    /// Whether a channel has ended.
    #[must_use]
    pub fn has_ended(&self, channel: usize) -> bool {
        self.channels[channel] == Channel::Ended
    }

    /// The barrier that is being aligned, and since when.
    #[must_use]
    pub fn aligning(&self) -> Option<(Barrier, Instant)> {
        self.aligning.map(|aligning| (aligning.barrier, aligning.since))
    }

    /// The barrier that is being aligned, and the first channel that has not come to it.
    #[must_use]
    pub fn waits_for(&self) -> Option<(Barrier, usize)> {
        let missing = self.channels.iter().position(|channel| *channel == Channel::Flows)?;
        self.aligning.map(|aligning| (aligning.barrier, missing))
    }

    /// Barriers that came too late to count.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
