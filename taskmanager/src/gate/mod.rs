//! The gate: many channels in, one aligned sequence out.
//!
//! ```text
//!   Inlet 0 ─┐  fair turns       ┌ batches as they come
//!   Inlet 1 ─┼─> Gate::next ─────┤ watermarks: the minimum over active channels   (progress)
//!   Inlet 2 ─┘  not from blocked └ barriers: once from every channel, then once    (align)
//! ```
//!
//! Enters: the elements of all channels of all incoming edges. Leaves: [`Input`]s, one at a time.
//! Who calls: the subtask's thread, when its outputs have room; nothing here blocks.
//! Must stay true: between two aligned barriers stand exactly the elements that every channel had between them; what a
//! barrier overtook is handed over with it, and again as input behind it.
//! Not here: acknowledging barriers, and barriers for a subtask whose input has ended: after `End` nothing follows on a
//! channel, so the job manager triggers such a subtask itself.

pub mod align;
pub mod progress;
#[cfg(test)]
mod tests;

use std::time::Duration;

use dataflow::crash;
use dataflow::element::{Barrier, Batch, Element, Watermark};
use dataflow::error::Failure;
use dataflow::id::EdgeId;
use dataflow::time::Instant;

use crate::channel::{ChannelId, Inlet};
use align::{AlignAction, AlignEvent, Alignment, Overtaking};
use progress::{Progress, ProgressAction, ProgressEvent};

/// What a subtask gets to work on.
#[derive(Clone, Debug)]
pub enum Input {
    /// Rows of one channel.
    Batch(Batch),
    /// Time has come to here on all active channels.
    Watermark(Watermark),
    /// Every channel has come to this barrier.
    Barrier(Aligned),
    /// No channel has anything to say about time.
    Idle,
    /// All channels have ended. The last input.
    End,
}

/// A barrier that every channel has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aligned {
    /// The barrier.
    pub barrier: Barrier,
    /// From the first channel's barrier to the last's.
    pub duration: Duration,
}

/// A barrier that did not wait for what stood before it.
#[derive(Clone, Debug)]
pub struct Overtook {
    /// The barrier, and how long it was aligned until then.
    pub aligned: Aligned,
    /// What it passed on each channel, in the channel's order: rows, and what was said about time.
    pub passed: Vec<(ChannelId, Vec<Element>)>,
}

/// All incoming channels of one subtask.
pub struct Gate {
    inlets: Vec<Inlet>,
    alignment: Alignment,
    progress: Progress,
    /// Where the next turn begins.
    turn: usize,
    /// A second input that the last element gave.
    then: Option<Input>,
    ended: bool,
}

impl Gate {
    /// A gate over the channels of all incoming edges, in any order; at least one.
    #[must_use]
    pub fn new(inlets: Vec<Inlet>) -> Self {
        let count = inlets.len();
        Self {
            inlets,
            alignment: Alignment::new(count),
            progress: Progress::new(count),
            turn: 0,
            then: None,
            ended: false,
        }
    }

    /// The next input, if there is one. Never blocks; after `None` a waker of an inlet is called once there may be more.
    ///
    /// # Errors
    /// A channel failed. The subtask is to end with it.
    pub fn next(&mut self, now: Instant) -> Result<Option<Input>, Failure> {
        if let Some(input) = self.then.take() {
            return Ok(Some(input));
        }
        let mut empty = 0;
        while !self.ended && empty < self.inlets.len() {
            let channel = self.turn;
            self.turn = (self.turn + 1) % self.inlets.len();
            if self.alignment.is_blocked(channel) || self.alignment.has_ended(channel) {
                empty += 1;
                continue;
            }
            let Some(element) = self.inlets[channel].take()? else {
                empty += 1;
                continue;
            };
            // Whatever came may have unblocked the others.
            empty = 0;
            if let Some(input) = self.on(channel, element, now) {
                return Ok(Some(input));
            }
        }
        Ok(None)
    }

    /// Lets a barrier pass everything that was not yet taken, if it has come into every channel: what it passed, by channel.
    /// That stays to be taken, behind the barrier.
    ///
    /// # Errors
    /// As [`Gate::next`].
    pub fn overtake(&mut self, barrier: Barrier, now: Instant) -> Result<Option<Overtook>, Failure> {
        if let Some(Input::Barrier(aligned)) = self.then
            && aligned.barrier.id == barrier.id
        {
            self.then = None;
            return Ok(Some(Overtook {
                aligned,
                passed: Vec::new(),
            }));
        }
        let inlets = &self.inlets;
        let has_come = |channel: usize| inlets[channel].has_come(barrier.id);
        let Some(Overtaking { duration, passed }) = self.alignment.overtake(barrier, has_come, now) else {
            return Ok(None);
        };
        let mut channels = Vec::with_capacity(passed.len());
        for channel in passed {
            let inlet = &mut self.inlets[channel];
            let elements = inlet.overtake(barrier.id)?;
            channels.push((inlet.id().clone(), elements));
        }
        Ok(Some(Overtook {
            aligned: Aligned { barrier, duration },
            passed: channels,
        }))
    }

    /// Whether a barrier, or an end, has come into every channel and waits there to be taken.
    #[must_use]
    pub fn has_come(&self, barrier: Barrier) -> bool {
        if let Some(Input::Barrier(aligned)) = self.then {
            return aligned.barrier.id == barrier.id;
        }
        let mut untaken = self.alignment.untaken(barrier.id);
        !self.ended && untaken.all(|channel| self.inlets[channel].has_come(barrier.id))
    }

    /// What a restored barrier had passed on one channel; before anything is taken.
    ///
    /// # Errors
    /// There is no such channel.
    pub fn restore(&mut self, edge: EdgeId, from: u32, passed: Vec<Element>) -> Result<(), Failure> {
        let found = |inlet: &&mut Inlet| inlet.id().edge == edge && inlet.id().from.index == from;
        let inlet = self.inlets.iter_mut().find(found);
        let inlet = inlet.ok_or_else(|| {
            Failure::bug(format!(
                "rows had come by {edge} from subtask {from}, which is not there"
            ))
        })?;
        inlet.restore(passed);
        Ok(())
    }

    /// The barrier that all channels have come to, if nothing but barriers is next on them. Rows, watermarks and ends stay
    /// where they are: for a subtask that can take no rows, but need not hold up a checkpoint that stands in front of them.
    ///
    /// # Errors
    /// As [`Gate::next`].
    pub fn next_barrier(&mut self, now: Instant) -> Result<Option<Aligned>, Failure> {
        if let Some(Input::Barrier(aligned)) = self.then {
            self.then = None;
            return Ok(Some(aligned));
        }
        let mut channel = 0;
        while channel < self.inlets.len() && self.then.is_none() && !self.ended {
            let open = !self.alignment.is_blocked(channel) && !self.alignment.has_ended(channel);
            let barrier = if open {
                self.inlets[channel].take_barrier()?
            } else {
                None
            };
            match barrier {
                // A newer barrier lets those go on that waited for an older one.
                Some(barrier) => match self.align(AlignEvent::Barrier { channel, barrier }, now) {
                    Some(Input::Barrier(aligned)) => return Ok(Some(aligned)),
                    Some(_) | None => channel = 0,
                },
                None => channel += 1,
            }
        }
        Ok(None)
    }

    fn on(&mut self, channel: usize, element: Element, now: Instant) -> Option<Input> {
        match element {
            Element::Batch(batch) => {
                self.progress.on(ProgressEvent::Rows { channel });
                Some(Input::Batch(batch))
            }
            Element::Watermark(watermark) => self.pass(ProgressEvent::Watermark { channel, watermark }),
            Element::Idle => self.pass(ProgressEvent::Idle { channel }),
            Element::Barrier(barrier) => self.align(AlignEvent::Barrier { channel, barrier }, now),
            Element::End => self.end(channel, now),
        }
    }

    fn pass(&mut self, event: ProgressEvent) -> Option<Input> {
        match self.progress.on(event) {
            ProgressAction::Advance(watermark) => Some(Input::Watermark(watermark)),
            ProgressAction::Idle => Some(Input::Idle),
            ProgressAction::None => None,
        }
    }

    fn align(&mut self, event: AlignEvent, now: Instant) -> Option<Input> {
        match self.alignment.on(event, now) {
            AlignAction::Aligned { barrier, duration } => {
                crash::point("align.after");
                Some(Input::Barrier(Aligned { barrier, duration }))
            }
            AlignAction::End => {
                self.ended = true;
                Some(Input::End)
            }
            AlignAction::None => {
                // A barrier has come by one channel, and not yet by all.
                if self.alignment.aligning().is_some() {
                    crash::point("align.before");
                }
                None
            }
        }
    }

    /// One channel's end may let time advance and complete an alignment at once; its time was before the barrier.
    fn end(&mut self, channel: usize, now: Instant) -> Option<Input> {
        let advanced = self.pass(ProgressEvent::End { channel });
        let aligned = self.align(AlignEvent::End { channel }, now);
        if advanced.is_none() {
            return aligned;
        }
        self.then = aligned;
        advanced
    }

    /// Whether every channel has ended and `End` was handed out.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What it waits for, as people read it: `input`, or `alignment of chk-1.1.7 for edge-1 from sub-0.1`.
    #[must_use]
    pub fn waits_for(&self) -> String {
        let Some((barrier, missing)) = self.alignment.waits_for() else {
            return "input".to_owned();
        };
        let id = self.inlets[missing].id();
        format!("alignment of {} for {} from {}", barrier.id, id.edge, id.from)
    }

    /// The alignment that is under way: its barrier, and since when.
    #[must_use]
    pub fn aligning(&self) -> Option<(Barrier, Instant)> {
        self.alignment.aligning()
    }

    /// Bytes that came and were not yet taken.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        self.inlets.iter().map(Inlet::queued_bytes).sum()
    }
}
